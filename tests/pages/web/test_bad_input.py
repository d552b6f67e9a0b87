"""What the instrument page says, in one line each, when something is missing or broken."""

import json

import mido
import pytest
from support.web_page import GESTURELESS, clicks

pytestmark = [pytest.mark.browser, pytest.mark.firmware]


def dropped(browser, name: str, content: bytes) -> None:
    """Drops a file onto the page."""
    browser.run(f"""openFile(new File([Uint8Array.from({json.dumps(list(content))})], "{name}"))""")


def trouble(browser) -> str:
    return browser.run("$('trouble').textContent")


def test_file_that_cannot_be_played_is_reported_and_the_next_one_plays(browse, tmp_path):
    browser = browse(GESTURELESS)
    dropped(browser, "broken.mid", b"MThd")
    assert trouble(browser) == (
        "broken.mid cannot be played: it ends too early. Export it again as a Standard MIDI File."
    )
    dropped(browser, "noise.wav", b"no sound")
    assert trouble(browser) == (
        "noise.wav cannot be followed: it is no sound that this browser can read."
    )
    track = mido.MidiTrack([mido.Message("note_on", note=72, time=0)])
    track.append(mido.Message("note_off", note=72, time=4000))
    mido.MidiFile(tracks=[track]).save(tmp_path / "good.mid")
    dropped(browser, "good.mid", (tmp_path / "good.mid").read_bytes())
    browser.wait_for("shown.voices.length === 1")
    assert trouble(browser) == ""
    assert browser.run("$('tune-name').textContent") == "good.mid: 1 note"
    assert browser.run("$('tune-toggle').getAttribute('aria-label')") == "Pause"
    browser.wait_for("!isTunePlaying && $('tune-place').value === '1000'")  # four seconds long
    assert browser.run("$('tune-toggle').getAttribute('aria-label')") == "Play"


def test_microphone_and_midi_that_are_missing_are_named(browse):
    browser = browse(GESTURELESS, "--deny-permission-prompts")
    browser.run("delete Navigator.prototype.requestMIDIAccess")
    browser.run("$('connect').click()")
    browser.wait_for("$('midi-state').textContent.startsWith('This browser has no Web MIDI')")
    browser.run("$('microphone').click()")
    browser.wait_for(
        "/^(No microphone was found|The microphone was not)/.test($('trouble').textContent)"
    )
    assert browser.run("$('microphone').getAttribute('aria-pressed')") == "false"
    browser.run("delete MediaDevices.prototype.getUserMedia")
    browser.run("$('microphone').click()")
    browser.wait_for("$('trouble').textContent.startsWith('This page cannot use a microphone')")


def test_microphone_is_followed_and_released(browse):
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    browser = browse(GESTURELESS, *fake)  # the device beeps
    browser.run("$('microphone').click()")
    browser.wait_for("$('microphone').textContent === 'Stop' && shown.voices.length === 1")
    browser.wait_for("Math.max(...loudness.values.filter((x) => x > -80)) > -60")
    browser.run("$('microphone').click()")
    browser.wait_for("shown.voices.length === 0")
    assert browser.run("live.stream === null") and trouble(browser) == ""


def test_sound_starts_with_the_first_gesture_and_wakes_up_with_the_next(browse):
    browser = browse()
    assert browser.run("engine.context") is None
    place = clicks(browser, 72) | {"button": "left", "clickCount": 1}
    for _ in range(2):
        browser.call("Input.dispatchMouseEvent", type="mousePressed", **place)
        browser.wait_for("engine.isRunning && shown.voices.length === 1")
        browser.call("Input.dispatchMouseEvent", type="mouseReleased", **place)
        browser.wait_for("shown.voices.length === 0")
        assert browser.run("$('start').textContent") == "The sound is on"
        browser.run("engine.context.suspend()")  # as a browser does to a page that sleeps
        browser.wait_for("$('start').textContent === 'Turn on the sound'")
    assert trouble(browser) == ""


def test_browser_without_audio_thread_gets_one_line(browse):
    browser = browse()
    browser.run("delete window.AudioWorkletNode")
    assert browser.run("Engine.missing()").startswith("This browser has no AudioWorklet")
    browser.run("delete window.WebAssembly")
    assert browser.run("Engine.missing()").startswith("This browser has no WebAssembly")
