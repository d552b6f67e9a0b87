"""Damaged files of models, and those made for something else, are refused for the right reason."""

import dataclasses
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest
from support import fuzzing
from support.exports import RUN_DIRS, STRICT, compile_library, run
from support.model_files import ModelFile

from pipeline.core.errors import UserError
from pipeline.core.patch import Patch
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import MODEL_DIR
from pipeline.emit.model_file import model_bytes, sealed
from pipeline.emit.presets import Preset, load_preset
from pipeline.emit.weight_packing import LAYOUTS, Layout
from pipeline.model.expression import extreme
from pipeline.reference.expression import LONGEST

pytestmark = pytest.mark.firmware

PROGRAM = Path(__file__).with_name("load_files.c")
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ORDER: Layout = "armv6m"  # of this machine


class Result(IntEnum):
    """``ddx7_load_t``."""

    LOADED = 0
    UNALIGNED = 1
    TRUNCATED = 2
    NOT_A_MODEL = 3
    OTHER_VERSION = 4
    DAMAGED = 5
    OTHER_CORE = 6
    UNKNOWN_PATCH = 7
    TOO_LARGE = 8
    INVALID_VALUES = 9


Load = Callable[..., list[Result]]


@pytest.fixture(scope="module")
def program(exported_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program ``load_files`` with a library of the tiny flute and the tiny piano."""
    out = tmp_path_factory.mktemp("load_files")
    objects = compile_library(exported_sources, out / "objects", *SANITIZED)
    options = [*STRICT, *SANITIZED, "-I", exported_sources]
    run(["gcc", *options, PROGRAM, *objects, "-o", out / "load_files"])
    return out / "load_files"


@pytest.fixture
def load(program: Path, tmp_path: Path) -> Load:
    """Loads files; returns the result of each."""

    def load(*contents: bytes) -> list[Result]:
        paths = [tmp_path / f"{number}.ddx7" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return [Result(int(line)) for line in str(run([program, *paths])).split()]

    return load


@pytest.fixture(scope="module", params=["int8", "int16x8"])
def preset(request: pytest.FixtureRequest) -> Preset:
    """The tiny flute in both formats; the library has state for both."""
    return load_preset(RUN_DIRS[0], fmt=request.param)


def test_header_names_every_result_in_this_order(exported_sources):
    text = (exported_sources / "ddx7" / "ddx7_model.h").read_text()
    places = [text.index(f"    DDX7_{result.name},") for result in Result]
    assert places == sorted(places)


def test_every_damage_is_refused_without_access_beyond_the_file(program, preset, tmp_path):
    path = tmp_path / "model.ddx7"
    path.write_bytes(model_bytes(preset, ORDER))
    assert str(run([program, "--damage", path])).split() == ["0"]


def test_copy_of_an_instrument_is_refused_after_a_failed_load(program, preset, tmp_path):
    path = tmp_path / "model.ddx7"
    path.write_bytes(model_bytes(preset, ORDER))
    words = str(run([program, "--again", path])).split()
    assert list(map(int, words)) == [Result.LOADED, True, Result.NOT_A_MODEL, False]


def test_flattest_release_ends(program, preset, tmp_path):
    path = tmp_path / "model.ddx7"
    path.write_bytes(model_bytes(dataclasses.replace(preset, expression=extreme(1)), ORDER))
    result, n_blocks = map(int, str(run([program, "--end", path])).split())
    assert result == Result.LOADED
    assert 8000 < n_blocks <= LONGEST


def test_more_bytes_may_follow_a_file(load, preset):
    content = model_bytes(preset, ORDER)
    assert load(content + b"\xff" * 100, content) == [Result.LOADED] * 2


def test_file_for_other_cores_is_refused(load, preset):
    assert load(model_bytes(preset, "dsp")) == [Result.OTHER_CORE]


def test_patch_is_found_by_its_sound_and_not_by_its_name(load, preset):
    same = dataclasses.replace(preset.patch, name="x")
    other = load_patch("violin")
    files = [
        model_bytes(dataclasses.replace(preset, patch=patch), ORDER) for patch in (same, other)
    ]
    assert load(*files) == [Result.LOADED, Result.UNKNOWN_PATCH]


def test_id_of_a_patch_depends_on_all_that_sounds():
    flute = load_patch("flute")
    assert flute.id == 0x406FB5C4  # a new value would make the files of the flute unknown
    changes = (
        {"routing": "6>5>4>3>2>1"},
        {"ratios": (flute.ratios[0] * 2, *flute.ratios[1:])},
        {"detune_cents": (0.0, 0.0, 0.0, 0.0, 0.0, 1e-6)},
    )
    stretched = load_patch("stretched_piano")
    other = dataclasses.replace(stretched, inharmonicity=((20.0, 1e-4), (100.0, 1e-3)))
    patches: list[Patch] = [flute, *(dataclasses.replace(flute, **change) for change in changes)]
    patches += [stretched, other]
    assert len({patch.id for patch in patches}) == len(patches)


def test_larger_models_than_the_library_has_state_for_are_refused(load):
    reduced = load_preset(MODEL_DIR / "flute" / "reduced_cd")
    assert load(model_bytes(reduced, ORDER)) == [Result.TOO_LARGE]


@pytest.mark.parametrize("end", [0, 1])
def test_extreme_expressions_are_allowed(load, preset, end):
    assert load(model_bytes(dataclasses.replace(preset, expression=extreme(end)), ORDER)) == [
        Result.LOADED
    ]


def test_longest_names_are_allowed(load, preset):
    patch = dataclasses.replace(preset.patch, name="p" * 40)
    assert load(model_bytes(dataclasses.replace(preset, name="n" * 47, patch=patch), ORDER)) == [
        Result.LOADED
    ]


def test_longer_names_are_refused(preset):
    with pytest.raises(UserError, match="longer than 47 characters"):
        model_bytes(dataclasses.replace(preset, name="n" * 48), ORDER)


WRONG_HEADERS: dict[str, list[object]] = {
    "bits": [0, 7, 9, 32],
    "name": [b"", b"n" * 48, b"a\n", b"a\x80"],
    "patch_name": [b"", b"n" * 32, b"a\x7f"],
    "n_channels": [0, 1, 513, 65535],
    "n_blocks": [0, 1, 9, 255],
    "n_taps": [0, 2, 5, 255],
    "logit_zero_point": [-129, 128],
    "logit_scale": [0, -1, np.nan, np.inf],
    "n_curves": [0, 1, 5, 7, 13, 255],
    "lowest_note": [121],
    "slur": [1, -24577],
    "slur_frames": [251],
    "vibrato_delay": [251],
    "vibrato_growth_q16": [0, 25],
    "vibrato_depth": [64882],
    "vibrato_rate": [343597385, 2**32 - 1],
    "pitch_drift": [14083],
    "loudness_drift": [28164],
    "loudest_db": [1, -96 * 65536 - 1],
}
WRONG_SCALINGS = [
    *((i, value) for i in range(6) for value in (np.nan, np.inf, -np.inf, 1e30)),
    *((0, -1), (2, -1), (4, -32769), (5, 32768)),
]
WRONG_NOISE = {0: 2**24 + 1, 1: 16385, 2: 65537, **dict.fromkeys(range(3, 9), 16385)}


def assert_values_are_refused(results: list[Result], names: list[str]) -> None:
    accepted = [name for name, result in zip(names, results, strict=True) if not result]
    assert accepted == []
    assert set(results) == {Result.INVALID_VALUES}


def test_every_field_of_the_header_is_checked(load, preset):
    content = model_bytes(preset, ORDER)
    files, names = [], []

    def add(name: str, place: tuple[int, ...], value: object) -> None:
        changed = ModelFile(content)
        changed.header[name][(0, *place)] = value
        names.append(f"{name}{place} = {value!r}")
        files.append(changed.sealed())

    for name, values in WRONG_HEADERS.items():
        for value in values:
            add(name, (3,) if name == "slur" else (), value)
    for i, value in WRONG_SCALINGS:
        add("scaling", (i,), value)
    for i, value in WRONG_NOISE.items():
        for layer in range(2):
            add("noise", (layer, i), value)
            add("noise", (layer, i), -value)
    assert_values_are_refused(load(*files), names)


def test_shapes_beyond_the_state_are_refused(load, preset):
    files = []
    for name, value in (("n_channels", 17), ("n_blocks", 3), ("n_taps", 4)):
        changed = ModelFile(model_bytes(preset, ORDER))
        changed.header[name] = value
        files.append(changed.sealed())
    assert load(*files) == [Result.TOO_LARGE] * 3


def test_sizes_must_agree(load, preset):
    content = model_bytes(preset, ORDER)

    def with_size(n_bytes: int, content: bytes) -> bytes:
        changed = content[:8] + n_bytes.to_bytes(4, "little") + content[12:]
        return sealed(changed[:n_bytes]) + changed[n_bytes:]

    longer, shorter = content + bytes(8), content[:-8]
    results = load(
        with_size(len(longer), longer),
        with_size(len(shorter), shorter),
        with_size(len(content) - 1, content),
        with_size(len(content) + 1, content),
        with_size(247, content),
        with_size(2**32 - 1, content),
    )
    assert results == [
        *(Result.INVALID_VALUES, Result.INVALID_VALUES, Result.INVALID_VALUES),
        *(Result.TRUNCATED, Result.DAMAGED, Result.TRUNCATED),
    ]


# Wrong values by part and place; "add5" is that of the last layer.
MAX_LEVEL_Q32 = 1374389535
WRONG_PARTS: list[tuple[str, tuple[object, ...], list[int]]] = [
    ("channels0", (0, "scale", (0, 0)), [-1, -(2**31)]),
    ("channels5", (1, "scale", (3, 1)), [-1, 31, 2**31 - 1]),
    *((f"add{i}", (operand, 0), [1, 128 << 20, -129 << 20]) for i in (2, 5) for operand in (0, 1)),
    *((f"add{i}", (operand, 1), [-1]) for i in (2, 5) for operand in (0, 1, 2)),
    *((f"add{i}", (operand, 2), [-1, 32]) for i in (2, 5) for operand in (0, 1)),
    *((f"add{i}", (2, 0), [-129, 128]) for i in (2, 5)),
    *((f"add{i}", (2, 2), [0, 24]) for i in (2, 5)),
    ("add2", (0, 0), [0x100000]),  # a ReLU that does not end at the zero point
    *(("levels", (i,), [-1, MAX_LEVEL_Q32 + 1]) for i in (0, 128, 256)),
    ("levels", (200,), [0]),  # less than the level before
    ("noise", (500, 1), [-16385, 16385]),
    *(("curves", (5, name, (0,)), [1, -24577]) for name in ("envelope", "release")),
    ("curves", (0, "slope", ()), [1, -29492]),
    ("curves", (0, "release_slope", ()), [0, -150, -29492]),
]
WRONG_INT8 = [
    ("channels1", (2, "bias", (1,)), [2**24 + 1, -(2**31)]),
    ("channels1", (2, "scale", (1, 1)), [23]),
    ("silence", (3,), [128, -129]),
]
WRONG_INT16 = [
    ("channels1", (2, "scale", (1, 0)), [32768]),
    *((f"add{i}", (operand, 0), [1 << 15]) for i in (2, 5) for operand in (0, 1)),
    *((f"add{i}", (2, 0), [1]) for i in (2, 5)),
]


def test_every_value_of_the_other_parts_is_checked(load, preset):
    content = model_bytes(preset, ORDER)
    is_int8 = ModelFile(content).header["bits"][0] == 8
    files, names = [], []
    for part, place, values in [*WRONG_PARTS, *(WRONG_INT8 if is_int8 else WRONG_INT16)]:
        for value in values:
            changed = ModelFile(content)
            array = changed.parts[part]
            if len(place) == 3:  # a field of a record
                index, field, rest = place
                array[field][(index, *rest)] = value
            else:
                array[place] = value
            names.append(f"{part}{place} = {value}")
            files.append(changed.sealed())
    assert_values_are_refused(load(*files), names)


def test_one_operand_of_an_addition_is_only_halved(load, preset):
    files = []
    for i in (2, 5):
        changed = ModelFile(model_bytes(preset, ORDER))
        add = changed.parts[f"add{i}"]
        add[:2, 1:] = [[2**30, 1], [2**30 + 1, 1]]
        files.append(changed.sealed())
        add[0, 1:] = [2**30 + 1, 0]  # the other one must shift
        add[1, 1:] = [2**30, 0]
        files.append(changed.sealed())
    assert load(*files) == [Result.INVALID_VALUES] * 4


def test_noise_must_continue_at_its_beginning(load, preset):
    changed = ModelFile(model_bytes(preset, ORDER))
    changed.parts["noise"][1024 + 127, 1] ^= 1
    assert load(changed.sealed()) == [Result.INVALID_VALUES]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_random_values_crash_neither_the_loader_nor_the_player(tmp_path, layout):
    """This run is short; ``make fuzz`` loads half a million files."""
    fuzzer = fuzzing.build_models(tmp_path, layout)
    assert fuzzing.run(fuzzer, runs=3000, max_bytes=fuzzing.MAX_FILE_BYTES) >= 3000
