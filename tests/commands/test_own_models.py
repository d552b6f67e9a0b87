"""Every command that plays finds one's own model first, and says which model it uses."""

import re
import shutil

import mido
import pytest
import soundfile as sf
from support.small_run import make_run
from support.sounds import make_tone

from pipeline import bench, codegen, evaluate, flash, page, render, transfer
from pipeline.core import paths
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.evaluation import bench_cores
from pipeline.target import firmware

OWN = "bass_clarinet"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Folders of instruments, runs and pretrained models: an own instrument and the flute."""
    base = tmp_path_factory.mktemp("own")
    (base / "instruments").mkdir()
    shutil.copy(paths.INSTRUMENT_DIR / "flute.toml", base / "instruments")
    text = (paths.INSTRUMENT_DIR / "flute.toml").read_text().partition("[corpus]")[0]
    (base / "instruments" / f"{OWN}.toml").write_text(text)
    make_run(base / "runs" / OWN / "reduced_cd", instrument=OWN, patch="flute")
    make_run(base / "models/flute/reduced_cd")
    track = mido.MidiTrack([mido.Message("note_on", note=72), mido.Message("note_off", time=200)])
    mido.MidiFile(tracks=[track]).save(base / "tune.mid")
    sf.write(base / "tone.wav", make_tone(0.5, 523.25), SAMPLE_RATE)
    return base


@pytest.fixture
def own(template, replace, build_dir, monkeypatch, tmp_path):
    """The template in place of the repository's folders; the current folder is empty."""
    for name, path in (
        ("instruments", paths.INSTRUMENT_DIR),
        ("runs", paths.RUN_DIR),
        ("models", paths.MODEL_DIR),
    ):
        replace(path, template / name)
    monkeypatch.chdir(tmp_path)
    return template


def test_c_of_several_instruments_is_generated_by_name(own, capsys, tmp_path):
    words = ["--instrument", OWN, "--instrument", "flute", "--out", str(tmp_path / "c")]
    codegen.main(words)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"program 0: {own}/runs/{OWN}/reduced_cd (trained here)",
        f"program 1: {own}/models/flute/reduced_cd (pretrained)",
    ]
    table = (tmp_path / "c" / "instruments.c").read_text()
    assert re.findall(r'\{"(\w+)"', table) == [f"{OWN}_reduced_cd", "flute_reduced_cd"]
    for options in (["--pretrained"], ["--runs", str(tmp_path), "--variant", "full"]):
        with pytest.raises(UserError, match=rf"(pretrained|trained) (model of|full) {OWN}"):
            codegen.main([*words, *options])


class StoppedError(Exception):
    """Ends a command when it would begin to build."""


@pytest.fixture
def stop(replace):
    """Replaces a function that builds by one that ends the command."""

    def stopping(function):
        def stopped(*_, **__):
            raise StoppedError

        replace(function, stopped)

    return stopping


@pytest.mark.firmware
def test_own_model_plays_midi(own, capsys, tmp_path):
    out = tmp_path / "out.wav"
    render.main(["--midi", str(own / "tune.mid"), "--instrument", OWN, "--out", str(out)])
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"model: {own}/runs/{OWN}/reduced_cd (trained here)"
    assert any(f"s of {OWN} by the firmware on host, 1 voice," in line for line in others)
    assert sf.read(out)[0].any()


def test_own_model_plays_from_another_sound(own, stop, capsys, tmp_path):
    stop(transfer.measure_input)
    words = ["--audio", str(own / "tone.wav"), "--out", str(tmp_path / "out.wav")]
    run_dir = own / "runs" / OWN / "reduced_cd"
    for options, reason in (
        (["--instrument", OWN], "trained here"),
        (["--run", str(run_dir)], "given by --run"),
    ):
        with pytest.raises(StoppedError):
            transfer.main([*words, *options])
        assert f"model: {run_dir} ({reason})" in capsys.readouterr().out.splitlines()


def test_own_flute_replaces_the_pretrained_one_unless_that_is_asked_for(own, stop, capsys):
    stop(firmware.build)
    make_run(own / "runs/flute/reduced")
    try:
        for options, place in (
            ([], "runs/flute/reduced (trained here)"),
            (["--pretrained"], "models/flute/reduced_cd (pretrained)"),
        ):
            with pytest.raises(StoppedError):
                flash.main(["--board", "pico", "--dry-run", *options])
            assert capsys.readouterr().out.splitlines()[0] == f"model: {own}/{place}"
    finally:
        shutil.rmtree(own / "runs/flute")


def test_benchmark_measures_the_model_of_an_instrument(own, replace, capsys):
    measured = []
    replace(bench_cores.bench_models, lambda runs, **_: measured.extend(runs) or ([], ["nothing"]))
    with pytest.raises(UserError, match="nothing"):
        bench.main(["--instrument", OWN])
    assert measured == [own / "runs" / OWN / "reduced_cd"]
    assert "reduced_cd (trained here)" in capsys.readouterr().out


@pytest.mark.firmware
def test_own_model_is_evaluated_and_shown(own, capsys, tmp_path):
    (tmp_path / "audio" / OWN).mkdir(parents=True)
    shutil.copy(own / "tone.wav", tmp_path / "audio" / OWN)
    systems = ["--variants", "reduced_cd", "--mcu", "--board", "host"]
    audio = ["--audio", str(tmp_path / "audio" / OWN), "--out", str(tmp_path / "figures")]
    evaluate.main(["--instrument", OWN, *audio, *systems])
    output = capsys.readouterr().out
    assert f"models: {own}/runs" in output
    assert output.splitlines()[-1] == f"next: python -m pipeline.bench --instrument {OWN}"
    folder = tmp_path / "page"
    page.main(["--audio", str(tmp_path / "audio"), "--out", str(folder), *systems])
    text = (folder / "index.html").read_text()
    assert '<th scope="row">Bass clarinet' in text and '<th scope="row">Flute' in text
    assert f"The models of bass clarinet are those in {own}/runs." in text


def test_page_leaves_out_an_instrument_that_nothing_can_play(own, stop, capsys, tmp_path):
    stop(page.gather)
    with pytest.raises(StoppedError):
        page.main(["--out", str(tmp_path / "page")])
    assert f"left out: {OWN}: its file has no [corpus]" in capsys.readouterr().out


def test_page_of_an_instrument_that_nothing_can_play_says_what_to_add(own, tmp_path):
    with pytest.raises(UserError, match=rf"{OWN}\.toml has no \[corpus\]"):
        page.main(["--instrument", OWN, "--out", str(tmp_path / "page")])
