# `make demo` builds a page to play the instruments on and plays a melody on an emulated Cortex-M4F, `make site` builds a
# release and a static site around it, `make test` runs all tests, and `make quick` those that need Python packages alone:
# no compiler, emulator, browser or FluidSynth. `make device` makes an environment for flashing, without TensorFlow.
# Each first installs what is missing.

PYTHON := .venv/bin/python
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
C_FILES = $(shell find tflm_app tests -name '*.[ch]' -o -name '*.cc')
# A worker process per core; each takes whole test modules, because the tests of a module share what they build.
PYTEST := $(PYTHON) -m pytest -n auto --maxprocesses 8 --dist loadfile

.PHONY: demo site test quick device lint fuzz clean
.NOTPARALLEL:

demo: build/.installed
	$(PYTHON) -m pipeline.web --pretrained
	$(PYTHON) -m pipeline.demo

# The listening page links to the instrument page, so that comes first.
site: build/.installed
	$(PYTHON) -m pipeline.web --pretrained
	$(PYTHON) -m pipeline.page --pretrained
	$(PYTHON) -m pipeline.release
	$(PYTHON) -m pipeline.site

test: build/.installed
	$(PYTEST)

quick: build/.python
	$(PYTEST) -m "not firmware and not browser and not fluidsynth and not slow"

device: build/.device

lint: build/.installed
	$(PYTHON) -m ruff check pipeline tests notebooks
	$(PYTHON) -m ruff format --check pipeline tests notebooks
	clang-format --dry-run -Werror --style=file:tflm_app/.clang-format $(C_FILES)
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-cache
	$(PYTHON) -m pipeline.tables --check

# Ten million inputs for the player's MIDI input and console, ten million for the USB device, as many for it on the
# driver of the STM32 boards, and half a million files of models.
fuzz: build/.installed
	PYTHONPATH=tests $(PYTHON) -m support.fuzzing --runs 10000000

clean:
	rm -rf build

# node and npm count as installed if their commands are there, because many machines have them from elsewhere.
build/.debian: requirements-debian.txt
	@missing=$$(for package in $$(sed 's/#.*//' requirements-debian.txt); do \
		case $$package in nodejs) found=$$(command -v node);; npm) found=$$(command -v npm);; \
		*) found=$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -x installed);; esac; \
		test -n "$$found" || echo $$package; done); \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; fi
	@mkdir -p build && touch $@

# The first interpreter that setup.cfg allows and that can make an environment.
USABLE := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
BASE_PYTHON = $(firstword $(foreach p,python3.11 python3.12 python3,$(shell $(p) -c '$(USABLE)' 2>/dev/null && echo $(p))))

NEED_PYTHON = @test -n "$(BASE_PYTHON)" || \
	{ echo "error: Python 3.11 or 3.12 is needed, with venv; python3 is $$(python3 -V 2>&1)" >&2; exit 2; }

build/.python: setup.cfg
	$(NEED_PYTHON)
	$(BASE_PYTHON) -m venv .venv
	$(PYTHON) -m pip install -q --disable-pip-version-check -e '.[test]'
	@mkdir -p build && touch $@

build/.installed: build/.debian build/.python
	$(PYTHON) -m pipeline.toolchain
	@touch $@

build/.device: build/.debian requirements-device.txt
	$(NEED_PYTHON)
	$(BASE_PYTHON) -m venv build/device
	build/device/bin/python -m pip install -q --disable-pip-version-check -r requirements-device.txt
	build/device/bin/python -m pipeline.toolchain
	@touch $@
