"""The players of the listening page, used in a real browser."""

import shutil

import numpy as np
import pytest
from support.listening_page import SECONDS, SYSTEMS, samples_of

from pipeline.core.constants import SAMPLE_RATE, VARIANTS
from pipeline.pages.catalogue import page_systems

pytestmark = [pytest.mark.browser, pytest.mark.firmware]

FLOAT = 1 / 32767  # Chromium divides negative samples by 32768, positive ones by 32767


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
    opened.press("4")
    assert opened.run("mixer.system") == "full"
    opened.press(" ")
    assert not opened.run("mixer.playing")
    place = opened.run("mixer.position")
    opened.press("ArrowRight")
    assert opened.run("mixer.position") == pytest.approx(min(place + 1, SECONDS), abs=1e-6)
    opened.run("document.querySelector('.player .play').focus()")
    opened.press("Enter")
    opened.wait_for("mixer.playing && mixer.system === 'reference'")


def test_every_system_has_its_own_key_in_upper_and_lower_case(browser, many):
    browser.open(many / "index.html")
    systems = [system.name for system in page_systems(VARIANTS, VARIANTS)]
    named = browser.run("[...document.querySelectorAll('.keys kbd')].map((k) => k.textContent)")
    assert named == ["Space", "1", "9", "A", "O", "←", "→", "L"]
    browser.press(" ")
    browser.wait_for("mixer?.playing")
    shown = browser.run("[...choices.querySelectorAll('kbd')].map((k) => k.textContent)")
    assert "".join(shown) == "123456789ABCDEFGHIJKMNO" and len(systems) == 23
    for keys in (shown, [key.lower() for key in shown]):
        selected = []
        for key in keys:
            browser.press(key)
            selected.append(browser.run("mixer.system"))
        assert selected == systems
    for key, loops in (("L", True), ("l", False)):
        browser.press(key)
        assert browser.run("mixer.loop") is loops and browser.run("mixer.system") == systems[-1]


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


def test_missing_sounds_are_reported_at_their_player(browser, written, tmp_path):
    page = shutil.copytree(written, tmp_path / "page")
    (page / "sounds" / "flute-2.js").unlink()
    browser.errors.clear()
    browser.open(page / "index.html")
    browser.run("choose(catalogue.find(({ id }) => id === 'flute-2'), 'full')")
    browser.wait_for("message.textContent.includes('sounds/flute-2.js is missing')")
    assert any("ERR_FILE_NOT_FOUND" in error for error in browser.errors)


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
