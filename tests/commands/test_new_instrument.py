"""One command describes an instrument that every other command then knows."""

import re
import shutil

import pytest
import soundfile as sf
from support.sounds import make_tone

from pipeline import new_instrument, train
from pipeline.core import paths
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument, shipped_instruments
from pipeline.training import patch_choice


@pytest.fixture
def instruments(tmp_path, replace):
    """A folder of instruments, with recordings in its subfolder ``audio``."""
    (tmp_path / "audio").mkdir()
    for name, f0_hz in (("low", 146.83), ("high", 880.0)):
        sf.write(tmp_path / "audio" / f"{name}.wav", make_tone(1.0, f0_hz), SAMPLE_RATE)
    (tmp_path / "audio" / "notes.wav").write_text("no audio")
    for name in shipped_instruments():
        shutil.copy(paths.INSTRUMENT_DIR / f"{name}.toml", tmp_path)
    replace(paths.INSTRUMENT_DIR, tmp_path)
    return tmp_path


def describe(folder, *options, name="clarinet"):
    audio = ["--audio", str(folder / "audio"), "--runs", str(folder / "runs")]
    new_instrument.main([name, *audio, *options])


def test_recordings_become_an_instrument(instruments, capsys):
    describe(instruments, "--patch", "violin")
    config = load_instrument("clarinet")
    assert config.patch == "violin" and config.corpus.gm_program == 71
    assert (config.data.f0_min_hz, config.data.f0_max_hz) == (123, 1047)  # B2, C6
    assert (config.corpus.lowest_note, config.corpus.highest_note) == (50, 81)
    output = capsys.readouterr()
    assert "passed over: 1 file: not audio: notes.wav" in output.err
    assert "7 entries written" in output.out and "data.f0_min_hz = 123" in output.out
    assert output.out.splitlines()[-1].startswith("next: ")
    assert f"run --instrument clarinet --audio {instruments}/audio --runs " in output.out
    with pytest.raises(UserError, match=r"python -m pipeline\.data"):
        train.main(["--instrument", "clarinet", "--runs", str(instruments / "runs")])


def test_patch_is_chosen_by_fits_and_the_figures_are_kept(instruments, capsys, monkeypatch):
    monkeypatch.setattr(patch_choice, "N_FRAMES", 6)
    describe(instruments)
    printed = re.search(r"patch = (\w+): (static fits to 6 frames .*)", capsys.readouterr().out)
    errors_db = re.findall(r"by (\d+\.\d\d) dB with", printed[2])
    assert len(errors_db) == 2 and float(errors_db[0]) < 3
    text = (instruments / "clarinet.toml").read_text().replace("\n# ", " ")
    assert f"FM patch: {printed[2]}. Allowed: " in text
    assert load_instrument("clarinet").patch == printed[1]


def test_second_measurement_leaves_what_was_edited(instruments, capsys, monkeypatch):
    monkeypatch.setattr(patch_choice, "N_FRAMES", 2)
    describe(instruments)
    path = instruments / "clarinet.toml"
    path.write_text(path.read_text().replace('patch = "', 'patch = "two_stacks" # ', 1))
    path.write_text(path.read_text().replace("f0_max_hz = 1047.0", "f0_max_hz = 1100.0"))
    (instruments / "audio" / "low.wav").unlink()
    describe(instruments)
    printed = capsys.readouterr().out
    assert "data.f0_max_hz: left as edited; measured 1047" in printed
    assert "patch: left as edited; measured " in printed
    config = load_instrument("clarinet")
    assert config.patch == "two_stacks"
    assert (config.data.f0_min_hz, config.data.f0_max_hz) == (739, 1100)
    assert (config.corpus.lowest_note, config.corpus.highest_note) == (75, 87)  # an octave


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("flute", [], "'flute' is an instrument of this repository"),
        ("two words", [], "cannot be an instrument's name"),
        ("clarinet", ["--patch", "oboe"], "unknown patch 'oboe': choose one of flute,"),
        ("clarinet", ["--audio", "nowhere"], "nowhere does not exist"),
    ],
)
def test_bad_request_writes_nothing(instruments, monkeypatch, name, options, message):
    monkeypatch.chdir(instruments)
    before = sorted(instruments.rglob("*"))
    with pytest.raises(UserError, match=message):
        describe(instruments, *options, name=name)
    assert sorted(instruments.rglob("*")) == before
