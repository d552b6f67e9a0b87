"""The inspection of recordings: its text, its page and what it advises."""

import json
import re

import numpy as np
import pytest
import soundfile as sf
from support.chromium import Browser
from support.refusals import refusal
from support.sounds import make_curve_tone

from pipeline import inspect
from pipeline.core.constants import SAMPLE_RATE
from pipeline.training import patch_choice

FOLDER = "<b>päck & co"
CHORD = sum(make_curve_tone(f0_hz, 1.5, level=0.2) for f0_hz in (392.0, 493.9, 587.3))


@pytest.fixture(scope="module", autouse=True)
def quick_fits():
    """Patches are compared by few frames."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patch_choice, "N_FRAMES", 3)
        yield


def write_tone(path, f0_hz, seconds=1.0, gain=1.0):
    sound = np.pad(gain * make_curve_tone(f0_hz, seconds), (0, SAMPLE_RATE // 2))
    sf.write(path, sound + 1e-3 * np.random.default_rng(0).normal(size=len(sound)), SAMPLE_RATE)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A sample pack with names that are not plain, a chord, clipping, and files that are no use."""
    folder = tmp_path_factory.mktemp("packs") / FOLDER
    folder.mkdir()
    cents = 2 ** (20 / 1200)
    for name, f0_hz in (("A4", 440.0), ("C#5", 554.37), ("D5", 587.33)):
        write_tone(folder / f"kazoo_{name}_<i>.wav", f0_hz * cents)
    hot = np.clip(3 * make_curve_tone(659.26 * cents), -1, 1)
    sf.write(folder / "kazoo_E5_hot.wav", np.pad(hot, (0, SAMPLE_RATE // 2)), SAMPLE_RATE)
    sf.write(folder / "chord.wav", CHORD, SAMPLE_RATE)
    sf.write(folder / "silent.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    (folder / "notes.wav").write_text("no sound")
    return folder


@pytest.fixture(scope="module")
def inspected(pack, tmp_path_factory):
    """The folder that the command writes."""
    out = tmp_path_factory.mktemp("out")
    inspect.main(["--audio", str(pack), "--out", str(out)])
    return out


def run(capsys, *words):
    inspect.main([str(word) for word in words])
    return capsys.readouterr()


def refuse(capsys, *words):
    return refusal(capsys, inspect.main, *words, alone=False)


def test_text_says_what_is_there_what_it_is_for_and_what_to_do(pack, inspected, capsys):
    printed = run(capsys, "--audio", pack, "--out", inspected)  # from the cache
    text = " ".join(printed.out.split())
    assert "recordings 5, " in text and "A4 to E5 (440 to 659 Hz), 4 of 8 semitones" in text
    assert "tuning 20 cents above A4 = 440 Hz, which is A4 = 445.1 Hz" in text
    assert "names 4 of 4 files sound as named" in text
    assert "noise -60 dBFS in pauses" in text
    assert re.search(
        r"new_instrument writes f0_min_hz = \d+ and f0_max_hz = \d+ and patch = '", text
    )
    assert "static fits to 3 frames err by" in text
    assert "1 recording with several notes at once: chord.wav: play one note at a time" in text
    assert "clipped samples: kazoo_E5_hot.wav: lower the gain by 6 dB" in text
    assert "Less than 1 s each of" in text and "A#4 to C5" in text
    assert "make several recordings" not in text  # there are five already
    assert "next: python -m pipeline.new_instrument NAME --audio" in text
    assert "silent.wav" in printed.err and "notes.wav" in printed.err
    lines = printed.out.splitlines()
    assert 20 <= len(lines) <= 40 and max(map(len, lines[1:-1])) <= 100


def test_every_second_is_accounted_for(pack, inspected, capsys):
    text = " ".join(run(capsys, "--audio", pack, "--out", inspected).out.split())
    number = r"([\d.]+)"
    used, given = map(float, re.search(f"{number} of {number} s in [0-9]+ clips", text).groups())
    rest = re.search(
        f"not used: {number} s of silence and {number} s without a clear pitch", text
    ).groups()
    assert given == pytest.approx(4 * 1.5 + 1.5, abs=0.05)
    assert used + sum(map(float, rest)) == pytest.approx(given, abs=0.2)  # all are rounded
    parts = re.search(f"{number} s whole, {number} s of joined notes", text).groups()
    assert sum(map(float, parts)) == pytest.approx(used, abs=0.15)
    splits = re.search(f"train {number} s, valid {number} s, test {number} s", text).groups()
    assert sum(map(float, splits)) == pytest.approx(used, abs=0.2)


def test_page_escapes_names_and_loads_nothing(inspected):
    html = (inspected / "index.html").read_text()
    assert "&lt;b&gt;päck &amp; co" in html and "<b>päck" not in html and "_<i>" not in html
    assert not re.search(r"(https?:)?//\w+\.\w+", html.replace("data:,", ""))
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert "<dt>Used</dt>" in html and "with validation and test" in html
    assert "<small>1 recording</small>" in html and "1 recordings" not in html
    for words in ("What to do better", "Seconds per note", "Tuning per note", "silent.wav"):
        assert words in html


def test_figures_name_the_doubts_of_every_recording(inspected):
    figures = json.loads((inspected / "inspection.json").read_text())
    assert figures["tuning_cents"] == pytest.approx(20, abs=1)
    assert figures["noise_floor_db"] == pytest.approx(-60, abs=1)
    doubts = {name.rpartition("/")[2]: texts for name, texts in figures["doubts"].items()}
    assert set(doubts) == {"chord.wav", "kazoo_E5_hot.wav"}
    assert {name.rpartition("/")[2] for name in figures["passed_over"]} == {
        "silent.wav",
        "notes.wav",
    }


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_the_screen(inspected, tmp_path, width):
    browser = Browser(tmp_path)
    try:
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.call("Emulation.setDeviceMetricsOverride", **metrics)
        browser.open(inspected / "index.html")
        assert browser.run("document.documentElement.scrollWidth") <= width
        shadows = "getComputedStyle(document.querySelector('.scroll')).backgroundAttachment"
        assert browser.run(shadows) == "local, local, scroll, scroll"
        assert browser.run("document.querySelectorAll('.bars svg').length") >= 5
        assert browser.errors == [] and len(browser.requests) == 1
    finally:
        browser.close()


def test_instrument_sets_the_range_and_keeps_the_analysis_for_the_data_stage(tmp_path, capsys):
    write_tone(tmp_path / "low.wav", 196.0, 2.0)
    words = ["--instrument", "flute", "--runs", tmp_path / "runs", "--out", tmp_path / "page"]
    text = " ".join(run(capsys, "--audio", tmp_path / "low.wav", *words).out.split())
    assert "230 to 2300 Hz, of data/instruments/flute.toml" in text
    assert "lie below 230 Hz" in text and "f0_min_hz" in text
    assert "next: python -m pipeline.run --instrument flute --audio" in text
    assert len(list((tmp_path / "runs" / "flute" / "features").glob("*.npz"))) == 1


def test_recordings_without_a_pitch_are_described_and_not_refused(tmp_path, capsys):
    hiss = 0.1 * np.random.default_rng(0).normal(size=SAMPLE_RATE)
    sf.write(tmp_path / "hiss.wav", hiss, SAMPLE_RATE)
    text = run(capsys, "--audio", tmp_path / "hiss.wav", "--out", tmp_path / "page").out
    text = " ".join(text.split())
    assert "notes none with a clear pitch" in text and "more noise than pitch: hiss.wav" in text
    assert "0 of 1 s in 0 clips" in text
    assert "none" in (tmp_path / "page" / "index.html").read_text()


def test_tone_beyond_the_tracker_is_not_used_an_octave_too_low(tmp_path, capsys):
    time = np.arange(3 * SAMPLE_RATE) / (2 * SAMPLE_RATE)
    high = 0.3 * np.sin(2 * np.pi * 5000 * time) + 0.1 * np.sin(2 * np.pi * 10_000 * time)
    sf.write(tmp_path / "high.wav", high, 2 * SAMPLE_RATE)
    text = run(capsys, "--audio", tmp_path / "high.wav", "--out", tmp_path / "page").out
    text = " ".join(text.split())
    assert "of 1.5 s in 0 clips" in text and "f0_min_hz" not in text
    assert "leave out high.wav, because 47 to 4000 Hz are all" in text and "set f0" not in text


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_chord_without_a_steady_note_has_an_empty_histogram(tmp_path, capsys):
    chord = sum(make_curve_tone(f0_hz, 1.5, level=0.3) for f0_hz in (261.6, 329.6, 392.0))
    sf.write(tmp_path / "chord.wav", chord / 3, SAMPLE_RATE)
    text = run(capsys, "--audio", tmp_path / "chord.wav", "--out", tmp_path / "page").out
    assert "several notes at once" in " ".join(text.split())


def test_two_folders_are_two_sources_with_a_gain_each(tmp_path, capsys):
    for name, gain in (("near", 1.0), ("far", 0.2)):
        (tmp_path / name).mkdir()
        write_tone(tmp_path / name / "a.wav", 440.0, 2.0, gain)
    folders = ["--audio", tmp_path / "near", "--audio", tmp_path / "far"]
    text = " ".join(run(capsys, *folders, "--out", tmp_path / "page").out.split())
    found = re.search(r"loud notes to -16 dB: near: gain (\S+) dB; far: gain (\S+) dB", text)
    near_db, far_db = map(float, found.groups())
    assert far_db - near_db == pytest.approx(14, abs=0.2)
    figures = json.loads((tmp_path / "page" / "inspection.json").read_text())
    assert figures["gain_db"] == {"near": near_db, "far": far_db}


def test_names_that_disagree_with_the_pitches_are_listed(tmp_path, capsys):
    folder, out = tmp_path / "pack", tmp_path / "page"
    folder.mkdir()
    for name, f0_hz in (("C5", 523.25), ("D5", 587.33), ("E5", 659.26), ("F6", 698.46)):
        write_tone(folder / f"{name}.wav", f0_hz, 0.6)
    write_tone(folder / "B5.wav", 740.0, 0.6)
    text = " ".join(run(capsys, "--audio", folder, "--out", out).out.split())
    assert (
        "names 3 of 5 files sound as named; 1 an octave or more away: F6.wav (found F5, 698 Hz, "
        "not F6, 1397 Hz); 1 at another pitch, as phrases are: B5.wav (found F#5, 740 Hz, not B5, "
        "988 Hz)"
    ) in text
    figures = json.loads((out / "inspection.json").read_text())["notes_in_names"]["pack"]
    assert figures["agreeing"] == 3 and set(figures["octave_errors"]) == {"pack/F6.wav"}
    assert figures["others"]["pack/B5.wav"]["named_hz"] == pytest.approx(987.8, abs=0.1)
    page = (out / "index.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    row = "<td>pack/F6.wav</td><td>F6, 1397 Hz</td><td>F5, 698 Hz</td>"
    assert row in re.sub(r"<(td|th)[^>]*>", "<td>", page).replace("</th>", "</td>")


@pytest.mark.parametrize("case", ["missing", "empty", "unusable", "within", "file", "unknown"])
def test_bad_input_is_named_in_one_line(tmp_path, capsys, case):
    folder, out, more = tmp_path / "in", tmp_path / "out", []
    if case != "missing":
        folder.mkdir()
    if case in ("within", "file", "unknown"):
        write_tone(folder / "a.wav", 440.0)
    if case == "unusable":
        (folder / "a.wav").write_text("no sound")
    elif case == "within":
        out = folder / "page"
    elif case == "file":
        out.write_text("kept")
    elif case == "unknown":
        more = ["--instrument", "kazooo"]
    line = refuse(capsys, "--audio", folder, "--out", out, *more)
    expected = {
        "missing": "does not exist",
        "empty": "no audio",
        "unusable": "a.wav",
        "within": "give --out another folder",
        "file": str(out),
        "unknown": "unknown instrument 'kazooo'",
    }
    assert expected[case] in line
    assert not (out / "index.html").exists()
    if case == "file":
        assert out.read_text() == "kept"


def test_a_single_recording_leaves_nothing_to_hold_out(tmp_path, capsys):
    write_tone(tmp_path / "long.wav", 440.0, 4.0)
    text = " ".join(run(capsys, "--audio", tmp_path, "--out", tmp_path.parent / "page").out.split())
    assert "Only 0 s remain for the validation or the test" in text
    assert "make several recordings of a minute or less instead of one long one" in text
