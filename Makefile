# Two commands: `make demo` plays a melody on an emulated Cortex-M4F, `make test` runs every test.
# Both install what is missing first; a second run starts at once.

PYTHON := .venv/bin/python
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

DEBIAN_PACKAGES := python3-venv gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib \
	qemu-system-arm cmake ninja-build gcc g++ clang libclang-rt-14-dev \
	fluidsynth fluid-soundfont-gm libsndfile1 chromium

.PHONY: demo test lint fuzz clean

demo: build/.installed
	$(PYTHON) -m pipeline.demo

test: build/.installed
	$(PYTHON) -m pytest

lint: build/.installed
	$(PYTHON) -m ruff check pipeline tests notebooks
	$(PYTHON) -m mypy

# Ten million inputs at the player's MIDI input and console; some nine minutes on a busy machine.
fuzz: build/.installed
	$(PYTHON) tests/fuzz/fuzz.py --runs 10000000

clean:
	rm -rf build

# node's npm is asked for by its command because many machines have it from elsewhere.
build/.debian: Makefile
	@missing=$$( \
		for p in $(DEBIAN_PACKAGES); do \
			dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	command -v npm > /dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; fi
	@mkdir -p build && touch $@

# The first that setup.cfg allows and that can make an environment.
USABLE := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
BASE_PYTHON = $(firstword $(foreach p,python3.11 python3.12 python3,$(shell $(p) -c '$(USABLE)' 2>/dev/null && echo $(p))))

build/.installed: build/.debian setup.cfg
	@test -n "$(BASE_PYTHON)" || \
		{ echo "error: Python 3.11 or 3.12 is needed, with venv; python3 is $$(python3 -V 2>&1)" >&2; exit 2; }
	$(BASE_PYTHON) -m venv .venv
	$(PYTHON) -m pip install -q --disable-pip-version-check -e '.[test]'
	$(PYTHON) -m pipeline.toolchain
	@touch $@
