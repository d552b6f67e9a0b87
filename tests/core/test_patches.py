"""Patches are read from files and tables, and whatever cannot be played is refused there."""

import itertools
import tomllib
from fractions import Fraction

import pytest

from pipeline.core import patch_files
from pipeline.core.dx7_algorithms import ALGORITHMS, FEEDBACK
from pipeline.core.errors import UserError
from pipeline.core.files import to_toml
from pipeline.core.instrument_config import TrainConfig, instrument_from_table, load_instrument
from pipeline.core.patch import Patch
from pipeline.core.patch_files import (
    known_patches,
    load_patch,
    patch_table,
    read_patch,
    resolve_patch,
    save_patch,
)
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import RunConfig, load_run
from pipeline.model.patches import find_patch

ONES = (Fraction(1),) * 6
FLUTE = load_patch("flute")


# --- what a patch is ------------------------------------------------------------------------------


def test_algorithms_have_the_carriers_of_the_dx7():
    carriers = {
        1: [16, 17, 18],
        2: [1, 2, 3, 4, *range(7, 16)],
        3: [5, 6, 19, 20, 26, 27, 28],
        4: [21, 22, 23, 29, 30],
        5: [24, 25, 31],
        6: [32],
    }
    found = {n: len(Patch("a", routing, ONES).carriers) for n, routing in ALGORITHMS.items()}
    assert found == {number: n for n, numbers in carriers.items() for number in numbers}
    assert sorted(ALGORITHMS) == sorted(FEEDBACK) == list(range(1, 33))


def test_modulators_of_the_dx7_have_higher_numbers_and_their_feedback_leads_back():
    for number, routing in ALGORITHMS.items():
        patch = Patch("a", routing, ONES)
        for target, sources in enumerate(patch.modulators):
            assert all(source > target for source in sources), number
        source, target = FEEDBACK[number]
        assert source <= target, number


def test_algorithms_that_differ_by_feedback_alone_share_their_routing():
    shared = {}
    for number, routing in ALGORITHMS.items():
        links = Patch("a", routing, ONES).modulators
        shared.setdefault(links, []).append(number)
    assert sorted(group for group in shared.values() if len(group) > 1) == [
        *([1, 2], [3, 4], [5, 6], [7, 8, 9], [10, 11], [12, 13], [14, 15], [16, 17], [26, 27]),
    ]


def test_ratios_are_exact_multiples_of_the_base():
    patch = Patch("a", ALGORITHMS[32], tuple(map(Fraction, ("2", "4", "3/2", "0.1", "6", "8"))))
    assert patch.base_ratio == Fraction(1, 10)
    assert patch.multiples == (20, 40, 15, 1, 60, 80)
    even = Patch("b", ALGORITHMS[32], (Fraction(2),) * 6)
    assert even.base_ratio == 1 and even.multiples == (2,) * 6  # f0 itself stays a multiple


def test_detuning_is_played_to_a_fifth_of_a_cent():
    cents = (0.0, 7.0, -7.0, 1.0, -0.5, 100.0)
    ratios = tuple(map(Fraction, ("1", "1", "2", "14", "1/2", "1")))
    patch = Patch("a", ALGORITHMS[1], ratios, cents)
    for ratio, wanted, played in zip(ratios, cents, patch.played_ratios, strict=True):
        assert 1200 * abs(float(played / ratio) - 2 ** (wanted / 1200)) < 0.25
    assert patch.base_ratio == Fraction(1, 4096)


def test_patches_that_sound_alike_are_equal():
    assert Patch("other", "2>1 4>3>1 6>5>1", FLUTE.ratios) == FLUTE
    assert len({FLUTE, Patch("other", FLUTE.routing, FLUTE.ratios)}) == 1
    assert load_patch("violin") != FLUTE


def test_every_routing_that_is_accepted_has_a_schedule_that_computes_it():
    """Runs the schedules of all routings of the DX7 and of random ones with sets as signals."""
    links = [f"{a}>{b}" for a, b in itertools.combinations(range(6, 0, -1), 2)]
    chosen = [" ".join(pair) for pair in itertools.combinations(links, 4)]
    accepted = []
    for routing in [*ALGORITHMS.values(), *chosen]:
        routing = " ".join([routing, *(str(i) for i in range(1, 7) if str(i) not in routing)])
        try:
            accepted.append(Patch("a", routing, ONES))
        except ValueError:
            continue
    assert len(accepted) > 400
    for patch in accepted:
        mixes = {None: frozenset()}
        for step in patch.schedule:
            modulation = frozenset() if step.modulation is None else mixes[step.modulation]
            assert modulation == frozenset(patch.modulators[step.operator])
            total = mixes[step.mix] | {step.operator}
            if step.target is not None:
                mixes[step.target] = total
        assert total == frozenset(patch.carriers)


@pytest.mark.parametrize(
    ("routing", "reason"),
    [
        ("", "give chains"),
        ("6>7>1", "give chains"),
        ("6>5>1 4>3>1 2>", "give chains"),
        ("6-5-1", "give chains"),
        ("6>5>1 4>3>1", "add 2"),
        ("1", "all six operators have to be used; add 2, 3, 4, 5, 6"),
        ("6>5>6 4>3>1 2>1", "operators 1 and 5 and 6|operators 5 and 6"),
        ("6>6>1 5>4>3>2>1", "follow from each other"),
        ("6>1 5>1 4>1 3>1 2>1", "operator 1 has 5 modulators; at most 3"),
        ("6>5>3 6>4>3 6>1 2>1", "operator 6 modulates operators that have other modulators"),
        ("6>5>4>2 6>1 5>3>2", "more than 2 signals"),
    ],
)
def test_routing_that_cannot_be_played_is_refused(routing, reason):
    with pytest.raises(ValueError, match=reason) as error:
        Patch("a", routing, ONES)
    assert repr(routing) in str(error.value)


# --- files and tables -----------------------------------------------------------------------------


def test_committed_models_find_their_patches_by_name():
    for path in sorted(MODEL_DIR.glob("*/*/config.toml")):
        config = load_run(path.parent)
        assert find_patch(config) == load_patch(load_instrument(config.instrument).patch)


def test_shipped_patches_can_be_loaded():
    assert {"flute", "trumpet", "violin", "piano", "two_stacks"} <= set(known_patches())
    assert all(load_patch(name).name == name for name in known_patches())


@pytest.mark.parametrize(
    "table",
    [
        {"routing": "6>5>1 4>3>1 2>1", "ratios": [1, 1, 1, 2, 2, 1.5]},
        {"algorithm": 16, "ratios": [1, 1.0, "1", "2/1", "2.0", "3/2"]},
        {"algorithm": 17, "ratios": "1 1 1 2 2 3/2", "detune_cents": [0, 0.0, 0, 0, 0, 0]},
    ],
)
def test_table_describes_a_patch_that_is_named_after_its_instrument(table):
    patch = resolve_patch(table, "kazoo")
    assert patch == FLUTE and patch.name == "kazoo"
    assert resolve_patch(table | {"name": "buzz"}, "kazoo").name == "buzz"
    assert resolve_patch(patch_table(patch), "other") == patch


def test_stretched_patch_keeps_its_stretch(tmp_path):
    curve = ((36.0, 8e-5), (60.5, 3.3e-4), (96.0, 5e-3))
    patch = Patch(
        "mine", FLUTE.routing, ONES, stretch=(1, 0, -7, 729, 243, 4096), inharmonicity=curve
    )
    assert patch != Patch("mine", FLUTE.routing, ONES)
    assert resolve_patch(patch_table(patch), "other") == patch
    save_patch(patch, tmp_path / "mine.toml")
    assert read_patch(tmp_path / "mine.toml") == patch
    assert (
        resolve_patch(tomllib.loads(to_toml({"patch": patch_table(patch)}))["patch"], "x") == patch
    )


def test_saved_patch_is_read_again(tmp_path):
    ratios = tuple(map(Fraction, ("1", "1/4", "3.52", "14", "0.505", "61.69")))
    patch = Patch("mine", ALGORITHMS[24], ratios, (0, 7, -7, 1.5, 0, 0))
    save_patch(patch, tmp_path / "mine.toml", ["A comment.", "Voice 1 of a\nb\udcff ü.syx."])
    text = (tmp_path / "mine.toml").read_text()
    assert text.startswith("# A comment.\n# Voice 1 of a?b? ü.syx.\n") and "61.69" in text
    assert read_patch(tmp_path / "mine.toml") == patch
    thirds = Patch("thirds", ALGORITHMS[24], (Fraction(1, 3), *ONES[1:]))
    save_patch(thirds, tmp_path / "thirds.toml")
    assert read_patch(tmp_path / "thirds.toml") == thirds
    with pytest.raises(UserError, match="exists: give another name"):
        save_patch(patch, tmp_path / "mine.toml")
    for name in ("1st.toml", "two words.toml", "mine.txt"):
        with pytest.raises(UserError, match="give a file name"):
            save_patch(patch, tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ratios": None}, "ratios is missing"),
        ({"ratios": 7}, "ratios = 7"),
        ({"ratios": [1, 1, 1, 1, 1]}, "ratios: 5 given; give 6"),
        ({"ratios": [1] * 7}, "ratios: 7 given; give 6"),
        ({"ratios": [1, 1, 1, 1, 1, "3/0"]}, "'3/0' is not a decimal"),
        ({"ratios": [1, 1, 1, 1, 1, True]}, "True is not a decimal"),
        ({"ratios": [1, 1, 1, 1, 1, -1]}, "-1 is not a decimal"),
        ({"ratios": [1, 1, 1, 1, 1, float("nan")]}, "nan is not a decimal"),
        ({"ratios": [1, 1, 1, 1, 1, "1e9"]}, "'1e9' is not a decimal"),
        ({"ratios": [1, 1, 1, 1, 1, 0]}, "0 is not from 0.01 to 64"),
        ({"ratios": [1, 1, 1, 1, 1, 64.5]}, "129/2 is not from 0.01 to 64"),
        ({"ratios": [1, 1, 1, 1, "1/7", 1.414]}, "common denominator is 3500"),
        ({"detune_cents": [0] * 5}, "detune_cents: 5 given"),
        ({"detune_cents": [0, 0, 0, 0, 0, 101]}, "detune_cents: 101 is not from -100 to 100"),
        ({"detune_cents": [0, 0, 0, 0, 0, float("nan")]}, "nan is not from"),
        ({"detune_cents": "some"}, "detune_cents = 'some'"),
        ({"stretch": [1] * 6}, r"inharmonicity: notes \[\]: give pairs"),
        ({"inharmonicity": [[36, 1e-4]]}, "inharmonicity: no operator uses it; give stretch"),
        ({"stretch": [1.5] * 6}, r"stretch = \[1.5.*: give six whole numbers"),
        ({"stretch": [1] * 5, "inharmonicity": [[36, 1e-4]]}, "stretch: 5 given; give 6"),
        ({"stretch": [-4097] * 6, "inharmonicity": [[36, 1e-4]]}, "-4097 is not from -4096"),
        (
            {"stretch": [1] * 6, "inharmonicity": [[36, 0]]},
            r"inharmonicity: \[36, 0\]: give a MIDI",
        ),
        ({"stretch": [1] * 6, "inharmonicity": [[36, float("nan")]]}, r"\[36, nan\]: give a MIDI"),
        ({"stretch": [1] * 6, "inharmonicity": [[36, 0.031]]}, r"\[36, 0.031\]: give a MIDI"),
        ({"stretch": [1] * 6, "inharmonicity": [[128, 0.01]]}, r"\[128, 0.01\]: give a MIDI"),
        ({"stretch": [1] * 6, "inharmonicity": [[36, 0.01]] * 2}, "notes .*: give pairs"),
        ({"stretch": [1] * 6, "inharmonicity": [36, 0.01]}, r"inharmonicity = \[36, 0.01\]: give"),
        ({"stretch": [1] * 6, "inharmonicity": [["C2", 0.01]]}, "inharmonicity = .*: give pairs"),
        (
            {"stretch": [1] * 6, "inharmonicity": [[36, 0.01]], "detune_cents": [0, 0, 0, 0, 1, 0]},
            "stretch: the ratios are up to .* leave out detune_cents",
        ),
        ({"algorithm": 5}, "both are given"),
        ({"routing": None}, "neither is given"),
        ({"routing": None, "algorithm": 33}, "algorithm = 33: give a whole number from 1 to 32"),
        ({"routing": None, "algorithm": True}, "algorithm = True"),
        ({"routing": 5}, "routing = 5: give a string"),
        ({"routing": "6>5"}, "add 1, 2, 3, 4"),
        ({"feedback": 5}, "unknown entry feedback"),
        ({"name": "two words"}, "name = 'two words'"),
        ({"name": 5}, "name = 5"),
    ],
)
def test_entry_that_is_not_allowed_is_named(changes, reason):
    whole = {"routing": FLUTE.routing, "ratios": [1, 1, 1, 2, 2, 1.5]} | changes
    table = {key: value for key, value in whole.items() if value is not None}
    with pytest.raises(ValueError, match=reason):
        resolve_patch(table, "kazoo")


def instrument_table(patch):
    return {"patch": patch, "data": {"f0_min_hz": 100.0, "f0_max_hz": 1000.0}}


def test_patch_of_an_instrument_is_checked_when_its_file_is_read(tmp_path):
    path = tmp_path / "kazoo.toml"
    table = {"algorithm": 16, "ratios": [1, 1, 1, 2, 2, 1.5]}
    assert find_patch(instrument_from_table(instrument_table(table), path)) == FLUTE
    assert find_patch(instrument_from_table(instrument_table("flute"), path)) == FLUTE
    for patch, reason in (
        ("tuba", "patch = 'tuba': give one of flute, pair_and_fan"),
        ({"algorithm": 99, "ratios": table["ratios"]}, r"\[patch\] algorithm = 99"),
        (7, "patch = 7: give a name or a table"),
    ):
        with pytest.raises(UserError, match=reason) as error:
            instrument_from_table(instrument_table(patch), path)
        assert str(error.value).startswith(str(path))


def test_damaged_file_of_a_patch_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(patch_files, "PATCH_DIR", tmp_path)
    (tmp_path / "mine.toml").write_text('routing = "6>5"\nratios = [1, 1, 1, 1, 1, 1]\n')
    (tmp_path / "not a name.toml").write_text("")
    assert known_patches() == ["mine"]
    with pytest.raises(
        UserError,
        match=r"mine.toml: routing = '6>5': all six operators have to be used; add 1, 2, 3, 4",
    ):
        load_patch("mine")
    with pytest.raises(UserError, match="unknown patch 'yours': choose one of mine"):
        load_patch("yours")


def test_run_folder_stores_the_whole_patch_and_keeps_its_hash(tmp_path):
    flute = load_instrument("flute")
    patch = Patch("wobbly", ALGORITHMS[32], ONES, (1.0, -1.0, 0.0, 0.0, 0.5, 0.0))
    config = RunConfig("flute", patch_table(patch), "reduced", flute.reduced, TrainConfig())
    config.save(tmp_path)
    loaded = load_run(tmp_path)
    assert loaded == config and find_patch(loaded) == patch and find_patch(loaded).name == "wobbly"
    text = (tmp_path / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(text.replace("-1.0", "-2.0"))
    with pytest.raises(UserError, match="does not match its hash"):
        load_run(tmp_path)
