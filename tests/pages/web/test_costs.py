"""What the instrument page says that voices cost on a chip."""

import json
import re
import subprocess

import pytest

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
    """The README states 14.7 % of an STM32F407 for the flute, and 41.3 % of an RP2040."""
    assert list(chips) == ["STM32F407", "RP2040"]
    for name, low, high in (("STM32F407", 0.1, 0.2), ("RP2040", 0.3, 0.5)):
        chip = chips[name]
        assert 0 <= chip["silent"] < 0.02
        for voice in chip["voices"]:
            assert low < voice["one"] < high
            assert 1.5 * voice["one"] < voice["two"] < 2 * voice["one"]


def test_page_adds_the_voices_of_all_instruments(chips):
    chip = chips["STM32F407"]
    silent, (flute, piano) = chip["silent"], chip["voices"][:2]
    assert shares(chip) == pytest.approx(silent)
    assert shares(chip, 0) == pytest.approx(flute["one"])
    assert shares(chip, 0, 0, 0) == pytest.approx(flute["one"] + flute["two"] - silent)
    assert shares(chip, 1, 0) == pytest.approx(flute["one"] + piano["one"] - silent)
    assert shares(chip | {"nCores": 2}, 0, 0) == pytest.approx(flute["one"])
