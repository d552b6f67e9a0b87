"""An instrument's file is checked as a whole when it is read, and its name is the instrument's."""

import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import (
    known_instruments,
    load_instrument,
    shipped_instruments,
)
from pipeline.core.options import list_instruments

FLUTE = (paths.INSTRUMENT_DIR / "flute.toml").read_text()


@pytest.fixture
def instruments(tmp_path, replace):
    """An empty folder of instruments instead of the repository's."""
    replace(paths.INSTRUMENT_DIR, tmp_path)
    return tmp_path


def test_copy_of_an_instrument_is_named_after_its_file(instruments):
    (instruments / "clarinet.toml").write_text(FLUTE)
    assert load_instrument("clarinet").instrument == "clarinet"
    (instruments / "clarinet.toml").write_text(f'instrument = "clarinet"\n{FLUTE}')
    assert load_instrument("clarinet").instrument == "clarinet"
    (instruments / "clarinet.toml").write_text(f'instrument = "flute"\n{FLUTE}')
    with pytest.raises(UserError, match=r"clarinet\.toml: instrument = 'flute': give 'clarinet'"):
        load_instrument("clarinet")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('patch = "flute"', 'patch = "flutes"', "patch = 'flutes': give one of flute,"),
        ("= 230.0", "= 40", r"data\.f0_min_hz = 40: give a number from 47 to 4000"),
        ("= 2300.0", "= 6_000", r"data\.f0_max_hz = 6000: give a number from 47 to 4000"),
        ("= 230.0", '= "230"', r"data\.f0_min_hz = '230': give a number"),
        ("= 230.0", "= 2400", r"data\.f0_min_hz = 2400 is not below data\.f0_max_hz = 2300"),
        ("= 230.0", "= inf", r"data\.f0_min_hz = inf: give a number"),
        ("= 60", "= 90", r"corpus\.lowest_note = 90 is less than 12 semitones below"),
        ("= 96", "= 128", r"corpus\.highest_note = 128: give a whole number from 12 to 115"),
        ("= 73", "= 128", r"corpus\.gm_program = 128: give a whole number from 0 to 127"),
        ("gm_program", "program", r"unknown entry corpus\.program; allowed: gm_program, lowest"),
        (
            "= 73",
            '= 73\nsound_sets = ["x"]',
            r"corpus\.sound_sets = \['x'\]: give some of FluidR3_GM",
        ),
        ("[data]", "[dat]", r"unknown entry dat; allowed: instrument, patch, data, corpus"),
        ("[data]", "[data", "is not valid TOML"),
    ],
)
def test_entry_that_is_not_allowed_is_named_when_the_file_is_read(instruments, old, new, message):
    assert old in FLUTE
    (instruments / "clarinet.toml").write_text(FLUTE.replace(old, new))
    with pytest.raises(UserError, match=rf"clarinet\.toml:? {message}") as refusal:
        load_instrument("clarinet")
    assert len(str(refusal.value).splitlines()) == 1 or "TOML" in message


def test_instrument_without_a_corpus_learns_from_recordings_alone(instruments):
    (instruments / "clarinet.toml").write_text(FLUTE.partition("[corpus]")[0])
    config = load_instrument("clarinet")
    assert config.corpus is None and not config.decays
    with pytest.raises(UserError, match=r"clarinet\.toml has no \[corpus\].*: add gm_program, low"):
        config.require_corpus()
    (instruments / "clarinet.toml").write_text(f"{FLUTE}decays = true\n")
    assert load_instrument("clarinet").decays


def test_instruments_are_those_whose_files_can_be_named(instruments):
    for name in ("oboe.toml", "clarinet.toml", "two words.toml", "notes.txt", "1st.toml"):
        (instruments / name).write_text(FLUTE)
    assert known_instruments() == ["clarinet", "oboe"]
    for name in ("two words", "1st", "../flute", "Oboe"):
        with pytest.raises(UserError, match="choose one of clarinet, oboe, or describe your own"):
            load_instrument(name)


def test_unknown_instrument_is_refused_with_the_command_that_describes_it(instruments):
    with pytest.raises(UserError, match="new_instrument kazoo --audio DIR"):
        load_instrument("kazoo")


def test_help_lists_shipped_and_own_instruments(instruments):
    shipped = ", ".join(shipped_instruments())
    assert "flute" in shipped
    assert list_instruments() == f"{shipped}, or your own"
    for name in ("flute", "kazoo", "clarinet"):
        (instruments / f"{name}.toml").touch()
    assert list_instruments() == f"{shipped}; your own: clarinet, kazoo"
