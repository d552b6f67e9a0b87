"""Every entry of every configuration is checked for its name, type and range."""

import copy
import math
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path

import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.files import to_toml
from pipeline.core.instrument_config import InstrumentConfig, TrainConfig, load_instrument
from pipeline.core.patch_files import PatchValue
from pipeline.core.runs import RunConfig, config_hash, load_run
from pipeline.core.schema import Field, Identifier, OneOf, Within, fields_of, from_table

PATH = Path("some.toml")
FLUTE = load_instrument("flute")
WHOLE = {
    InstrumentConfig: asdict(FLUTE),
    RunConfig: asdict(RunConfig("flute", "flute", "reduced", FLUTE.reduced, TrainConfig())),
}
WRONG_TYPES = {
    bool: (1, "true"),
    int: ("7", 7.5, True, [7], math.nan),
    float: ("7", True, [7.0], math.nan, math.inf),
    str: (7, True, ["flute"]),
    list[str]: (7, "x", [7]),
    PatchValue: (7, True, ["flute"]),
}


def entries(kind: type, place: tuple[str, ...] = ()):
    """Yields the location and declaration of every entry of a table and its nested tables."""
    for name, field in fields_of(kind).items():
        yield (*place, name), field
        if is_dataclass(field.type):
            yield from entries(field.type, (*place, name))


def outside(field: Field):
    """Returns values of the right type that the field must refuse."""
    match field.restriction:
        case Within(lowest, highest):
            return lowest - 1, highest + 1
        case OneOf():
            return "", "other"
        case Identifier():
            return "", "two words", "1st", "../up", "flûte"
    return ()


ENTRIES = [(kind, place, field) for kind in WHOLE for place, field in entries(kind)]
REFUSED = [
    (kind, place, field, value)
    for kind, place, field in ENTRIES
    for value in (*WRONG_TYPES.get(field.type, (7, "x", [])), *outside(field))
]


def table_with(kind: type, place: tuple[str, ...], value: object):
    """Returns a valid table with one entry replaced, or left out if `value` is MISSING."""
    table = copy.deepcopy(WHOLE[kind])
    *sections, name = place
    part = table
    for section in sections:
        part = part[section]
    part[name] = value
    if value is MISSING:
        del part[name]
    return table


@pytest.mark.parametrize("kind", WHOLE)
def test_valid_table_is_read_unchanged(kind):
    assert asdict(from_table(kind, WHOLE[kind], PATH)) == WHOLE[kind]


@pytest.mark.parametrize(("kind", "place", "field", "value"), REFUSED)
def test_wrong_value_is_refused_with_file_key_value_and_allowed_values(kind, place, field, value):
    with pytest.raises(UserError) as refusal:
        from_table(kind, table_with(kind, place, value), PATH)
    assert str(refusal.value) == f"some.toml: {'.'.join(place)} = {value!r}: give {field.allowed}"


@pytest.mark.parametrize(("kind", "place", "field"), ENTRIES)
def test_ends_of_a_range_and_all_choices_are_accepted(kind, place, field):
    if isinstance(field.restriction, Within):
        assert field.accepts(field.type(field.restriction.lowest))
        assert field.accepts(field.type(field.restriction.highest))
    if isinstance(field.restriction, OneOf):
        assert all(field.accepts(choice) for choice in field.restriction.choices)
    if not field.is_required and field.default is not None:
        assert is_dataclass(field.default) or field.accepts(field.default)


@pytest.mark.parametrize(("kind", "place", "field"), ENTRIES)
def test_every_number_has_a_range(kind, place, field):
    assert field.type not in (int, float) or isinstance(field.restriction, Within)


@pytest.mark.parametrize(("kind", "place", "field"), ENTRIES)
def test_missing_entry_is_named_unless_it_has_a_default(kind, place, field):
    table = table_with(kind, place, MISSING)
    if field.is_required:
        with pytest.raises(UserError, match=f"some.toml: {'[.]'.join(place)} is missing: give "):
            from_table(kind, table, PATH)
    else:
        from_table(kind, table, PATH)


def test_unknown_entry_is_named_with_the_existing_entries():
    table = table_with(InstrumentConfig, ("data", "f0_mni_hz"), 7)
    with pytest.raises(
        UserError, match=r"unknown entry data\.f0_mni_hz; allowed: f0_min_hz, f0_max"
    ):
        from_table(InstrumentConfig, table, PATH)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("data", "f0_min_hz"), 2300.0, r"data\.f0_min_hz = 2300\.0 is not below data\.f0_max_hz"),
        (
            ("corpus", "lowest_note"),
            90,
            r"corpus\.lowest_note = 90 is less than 12 semitones",
        ),
    ],
)
def test_entries_that_contradict_each_other_are_named(place, value, message):
    with pytest.raises(UserError, match=f"some.toml: {message}"):
        from_table(InstrumentConfig, table_with(InstrumentConfig, place, value), PATH)


def test_items_of_lists_are_checked():
    @dataclass(frozen=True)
    class Curves:
        rows: list[list[float]]

    assert from_table(Curves, {"rows": [[1, 2.5], []]}, PATH).rows == [[1, 2.5], []]
    for rows in ([1.0], [["1"]], [[True]], [[math.nan]], "rows"):
        with pytest.raises(UserError, match=r"rows = .*: give a list of lists of numbers"):
            from_table(Curves, {"rows": rows}, PATH)


@pytest.fixture
def instruments(tmp_path, replace):
    """An empty folder of instruments instead of the repository's."""
    replace(paths.INSTRUMENT_DIR, tmp_path)
    return tmp_path


def test_instrument_file_is_checked_and_must_be_named_after_the_instrument(instruments):
    text = to_toml(WHOLE[InstrumentConfig])
    (instruments / "flute.toml").write_text(text)
    assert load_instrument("flute") == FLUTE
    (instruments / "oboe.toml").write_text(text)
    with pytest.raises(UserError, match=r"oboe\.toml: instrument = 'flute': give 'oboe'"):
        load_instrument("oboe")
    (instruments / "flute.toml").write_text(text.replace("= 128", '= "32"'))
    with pytest.raises(UserError, match=r"flute\.toml: full\.hidden_channels = '32': give a whole"):
        load_instrument("flute")
    (instruments / "flute.toml").write_text("instrument = [")
    with pytest.raises(UserError, match=r"flute\.toml is not valid TOML"):
        load_instrument("flute")


def test_edited_run_configuration_is_refused(tmp_path):
    config = RunConfig("flute", "flute", "reduced", FLUTE.reduced, TrainConfig())
    config.save(tmp_path)
    assert load_run(tmp_path) == config
    path = tmp_path / "config.toml"
    path.write_text(path.read_text().replace("n_blocks = 3", "n_blocks = 4"))
    with pytest.raises(UserError, match=r"config\.toml does not match its hash"):
        load_run(tmp_path)
    path.write_text(path.read_text().replace("n_blocks = 4", "n_blocks = -4"))
    with pytest.raises(UserError, match=r"config\.toml: tcn\.n_blocks = -4: give a whole number"):
        load_run(tmp_path)


def test_run_folder_may_have_entries_that_are_no_longer_trained_with(tmp_path):
    config = RunConfig("flute", "flute", "full", FLUTE.full, TrainConfig())
    table = asdict(config)
    table["train"]["former_entry"] = 0.75
    path = tmp_path / "config.toml"
    path.write_text(to_toml({"hash": config_hash(table), **table}))
    assert load_run(tmp_path) == config
    path.write_text(path.read_text().replace("former_entry = 0.75", "former_entry = 0.5"))
    with pytest.raises(UserError, match=r"config\.toml does not match its hash"):
        load_run(tmp_path)


def test_whole_number_for_a_float_keeps_the_hash_of_its_file(tmp_path):
    config = RunConfig("flute", "flute", "full", FLUTE.full, replace(TrainConfig(), weight_decay=0))
    config.save(tmp_path)
    assert load_run(tmp_path).hash == config.hash


def test_declared_fields_are_those_of_the_dataclass():
    assert list(fields_of(InstrumentConfig)) == [field.name for field in fields(InstrumentConfig)]
