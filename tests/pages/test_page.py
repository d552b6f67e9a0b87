"""The listening page and the listening test that the command writes, used in a real browser."""

import csv
import json
import re
import shutil
import wave

import numpy as np
import pytest
import soundfile as sf
from support.chromium import Browser
from support.replacing import replaced
from support.small_run import make_run
from support.sounds import make_tone

from pipeline import page
from pipeline.audio import composition
from pipeline.core import paths
from pipeline.core.constants import SAMPLE_RATE, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.pages.catalogue import InstrumentSection, Take, page_systems
from pipeline.pages.listening_page import write_pages
from pipeline.pages.mushra import COLUMNS

pytestmark = [pytest.mark.browser, pytest.mark.firmware]

SECONDS = 6.0  # long enough for a slow machine to click within
SYSTEMS = ["reference", "lpc", "full", "reduced_cd", "reduced_cd_mcu", "reduced_cd_mcu_reverb"]
FLOAT = 1 / 32767  # Chromium divides negative samples by 32768, positive ones by 32767
MISSING = ["reduced", "reduced_ad", "reduced_cd_mcu16"]


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """Folder with small models of the flute, and recordings of flute and violin."""
    base = tmp_path_factory.mktemp("setting")
    for variant in ("full", "reduced_cd"):
        make_run(base / "runs" / "flute" / variant, variant=variant)
    recordings = {"flute": {"high": 880.0, "low & <loud>": 440.0}, "violin": {"a_note": 330.0}}
    for instrument, tones in recordings.items():
        (base / "audio" / instrument).mkdir(parents=True)
        for name, f0_hz in tones.items():
            path = base / "audio" / instrument / f"{name}.wav"
            sf.write(path, make_tone(SECONDS, f0_hz), SAMPLE_RATE, subtype="PCM_16")
    return base


def write(setting, *options):
    with replaced(paths.MODEL_DIR, setting / "no_pretrained"):
        arguments = ["--audio", str(setting / "audio"), "--runs", str(setting / "runs")]
        arguments += ["--board", "host", "--out", str(setting / "page")]
        page.main([*arguments, "--instrument", "flute", "violin", *options])
    return setting / "page"


@pytest.fixture(scope="module")
def written(setting):
    return write(setting)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser, written):
    """The freshly loaded listening page; checks afterwards that it requested no other file."""
    browser.requests.clear()
    browser.errors.clear()
    browser.open(written / "index.html")
    yield browser
    assert browser.errors == []
    assert all(url.startswith(written.as_uri()) for url in browser.requests), browser.requests


def samples_of(path):
    with wave.open(str(path)) as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2")


# --- writing --------------------------------------------------------------------------------------


def test_every_system_of_every_take_has_a_player_or_is_reported_missing(written, setting):
    html = (written / "index.html").read_text()
    players = re.findall(r'data-take="(\S+)" data-system="(\S+)"', html)
    flute = {(f"flute-{take}", system) for take in (1, 2) for system in SYSTEMS}
    violin = {("violin-1", system) for system in ("reference", "lpc")}
    assert set(players) == flute | violin and len(players) == len(flute | violin)
    cells = re.findall(r'class="missing"><b>([^<]*)</b><p>([^<]*)</p>', html)
    assert len(cells) == len(MISSING) + len(SYSTEMS) - 2 + len(MISSING)
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
    write(setting)
    assert wav.stat().st_mtime_ns == made
    printed = capsys.readouterr().out
    assert "is up to date" in printed and f"flute: models: {setting / 'runs'}\n" in printed
    stored = (written / "audio" / "flute" / "metrics.json").read_text()
    metrics = json.loads(stored)
    metrics["systems"]["reduced_cd"]["model_digest"] = "of another model"
    (written / "audio" / "flute" / "metrics.json").write_text(json.dumps(metrics))
    write(setting)
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


# --- listening ------------------------------------------------------------------------------------


def test_players_contain_the_samples_of_the_files(opened, written):
    held = opened.run(
        """(async () => {
        const buffers = await loadTake(new OfflineAudioContext(1, 1, SAMPLE_RATE), "flute-1");
        return Object.fromEntries([...buffers].map(([name, buffer]) =>
            [name, Array.from(buffer.getChannelData(0), (x) => Math.round(x * 32767.5))]));
    })()"""
    )
    assert list(held) == SYSTEMS
    for system, samples in held.items():
        expected = samples_of(written / "audio" / "flute" / f"high.{system}.wav")
        assert len(samples) == SECONDS * SAMPLE_RATE
        np.testing.assert_array_equal(samples, expected)


def test_switching_is_gapless_and_sample_accurate(opened, written):
    rendered = opened.run(
        """(async () => {
        const context = new OfflineAudioContext(1, SAMPLE_RATE, SAMPLE_RATE);
        const mixer = new Mixer(context);
        mixer.load(await loadTake(context, "flute-1"), 0.25);
        mixer.select("reference");
        mixer.play();
        context.suspend(0.512).then(() => { mixer.select("lpc"); context.resume(); });
        const data = (await context.startRendering()).getChannelData(0);
        return Array.from(data, (x) => x * 32768);
    })()"""
    )
    reference, anchor = (
        samples_of(written / "audio" / "flute" / f"high.{system}.wav")
        for system in ("reference", "lpc")
    )
    lead, fade, place = (round(s * SAMPLE_RATE) for s in (0.02, 0.005, 0.25))
    switch = round(0.512 * SAMPLE_RATE) + lead
    here = np.arange(SAMPLE_RATE) - lead + place  # position in the take of every recorded sample
    assert np.all(np.asarray(rendered[:lead]) == 0)
    before, after = slice(lead + fade, switch), slice(switch + fade + 1, None)
    np.testing.assert_allclose(rendered[before], reference[here[before]], rtol=FLOAT, atol=0.01)
    np.testing.assert_allclose(rendered[after], anchor[here[after]], rtol=FLOAT, atol=0.01)
    between = slice(switch, switch + fade + 1)
    share = np.arange(fade + 1) / fade
    mixed = (1 - share) * reference[here[between]] + share * anchor[here[between]]
    np.testing.assert_allclose(rendered[between], mixed, atol=0.5)


def test_starting_a_player_stops_the_others_and_positions_are_kept(opened):
    opened.click(".player[data-take=flute-1][data-system=full] .play")
    opened.wait_for("mixer?.playing && mixer.position > 0.3")
    before = opened.run("mixer.position")
    opened.click(".player[data-take=flute-1][data-system=lpc] .play")
    opened.wait_for("mixer.system === 'lpc' && mixer.playing")
    assert before <= opened.run("mixer.position") < SECONDS
    pressed = "[...document.querySelectorAll('.play[aria-pressed=true]')]"
    assert opened.run(f"{pressed}.map((b) => b.ariaLabel)") == ["Play Anchor (LPC), flute, high"]
    opened.click("#transport .toggle")
    stopped = opened.run("mixer.position")
    assert not opened.run("mixer.playing") and stopped > before
    # Another take starts at its beginning; on return, the first continues where it was left.
    opened.click(".player[data-take=violin-1][data-system=reference] .play")
    opened.wait_for("take.id === 'violin-1' && mixer.playing")
    opened.run("mixer.stop()")
    opened.click(".player[data-take=flute-1][data-system=full] header .play")
    opened.wait_for("take.id === 'flute-1' && mixer.playing")
    assert opened.run("mixer.position") >= stopped


def test_finished_take_restarts_and_loops_if_requested(opened):
    opened.click(".player[data-take=flute-1][data-system=full] .play")
    opened.wait_for("mixer?.playing")
    opened.run(f"seek({SECONDS - 0.2})")
    opened.wait_for("!mixer.playing && mixer.position === 0")
    assert opened.run("document.querySelectorAll('.play.playing').length") == 0
    opened.click(".loop")
    opened.click("#transport .toggle")
    opened.run(f"seek({SECONDS - 0.2})")
    opened.wait_for("mixer.playing && mixer.position < 1")


def test_page_is_controlled_by_keyboard(opened):
    opened.press(" ")
    opened.wait_for("mixer?.playing")
    assert opened.run("[take.id, mixer.system]") == ["flute-1", "reference"]
    opened.press("3")
    assert opened.run("mixer.system") == "full"
    opened.press(" ")
    assert not opened.run("mixer.playing")
    place = opened.run("mixer.position")
    opened.press("ArrowRight")
    assert opened.run("mixer.position") == pytest.approx(min(place + 1, SECONDS), abs=1e-6)
    opened.run("document.querySelector('.player .play').focus()")
    opened.press("Enter")
    opened.wait_for("mixer.playing && mixer.system === 'reference'")


@pytest.fixture(scope="module")
def many(setting):
    """Pages with one take of every possible system; all systems have the same samples."""
    out = setting / "many"
    systems = page_systems(VARIANTS, VARIANTS)
    take = Take(
        "flute-1",
        "high",
        dict.fromkeys(systems, setting / "audio" / "flute" / "high.wav"),
        {system: {"mss": 1.0} for system in systems},
    )
    about = {system: {"model_bytes": None} for system in systems}
    config = load_instrument("flute")
    flute = InstrumentSection(config, "recorded", [take], about, "runs", {})
    write_pages([flute], systems, "host", out)
    return out


def test_every_system_has_its_own_key_in_upper_and_lower_case(browser, many):
    browser.open(many / "index.html")
    systems = [system.name for system in page_systems(VARIANTS, VARIANTS)]
    named = browser.run("[...document.querySelectorAll('.keys kbd')].map((k) => k.textContent)")
    assert named == ["Space", "1", "9", "A", "I", "←", "→", "L"]
    browser.press(" ")
    browser.wait_for("mixer?.playing")
    shown = browser.run("[...choices.querySelectorAll('kbd')].map((k) => k.textContent)")
    assert "".join(shown) == "123456789ABCDEFGHI" and len(systems) == 18
    for keys in (shown, [key.lower() for key in shown]):
        selected = []
        for key in keys:
            browser.press(key)
            selected.append(browser.run("mixer.system"))
        assert selected == systems
    for key, loops in (("L", True), ("l", False)):
        browser.press(key)
        assert browser.run("mixer.loop") is loops and browser.run("mixer.system") == systems[-1]


def test_blind_test_has_a_key_for_every_letter_and_for_the_reference(browser, many):
    browser.open(many / "listening_test.html")
    browser.click("#start button")
    browser.wait_for("mixer?.buffers.size > 0")
    browser.run("removeEventListener('beforeunload', warn)")  # the dialog would wait for an answer
    letters = browser.run("stimuli.map(({ letter }) => letter)")
    assert "".join(letters) == "ABCDEFGHIJKLMNOPQS"
    pressed = "[...document.querySelectorAll('[aria-pressed=true]')].map((b) => b.textContent)"
    for press in (str.upper, str.lower):
        for letter in letters:
            browser.press(press(letter))
            assert browser.run(pressed) == [letter]
        browser.press(press("R"))
        assert browser.run(pressed) == ["R Reference"]


def test_selected_take_is_shown_in_every_table(opened):
    shown = """[...document.querySelectorAll('.player')].filter((p) => p.offsetParent)
        .map((p) => p.dataset.take)"""
    assert set(opened.run(shown)) == {"flute-1", "violin-1"}
    opened.run(
        """(() => { const picker = document.querySelector("select.takes");
        picker.value = "flute-2"; picker.dispatchEvent(new Event("change")); })()"""
    )
    assert set(opened.run(shown)) == {"flute-2", "violin-1"}
    pickers = "[...document.querySelectorAll('select.takes')].map((p) => p.value)"
    assert opened.run(pickers) == ["flute-2"] * 3


def test_missing_sounds_are_reported_at_their_player(opened, written):
    sounds = written / "sounds" / "flute-2.js"
    hidden = sounds.rename(sounds.with_suffix(".away"))
    opened.run("choose(catalogue.find(({ id }) => id === 'flute-2'), 'full')")
    opened.wait_for("message.textContent.includes('sounds/flute-2.js is missing')")
    hidden.rename(sounds)
    assert any("ERR_FILE_NOT_FOUND" in error for error in opened.errors)
    opened.errors.clear()


@pytest.mark.parametrize("name", ["index.html", "listening_test.html"])
def test_pages_fit_a_phone_in_both_colour_schemes(opened, written, name):
    opened.call(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=740,
        deviceScaleFactor=2,
        mobile=True,
    )
    opened.call("Emulation.setTouchEmulationEnabled", enabled=True)
    papers = set()
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        opened.call("Emulation.setEmulatedMedia", features=[feature])
        opened.open(written / name)
        assert opened.run("document.documentElement.scrollWidth") <= 360
        opened.run("document.querySelectorAll('[hidden]').forEach((e) => { e.hidden = false; })")
        keys = "[...document.querySelectorAll('kbd')].filter((key) => key.offsetParent)"
        assert opened.run(f"{keys}.length") == 0  # a phone has no keyboard
        papers.add(opened.run("getComputedStyle(document.body).backgroundColor"))
    opened.call("Emulation.setTouchEmulationEnabled", enabled=False)
    opened.call("Emulation.clearDeviceMetricsOverride")
    assert len(papers) == 2


# --- listening test -------------------------------------------------------------------------------


def test_ratings_of_the_blind_test_are_saved_in_the_csv_file(opened, written, tmp_path):
    opened.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    opened.open(written / "listening_test.html")
    assert opened.run("document.getElementById('extent').textContent").startswith("2 pages, 12")
    opened.run("document.getElementById('listener').value = 'Ada \"L\", 1'")
    opened.click("#start button")
    expected = {}
    for trial in (1, 2):
        opened.wait_for("mixer.buffers.size > 0")
        visible = opened.run("document.getElementById('trial').outerHTML")
        words = ["lpc", "full", "reduced", "mcu", "anchor"]
        assert not [word for word in words if word in visible.lower()]
        take = opened.run("trials[trial].title")
        hidden = opened.run("stimuli.map(({ system }) => system)")
        assert sorted(hidden) == sorted(SYSTEMS)
        for index, system in enumerate(hidden):
            assert opened.run("document.getElementById('next').disabled")
            letter, rating = "ABCDEF"[index], 10 * trial + 7 * index
            opened.press(letter.lower())  # plays it and focuses its slider
            opened.wait_for(f"mixer.playing && mixer.system === '{system}'")
            opened.run(
                f"""(() => {{ const slider = document.activeElement; slider.value = {rating};
                slider.dispatchEvent(new Event("input")); }})()"""
            )
            expected[str(trial), take, system, letter] = str(rating)
        opened.click("#next")
    opened.wait_for("!document.getElementById('finish').hidden")
    opened.click("#download")
    [path] = wait_for_files(tmp_path, opened)
    assert re.fullmatch(r"ratings_Ada_L_1_\d{8}T\d{6}\.csv", path.name)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    found = {(r["trial"], r["take"], r["system"], r["letter"]): r["rating"] for r in rows}
    assert found == expected
    assert {(r["listener"], r["instrument"]) for r in rows} == {('Ada "L", 1', "flute")}


def wait_for_files(folder, browser):
    for _ in range(100):
        files = list(folder.glob("*.csv"))
        if files and files[0].stat().st_size:
            return files
        browser.run("new Promise((resolve) => setTimeout(resolve, 50))")
    return []


def test_order_of_the_hidden_systems_varies(opened, written):
    opened.open(written / "listening_test.html")
    orders = opened.run("Array.from({ length: 40 }, () => shuffled([0, 1, 2, 3]).join(''))")
    assert len(set(orders)) > 5
    assert all(sorted(order) == list("0123") for order in orders)
