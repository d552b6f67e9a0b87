"""The command that exports a library: what it writes and says, and what it refuses."""

import json
import re
import shutil

import pytest
from support.exports import N_VOICES, RUN_DIRS
from support.refusals import refusal

from pipeline import export
from pipeline.core.paths import MODEL_DIR, shown
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
        assert "| 1 | piano_tiny | [models/piano_tiny.md](models/piano_tiny.md) | 1 408 |" in readme
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
    *programs, size, following = capsys.readouterr().out.splitlines()
    assert programs == [f"program {n}: {shown(d)} (given by --run)" for n, d in enumerate(RUN_DIRS)]
    assert f"{len(files)} files" in size and size.endswith("for arduino")
    assert following == (
        f"next: move {out} into the folder libraries of your sketchbook, and open an example"
    )


@pytest.mark.firmware
def test_loadable_model_is_a_file_and_brings_its_patch(tmp_path):
    reduced = MODEL_DIR / "trumpet" / "reduced_cd"
    out = tmp_path / "DDX7"
    export.main(["--for", "cmake", "--run", str(FLUTE), "--load", str(reduced), "--out", str(out)])
    models = {path.name: path for path in (out / "models").iterdir()}
    assert set(models) == {
        *("flute_tiny.md", "trumpet_reduced_cd.md"),
        *("trumpet_reduced_cd.dsp.ddx7", "trumpet_reduced_cd.armv6m.ddx7"),
    }
    sources = out / "src" / "ddx7"
    assert "&ddx7_pair_and_fan_patch," in (sources / "instruments.c").read_text()
    assert (sources / "pair_and_fan_patch.c").is_file()
    assert not (sources / "trumpet_reduced_cd_model.c").exists()
    assert "DDX7_DECODER_RING_VALUES 1668\n" in (sources / "decoder_config.h").read_text()
    assert "files of trumpet_reduced_cd are in `models/`" in (out / "README.md").read_text()


def test_files_alone_can_be_exported_without_any_tool(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "models"
    words = [word for run_dir in RUN_DIRS for word in ("--run", str(run_dir))]
    export.main(["--for", "ddx7", *words, "--format", "int16x8", "--out", str(out)])
    names = {
        f"{name}_tiny{suffix}"
        for name in ("flute", "piano")
        for suffix in (".dsp.ddx7", ".armv6m.ddx7", ".md")
    }
    assert {path.name for path in out.iterdir()} == names | {"ddx7_export.json"}
    content = (out / "piano_tiny.dsp.ddx7").read_bytes()
    assert content[:4] == b"DDX7" and content[6:8] == bytes([16, 1])
    assert len(content) == int.from_bytes(content[8:12], "little")
    *programs, size, following = capsys.readouterr().out.splitlines()
    n_bytes = sum(path.stat().st_size for path in out.glob("*_tiny*"))
    assert f"6 files, {n_bytes / 1000:.0f} kB, for ddx7" in size
    assert len(programs) == 2 and "ddx7_load()" in following and "*.armv6m.ddx7" in following


@pytest.mark.parametrize("option", [("--voices", "2"), ("--load", FLUTE)])
def test_options_of_libraries_are_refused_for_files_alone(capsys, tmp_path, option):
    out = tmp_path / "out"
    line = refusal(capsys, export.main, "--for", "ddx7", "--run", FLUTE, "--out", out, *option)
    assert option[0] in line and "ddx7" in line
    assert not out.exists()


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


@pytest.mark.parametrize("target", ["zephyr", "ddx7"])
def test_two_models_of_one_name_are_refused(capsys, tmp_path, target):
    shutil.copytree(FLUTE, tmp_path / "other")
    words = ("--run", FLUTE, "--run", tmp_path / "other", "--out", tmp_path / "out")
    line = refusal(capsys, export.main, "--for", target, *words)
    assert "two models are 'flute_tiny'" in line
    assert not (tmp_path / "out").exists()


def test_folder_with_something_else_is_refused_before_any_work(capsys, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine\n")
    words = ("--for", "cmake", "--run", "missing", "--out", tmp_path)
    assert "holds no export" in refusal(capsys, export.main, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
