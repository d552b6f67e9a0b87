"""What the instrument page says that voices cost on a chip."""

import json
import math
import re
import subprocess

import pytest

from pipeline.core.paths import MODEL_DIR
from pipeline.evaluation.voice_costs import (
    CHIP_BOARDS,
    TABLE,
    PlayedModel,
    find_costs,
    measure_voice,
)
from pipeline.pages.html import ASSETS

pytestmark = [pytest.mark.browser, pytest.mark.firmware]


@pytest.fixture(scope="module")
def chips(page):
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', page.read_text())[1])
    return {chip["title"]: chip for chip in facts["chips"]}


def shares(chip, *presets) -> float:
    code = (ASSETS / "web" / "costs.js").read_text()
    script = f"{code}\nconsole.log(chipShare({json.dumps(chip)}, {json.dumps(presets)}))"
    return float(subprocess.check_output(["node", "-"], input=script, text=True))


def test_cost_of_a_voice_is_that_of_the_benchmark_and_pairs_cost_less(chips):
    assert list(chips) == ["STM32F4DISCOVERY", "Raspberry Pi Pico"]
    ranges = (("STM32F4DISCOVERY", 0.1, 0.2), ("Raspberry Pi Pico", 0.3, 0.5))
    for name, low, high in ranges:
        chip = chips[name]
        assert 0 <= chip["silent"] < 0.02
        reduced, tiny = chip["voices"][:4], chip["voices"][4:8]
        assert len(chip["voices"]) == 12  # four instruments; reduced + CD, tiny, tiny in 16 bits
        for large, small in zip(reduced, tiny, strict=True):
            assert low < large["one"] < high
            assert 1.5 * large["one"] < large["two"] < 2 * large["one"]
            assert small["one"] < 0.25 * large["one"]


@pytest.mark.parametrize("board", CHIP_BOARDS)
def test_kept_costs_are_those_that_the_emulators_count(board):
    model = PlayedModel(MODEL_DIR / "flute" / "tiny", "int8")
    kept = json.loads(TABLE.read_text())[board]
    silent, cost = measure_voice(model, board)
    assert silent == pytest.approx(kept["silent"], rel=0.05)
    expected = kept["voices"]["flute 2x16x3 int8"]
    assert [cost.one, cost.two] == pytest.approx(expected, rel=0.05)


def test_known_costs_need_no_tool_and_unknown_ones_are_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    flute = PlayedModel(MODEL_DIR / "flute" / "reduced_cd", "int8")
    said: list[str] = []
    known = find_costs([flute], said.append)
    assert said == [] and all(chip.voices[0] for chip in known)
    full = PlayedModel(MODEL_DIR / "flute" / "full", "int8")
    assert [chip.voices for chip in find_costs([full], said.append)] == [[None], [None]]
    assert "the page lacks the cost of" in said[1]
    assert "arm-none-eabi-gcc is not installed: apt-get install gcc-arm-none-eabi" in said[1]


def test_page_adds_the_voices_of_all_instruments(chips):
    chip = chips["STM32F4DISCOVERY"]
    silent, (flute, piano) = chip["silent"], chip["voices"][:2]
    assert shares(chip) == pytest.approx(silent)
    assert shares(chip, 0) == pytest.approx(flute["one"])
    assert shares(chip, 0, 0, 0) == pytest.approx(flute["one"] + flute["two"] - silent)
    assert shares(chip, 1, 0) == pytest.approx(flute["one"] + piano["one"] - silent)
    assert shares(chip | {"nCores": 2}, 0, 0) == pytest.approx(flute["one"])
    assert math.isnan(shares(chip | {"voices": [None]}, 0))
