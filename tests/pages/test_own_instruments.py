"""Pages and pictures show instruments that are not in the repository."""

from pipeline.core.constants import VARIANT_LABELS
from pipeline.core.instrument_names import instrument_label
from pipeline.pages import quality_cost


def test_label_has_a_capital_and_spaces():
    assert instrument_label("bass_clarinet") == "Bass clarinet"
    assert instrument_label("altoSax") == "AltoSax"
    assert instrument_label("flute") == "Flute"


def test_every_instrument_has_a_colour_and_the_shipped_ones_keep_theirs():
    own = [f"own{number}" for number in range(3 * len(quality_cost.MORE_COLOURS))]
    colours = quality_cost.instrument_colours(["violin", *own, *own])
    assert list(colours) == [*quality_cost.COLOURS, *own]
    assert colours["violin"] == quality_cost.COLOURS["violin"]
    assert len(set(colours.values())) == len(quality_cost.COLOURS) + len(quality_cost.MORE_COLOURS)
    assert quality_cost.instrument_colours(["flute"]) == quality_cost.COLOURS


def test_picture_shows_an_instrument_of_ones_own(tmp_path):
    rows = [
        {
            "instrument": instrument,
            "variant": "reduced_cd",
            "board": quality_cost.BOARD,
            "engine": "aot",
            "format": "int8",
            "instructions_per_frame": {"total": 58_000},
            "mss_valid": {"real": 6.0},
        }
        for instrument in ("flute", "bass_clarinet")
    ]
    quality_cost.draw(rows, tmp_path / "picture.svg")
    picture = (tmp_path / "picture.svg").read_text()
    for label in ("Flute", "Bass clarinet", VARIANT_LABELS["reduced_cd"]):
        assert f"<!-- {label} -->" in picture
    assert quality_cost.MORE_COLOURS[0] in picture
