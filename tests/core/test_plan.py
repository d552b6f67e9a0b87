"""The plan of a whole run follows the profile and the request."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.instrument_config import TcnConfig, TrainConfig, load_instrument
from pipeline.core.plan import InstrumentFiles, plan_stages, training_seconds
from pipeline.core.profiles import known_profiles, load_profile
from pipeline.core.request import Request, keep_request

AUDIO = [Path("recordings")]
FLUTE = load_instrument("flute")


def plan(tmp_path, name="quick", **options):
    profile = load_profile(name)
    request = Request(
        profile, **{"variants": profile.variants, "instrument": FLUTE, "audio": AUDIO} | options
    )
    return plan_stages(InstrumentFiles("flute", tmp_path), request)


def stage_of(stages, module):
    return next(stage for stage in stages if stage.module == module)


@pytest.mark.parametrize("name", known_profiles())
@pytest.mark.parametrize("audio", [[], AUDIO])
def test_stages_follow_the_profile(tmp_path, name, audio):
    profile = load_profile(name)
    stages = plan(tmp_path, name, audio=audio)
    modules = [stage.module for stage in stages]
    assert modules.count("expression") == (profile.expression or not audio)
    assert modules.count("train") + modules.count("distill") == len(profile.variants)
    assert modules.count("quantize") == (3 if profile.quantize_all else 1)
    assert modules[-3:] == ["firmware", "evaluate", "page"]
    for number, stage in enumerate(stages):
        assert stage.module != "codegen" or tmp_path / "expression.toml" in stage.needs
        earlier = {before.makes for before in stages[:number]}
        assert not number or earlier & {*stage.needs}  # every stage waits for another
    assert ("--rendered" in stages[-1].arguments) == (not audio)


def test_data_stage_receives_sources_and_options(tmp_path):
    options = ["--corpus", "--hold-out", "two"]
    audio = [Path("one"), Path("two")]
    stages = plan(tmp_path, audio=audio, data_options=options)
    assert " ".join(stages[0].arguments).endswith("--corpus --hold-out two --audio one two")
    assert "--rendered" not in stages[-1].arguments
    assert stage_of(stages, "expression")  # with the corpus rendered, learning takes seconds


def test_instrument_without_a_corpus_learns_no_expression(tmp_path):
    modules = [
        stage.module for stage in plan(tmp_path, "shipped", instrument=replace(FLUTE, corpus=None))
    ]
    assert "expression" not in modules


def test_firmware_plays_the_last_variant(tmp_path):
    stages = plan(tmp_path, variants=["full", "reduced"])
    assert str(tmp_path / "reduced" / "c_int8") in stage_of(stages, "firmware").arguments
    quantize, evaluate = stage_of(stages, "quantize"), stage_of(stages, "evaluate")
    assert quantize.arguments[:2] == ["--run", str(tmp_path / "reduced")]
    assert "--variants full reduced --mcu reduced" in " ".join(evaluate.arguments)


def test_training_receives_profile_and_changes(tmp_path):
    stages = plan(tmp_path, changes={"batch_size": 3, "steps": 9})
    for stage in stages:
        trains = stage.module in ("train", "distill")
        line = " ".join(stage.arguments)
        words = "--profile quick --batch-size=3 --steps=9 --restart-if-changed"
        assert trains == line.endswith(words)


def test_student_that_starts_from_the_reduced_model_waits_for_it(tmp_path):
    for name, waits in (("quick", False), ("shipped", True)):
        distill = stage_of(plan(tmp_path, name), "distill")
        assert (tmp_path / "reduced" / "metrics.json" in distill.needs) == waits
        assert tmp_path / "full" / "metrics.json" in distill.needs


def test_tiny_model_is_distilled_from_the_last_of_the_others(tmp_path):
    for variants, teacher in (
        (["reduced", "tiny"], "reduced"),
        (["full", "reduced_cd", "tiny"], "reduced_cd"),
        (["full", "tiny"], "full"),
    ):
        stages = plan(tmp_path, variants=variants)
        tiny = next(stage for stage in stages if stage.makes == tmp_path / "tiny/metrics.json")
        line = " ".join(tiny.arguments)
        assert tiny.module == "distill" and "--method control" in line and "--variant tiny" in line
        assert f"--teacher {tmp_path / teacher} " in line
        assert tmp_path / teacher / "metrics.json" in tiny.needs
        assert tiny.seconds < 120, "the estimate does not count audio"
        assert str(tmp_path / "tiny" / "c_int8") in stage_of(stages, "firmware").arguments


def run_outdated(tmp_path, request):
    """Pretends to run the stages that are not up to date; returns their commands and folders."""
    for path in tmp_path.rglob("*"):
        os.utime(path, (0, 0))
    files = InstrumentFiles("flute", tmp_path)
    keep_request(request, files.request)
    commands = []
    for seconds, stage in enumerate(plan_stages(files, request), 1):
        if not stage.is_done:
            commands.append(f"{stage.module} {stage.makes.relative_to(tmp_path).parts[0]}")
            stage.makes.parent.mkdir(parents=True, exist_ok=True)
            for path in (*stage.products, stage.makes):
                path.touch()
                os.utime(path, (0, time.time() + seconds))
    return list(dict.fromkeys(commands))


ALL = ["full", "reduced", "reduced_cd"]
TRAINED = ["train full", "train reduced", "distill reduced_cd"]
QUANTIZED = ["quantize reduced_cd", "codegen reduced_cd"]
LAST = ["firmware firmware", "evaluate page", "page page"]


@pytest.mark.parametrize(
    ("changes", "repeated"),
    [
        ({}, []),
        ({"audio": [Path("elsewhere")]}, []),  # the same recordings
        ({"variants": ["full", "reduced"]}, ["quantize reduced", "codegen reduced", *LAST]),
        (
            {"variants": [*ALL, "tiny"]},
            ["distill tiny", "quantize tiny", "codegen tiny", *LAST],
        ),
        (
            {"changes": {"steps": 9}},
            [*TRAINED, *QUANTIZED, *LAST],
        ),
        ({"qat_epochs": 7}, [*QUANTIZED, *LAST]),
        ({"takes": 3}, LAST[1:]),
        ({"instrument": replace(FLUTE, patch="violin")}, [*TRAINED, *QUANTIZED, *LAST]),
        (
            {"instrument": replace(FLUTE, reduced=TcnConfig(n_blocks=2, hidden_channels=8))},
            [*TRAINED[1:], *QUANTIZED, *LAST],
        ),
        (
            {"instrument": replace(FLUTE, corpus=replace(FLUTE.corpus, highest_note=72))},
            ["data dataset.npz", "expression expression.toml", *TRAINED, *QUANTIZED, *LAST],
        ),
        (
            {"instrument": replace(FLUTE, data=replace(FLUTE.data, f0_min_hz=300.0))},
            ["data dataset.npz", "expression expression.toml", *TRAINED, *QUANTIZED, *LAST],
        ),
        (
            {"data_options": ["--hold-out", "two"]},
            ["data dataset.npz", "expression expression.toml", *TRAINED, *QUANTIZED, *LAST],
        ),
    ],
)
def test_changed_option_outdates_only_what_depends_on_it(tmp_path, changes, repeated):
    profile = replace(load_profile("quick"), expression=True)
    own = {name: changes[name] for name in ("qat_epochs", "takes") if name in changes}
    others = {name: value for name, value in changes.items() if name not in own}
    first = Request(profile, ALL, FLUTE, audio=AUDIO)
    assert len(run_outdated(tmp_path, first)) == 10
    assert run_outdated(tmp_path, first) == []
    second = replace(first, profile=replace(profile, **own), **others)
    assert run_outdated(tmp_path, second) == repeated


def run_recorded(folder, request, *, interrupted=None):
    """Runs the stages that are not up to date; each writes what its inputs and options determine.

    Args:
        folder: The instrument's folder.
        request: What is asked for.
        interrupted: The module of the stage that is interrupted.

    Returns:
        The modules of the stages that began.
    """
    files = InstrumentFiles("flute", folder)
    keep_request(request, files.request)
    began = []
    for stage in plan_stages(files, request):
        if stage.is_done:
            continue
        began.append(stage.module)
        inputs = stage.begin()
        if stage.module == interrupted:
            break
        stage.makes.parent.mkdir(parents=True, exist_ok=True)
        # The table of presets is the same for other weights.
        constant = stage.makes.name == "instruments.c"
        for path in (*stage.products, stage.makes):
            path.write_text("presets" if constant else f"{inputs}")
        stage.mark_done(inputs)
    return began


def test_first_command_repeats_nothing_after_another_that_failed_early(tmp_path):
    first = Request(load_profile("quick"), ALL, FLUTE, audio=AUDIO)
    assert len(run_recorded(tmp_path, first)) == 10
    second = replace(first, recordings=[Path("elsewhere.wav")], changes={"steps": 9})
    keep_request(second, InstrumentFiles("flute", tmp_path).request)
    assert run_recorded(tmp_path, first) == []
    assert run_recorded(tmp_path, second, interrupted="data") == ["data"]
    assert run_recorded(tmp_path, first) == ["data"]
    assert run_recorded(tmp_path, second, interrupted="train") == ["data", "train"]
    # The data set and the first model are made again, and equal; nothing that follows is.
    assert run_recorded(tmp_path, first) == ["data", "train"]


def test_changed_limits_of_pitch_reach_the_quantization_of_an_equal_data_set(tmp_path):
    first = Request(load_profile("quick"), ALL, FLUTE, audio=AUDIO)
    changed = replace(FLUTE, data=replace(FLUTE.data, f0_max_hz=2360.0))
    second, folder = replace(first, instrument=changed), InstrumentFiles("flute", tmp_path)
    run_recorded(tmp_path, first)
    keep_request(second, folder.request)
    outdated = {stage.module for stage in plan_stages(folder, second) if not stage.is_done}
    assert {"data", "quantize", "evaluate"} <= outdated and "train" not in outdated


def test_changed_range_of_music_reaches_the_expression_of_an_equal_data_set(tmp_path):
    profile = replace(load_profile("quick"), expression=True)
    first = Request(profile, ALL, FLUTE, audio=AUDIO)
    second = replace(
        first, instrument=replace(FLUTE, corpus=replace(FLUTE.corpus, highest_note=72))
    )
    folder = InstrumentFiles("flute", tmp_path)
    run_recorded(tmp_path, first)
    keep_request(second, folder.request)
    outdated = {stage.module for stage in plan_stages(folder, second) if not stage.is_done}
    assert {"data", "expression"} <= outdated and "train" not in outdated


def test_lost_decoder_is_quantized_again(tmp_path):
    first = Request(load_profile("quick"), ALL, FLUTE, audio=AUDIO)
    run_recorded(tmp_path, first)
    (tmp_path / "reduced_cd" / "decoder_int8.tflite").unlink()
    assert run_recorded(tmp_path, first) == ["quantize"]  # which makes an equal one


def test_interrupted_stage_is_repeated_though_its_earlier_result_is_there(tmp_path):
    first = Request(load_profile("quick"), ALL, FLUTE, audio=AUDIO)
    run_recorded(tmp_path, first)
    second = replace(first, profile=replace(first.profile, qat_epochs=7))
    assert run_recorded(tmp_path, second, interrupted="quantize") == ["quantize"]
    assert run_recorded(tmp_path, first) == ["quantize"]  # it may have left half of its files


def test_other_weights_reach_the_firmware_through_an_equal_table_of_presets(tmp_path):
    first = Request(load_profile("quick"), ALL, FLUTE, audio=AUDIO)
    run_recorded(tmp_path, first)
    began = run_recorded(tmp_path, replace(first, changes={"steps": 9}))
    assert began[-5:] == ["codegen", "codegen", "firmware", "evaluate", "page"]


def test_planned_seconds_grow_with_the_sound_that_is_trained_on(tmp_path):
    config = TrainConfig(steps=1000, batch_size=8, crop_frames=250)
    start = training_seconds(replace(config, steps=1)) - training_seconds(config) / 1000
    doubled = training_seconds(replace(config, batch_size=16)) - start
    assert doubled == pytest.approx(2 * (training_seconds(config) - start), rel=0.01)
    short, long = (stage_of(plan(tmp_path, minutes=m), "data").seconds for m in (1, 10))
    assert long > short
