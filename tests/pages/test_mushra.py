"""Ratings of the listening test: which listeners count, what the boxes show, what is refused."""

import csv
import re

import numpy as np
import pytest
from matplotlib.image import imread

from pipeline import listening_test
from pipeline.core.errors import UserError
from pipeline.pages import mushra
from pipeline.pages.mushra import COLUMNS

SYSTEMS = ("reference", "lpc", "full", "reduced_cd", "reduced_cd_mcu")


def write_ratings(path, listener, ratings, *, instruments=("flute", "piano")):
    """Writes a file as the page saves it; `ratings` maps a system to its ratings, one per trial."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for trial, instrument in enumerate(instruments, start=1):
            for letter, (system, values) in zip("ABCDE", ratings.items(), strict=False):
                row = [listener, "2026-03-01T12:00:00", trial, instrument, "melody", system, letter]
                rows.writerow([*row, values[trial - 1]])
    return path


@pytest.fixture
def files(tmp_path):
    careful = dict(zip(SYSTEMS, ([100, 95], [20, 30], [80, 70], [60, 62], [58, 61]), strict=True))
    careless = careful | {"reference": [100, 40]}
    return [
        write_ratings(tmp_path / "a.csv", "Ada", careful),
        write_ratings(tmp_path / "b.csv", 'Bob, "the ear"', careful | {"lpc": [10, 20]}),
        write_ratings(tmp_path / "c.csv", "Cleo", careless),
    ]


def test_listener_who_misses_the_hidden_reference_is_excluded_and_named(files, tmp_path, capsys):
    out = tmp_path / "ratings.png"
    listening_test.main([*map(str, files), "--out", str(out)])
    printed = capsys.readouterr().out
    assert "left out: Cleo" in printed and "in 50 % of the trials" in printed
    assert "20 ratings by 2 listeners" in printed
    listening_test.main([*map(str, files), "--out", str(out), "--keep-all"])
    assert "30 ratings by 3 listeners" in capsys.readouterr().out


def test_boxes_are_sorted_by_instrument_and_system(files):
    ratings = [rating for path in files[:2] for rating in mushra.read_ratings(path)]
    groups = mushra.group(ratings)
    assert list(groups) == ["flute", "piano", "all"]
    assert all(tuple(by_system) == SYSTEMS for by_system in groups.values())
    assert groups["flute"]["lpc"] == [20, 10] and groups["piano"]["lpc"] == [30, 20]
    assert sorted(groups["all"]["lpc"]) == [10, 20, 20, 30]
    assert "all" not in mushra.group([r for r in ratings if r.instrument == "flute"])


def test_plot_shows_the_median_at_the_right_height(tmp_path):
    path = tmp_path / "box.png"
    heights = []
    for rating in (20.0, 80.0):
        mushra.draw({"flute": {"lpc": [rating] * 9}}, 9, path)
        pixels = imread(path)[..., :3]
        middle = pixels[: int(0.8 * len(pixels)), pixels.shape[1] // 4 : pixels.shape[1] * 3 // 4]
        median = np.all(np.abs(middle - np.array([0x1C, 0x1E, 0x21]) / 255) < 0.02, axis=2)
        heights.append(np.flatnonzero(median.sum(axis=1) > 20).mean() / len(pixels))
    # The median is 60 of 106 points on an axis that takes up most of the height.
    assert 0.35 < heights[0] - heights[1] < 0.6


@pytest.mark.parametrize("n_systems", [1, 18, 25])
def test_every_system_has_a_different_colour(n_systems, tmp_path):
    systems = [*mushra.ORDER, *map(str, range(7))][:n_systems]
    mushra.draw(
        {name: {system: [50.0] for system in systems} for name in ("flute", "piano")},
        n_listeners=1,
        path=tmp_path / "boxes.svg",
    )
    filled = re.findall(r"fill: (#\w{6}); stroke: #1c1e21", (tmp_path / "boxes.svg").read_text())
    # White marks the dots of the means.
    boxes = [colour for colour in filled if colour != "#ffffff"]
    assert len(set(boxes)) == n_systems
    assert all(boxes.count(colour) == 3 for colour in boxes)  # two boxes and the legend


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        (b"a,b\r\n1,2\r\n", "does not have the columns"),
        (b"", "does not have the columns"),
        (b"\xff\xfe\x00\x00", "is not a CSV file"),
        (",".join(COLUMNS).encode() + b"\r\nAda,now,1,flute,x,lpc,A,many\r\n", "line 2"),
        (",".join(COLUMNS).encode() + b"\r\nAda,now,1,flute,x,lpc,A,101\r\n", "101"),
        (",".join(COLUMNS).encode() + b"\r\nAda,now\r\n", "line 2"),
        (",".join(COLUMNS).encode() + b"\r\n", "no ratings"),
    ],
)
def test_file_without_valid_ratings_is_named_in_one_line(content, reason, tmp_path):
    path = tmp_path / "ratings.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        listening_test.main([str(path), "--out", str(tmp_path / "out.png")])
    assert str(path) in str(error.value) and reason in str(error.value)
    assert not (tmp_path / "out.png").exists()
