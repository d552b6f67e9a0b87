"""What the command writes: tables, reasons and files, from new and known evaluations."""

import json
import re
import shutil

import pytest
from support.listening_page import SYSTEMS, write_page

from pipeline import page
from pipeline.audio import composition
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.pages.listening_page import short_titles

pytestmark = [pytest.mark.browser, pytest.mark.firmware]

MISSING = ["reduced", "reduced_ad", "reduced_cd_mcu16", "tiny"]


def test_every_system_of_every_take_has_a_player_or_is_reported_missing(written, setting):
    html = (written / "index.html").read_text()
    players = re.findall(r'data-take="(\S+)" data-system="(\S+)"', html)
    flute = {(f"flute-{take}", system) for take in (1, 2) for system in SYSTEMS}
    violin = {("violin-1", system) for system in ("reference", "lpc", "lpc_noise")}
    assert set(players) == flute | violin and len(players) == len(flute | violin)
    cells = re.findall(r'class="missing"><b>([^<]*)</b><p>([^<]*)</p>', html)
    assert len(cells) == len(MISSING) + len(SYSTEMS) - 3 + len(MISSING)
    # The flute comes first, and after reversal its entry replaces that of the violin.
    reasons = dict(reversed(cells))
    assert "python -m pipeline.quantize" in reasons["Reduced + CD, 16x8: not available"]
    assert "python -m pipeline.train" in reasons["Reduced: not available"]
    assert "low &amp; &lt;loud&gt;" in html and "<loud>" not in html
    assert f"The models of flute are those in {setting / 'runs'}." in html


def test_pages_load_nothing_from_other_hosts(written):
    for name in ("index.html", "listening_test.html"):
        html = (written / name).read_text()
        assert not re.search(r"(https?:)?//\w+\.\w+", html.replace("data:,", ""))
        links = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert all(link.startswith("data:") or (written / link).is_file() for link in links)


def test_only_a_changed_model_is_rendered_again(written, setting, capsys):
    wav = written / "audio" / "flute" / "high.reduced_cd.wav"
    made = wav.stat().st_mtime_ns
    write_page(setting)
    assert wav.stat().st_mtime_ns == made
    printed = capsys.readouterr().out
    assert "is up to date" in printed and f"flute: models: {setting / 'runs'}\n" in printed
    stored = (written / "audio" / "flute" / "metrics.json").read_text()
    metrics = json.loads(stored)
    metrics["systems"]["reduced_cd"]["model_digest"] = "of another model"
    (written / "audio" / "flute" / "metrics.json").write_text(json.dumps(metrics))
    write_page(setting)
    assert wav.stat().st_mtime_ns > made
    assert (written / "audio" / "flute" / "metrics.json").read_text() == stored


def test_composed_phrases_are_reproducible_and_not_in_the_corpus():
    for name in ("flute", "piano"):
        config = load_instrument(name)
        first, second = (composition.compose_examples(config) for _ in range(2))
        assert {title: midi.tracks for title, midi in first.items()} == {
            title: midi.tracks for title, midi in second.items()
        }
        known = [midi.tracks for midi in composition.compose_corpus(config)]
        assert all(midi.tracks not in known and 4 < midi.length < 10 for midi in first.values())
        assert len(first) == 2


@pytest.mark.parametrize("case", ["no folder", "empty folder", "not audio", "takes"])
def test_bad_input_is_named_in_one_line(case, setting, tmp_path):
    named = tmp_path / "flute"
    if case != "no folder":
        named.mkdir()
    if case == "not audio":
        (named / "notes.wav").write_text("not audio")
    elif case == "takes":
        shutil.copy(setting / "audio" / "flute" / "high.wav", named)
    options = ["--audio", str(tmp_path), "--instrument", "flute", "--out", str(tmp_path / "out")]
    with pytest.raises(UserError) as error:
        page.main([*options, "--takes", "0"] if case == "takes" else options)
    named_in_line = {"not audio": "notes.wav", "takes": "--takes: '0'"}.get(case, str(tmp_path))
    assert named_in_line in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("titles", "short"),
    [
        (["flute_A4_15_forte", "flute_A4_1_forte"], ["15_forte", "1_forte"]),
        (["take 1", "take 2"], ["1", "2"]),
        (["high", "low & <loud>"], ["high", "low & <loud>"]),
        (["same", "same"], ["same", "same"]),
    ],
)
def test_long_names_differ_where_the_list_shows_them(titles, short):
    assert short_titles(titles) == short
