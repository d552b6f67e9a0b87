"""The command that exports a library: what it writes and says, and what it refuses."""

import json
import re
import shutil

import pytest
from support.exports import N_VOICES, RUN_DIRS
from support.refusals import refusal

from pipeline import export
from pipeline.core.paths import MODEL_DIR
from pipeline.library.ecosystems import ECOSYSTEMS
from pipeline.library.tree import library_sources, library_tree

FLUTE = MODEL_DIR / "flute" / "tiny"


@pytest.fixture(scope="module")
def trees(sources):
    """The library of the tiny flute and the tiny piano for every build system."""
    return {name: library_tree(name, sources, RUN_DIRS, n_voices=N_VOICES) for name in ECOSYSTEMS}


@pytest.mark.firmware  # asks CMake for the sources
def test_every_build_system_gets_the_same_sources(trees, sources):
    for tree in trees.values():
        assert {f"src/{name}": text for name, text in sources.items()} == {
            path: text for path, text in tree.items() if path.startswith("src/")
        }


@pytest.mark.firmware
def test_documents_name_the_models_and_no_place_is_left_open(trees):
    for name, tree in trees.items():
        assert tree["LICENSE"].lstrip().startswith("Apache License")
        assert tree["models/flute_tiny.md"].startswith("# Flute, Tiny\n")
        readme = tree["README.md"]
        assert readme.startswith("# DDX7: flute, piano\n")
        assert "| 1 | piano_tiny | [models/piano_tiny.md](models/piano_tiny.md) | 2 048 |" in readme
        for path, text in tree.items():
            assert not re.search(r"@\w+@", text), (name, path)


@pytest.mark.firmware
def test_build_files_list_every_source(trees):
    for name, path in (
        ("cmake", "CMakeLists.txt"),
        ("pico-sdk", "CMakeLists.txt"),
        ("zephyr", "zephyr/CMakeLists.txt"),
    ):
        listed = re.findall(r"(src/ddx7/\w+\.c)", trees[name][path])
        written = [path for path in trees[name] if path.endswith(".c") and "ddx7/" in path]
        assert sorted(listed) == sorted(written)
        assert len(written) > 20
    assert f"default {N_VOICES}\n" in trees["zephyr"]["zephyr/Kconfig"]
    library = json.loads(trees["platformio"]["library.json"])
    assert library["headers"] == "ddx7.h" and library["license"] == "Apache-2.0"
    for example in library["examples"]:
        for file in example["files"]:
            assert f"{example['base']}/{file}" in trees["platformio"]
    properties = trees["arduino"]["library.properties"].splitlines()
    assert {line.partition("=")[0] for line in properties} >= {
        *("name", "version", "author", "maintainer", "sentence", "paragraph"),
        *("category", "architectures", "includes"),
    }


@pytest.mark.firmware
def test_command_writes_the_tree_and_says_what_comes_next(trees, tmp_path, capsys):
    words = [word for run_dir in RUN_DIRS for word in ("--run", str(run_dir))]
    out = tmp_path / "DDX7"
    export.main(["--for", "arduino", *words, "--voices", str(N_VOICES), "--out", str(out)])
    files = {
        str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()
    }
    del files["ddx7_export.json"]
    assert files == trees["arduino"]
    said = capsys.readouterr().out.splitlines()
    assert f"{len(files)} files" in said[0] and said[0].endswith("for arduino")
    assert said[1] == (
        f"next: move {out} into the folder libraries of your sketchbook, and open an example"
    )


@pytest.mark.firmware
def test_own_model_and_16_bit_activations_can_be_exported(small_run):
    own = library_sources([small_run])
    assert '"flute_reduced_cd"' in own["ddx7/instruments.c"]
    wide = library_sources([FLUTE], fmt="int16x8")
    assert "int16 activations" in wide["ddx7/flute_tiny_model.c"]
    assert "tflite[" not in wide["ddx7/flute_tiny_model.c"]  # only the engine that is compiled


def test_unknown_build_system_is_refused(capsys):
    line = refusal(capsys, export.main, "--for", "keil", "--run", FLUTE, "--out", "x")
    assert "'keil'" in line and all(name in line for name in ECOSYSTEMS)


@pytest.mark.parametrize("voices", ["0", "129", "x"])
def test_number_of_voices_out_of_range_is_refused(capsys, voices):
    words = ("--for", "cmake", "--run", FLUTE, "--out", "x", "--voices", voices)
    assert "1 to 128" in refusal(capsys, export.main, *words)


def test_model_and_folder_are_required(capsys):
    assert "--run" in refusal(capsys, export.main, "--for", "cmake", "--out", "x")
    assert "--out" in refusal(capsys, export.main, "--for", "cmake", "--run", FLUTE)
    assert "--for" in refusal(capsys, export.main, "--run", FLUTE, "--out", "x")


def test_run_folder_that_is_not_quantized_is_refused(capsys, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(FLUTE, run, ignore=shutil.ignore_patterns("*.tflite"))
    line = refusal(capsys, export.main, "--for", "cmake", "--run", run, "--out", tmp_path / "out")
    assert "decoder_int8.tflite" in line and "python -m pipeline." in line
    assert not (tmp_path / "out").exists()


def test_two_models_of_one_name_are_refused(capsys, tmp_path):
    shutil.copytree(FLUTE, tmp_path / "other")
    words = ("--run", FLUTE, "--run", tmp_path / "other", "--out", tmp_path / "out")
    line = refusal(capsys, export.main, "--for", "zephyr", *words)
    assert "'flute_tiny'" in line and "names two presets" in line
    assert not (tmp_path / "out").exists()


def test_folder_with_something_else_is_refused_before_any_work(capsys, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine\n")
    words = ("--for", "cmake", "--run", "missing", "--out", tmp_path)
    assert "holds no export" in refusal(capsys, export.main, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
