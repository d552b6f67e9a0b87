"""What the instrument page keeps: recordings, and settings in its address."""

import io
import wave

import mido
import numpy as np
import pytest
from support.web_page import GESTURELESS, held

pytestmark = [pytest.mark.browser, pytest.mark.firmware]


def saved(browser, name: str) -> bytes:
    """Returns the file that a link of the page saves."""
    return bytes(
        browser.run(
            f"""(async () => {{
            const link = document.querySelector('a[download="{name}"]');
            return Array.from(new Uint8Array(await (await fetch(link.href)).arrayBuffer()));
        }})()"""
        )
    )


def test_recording_holds_the_sound_and_the_notes(browse):
    browser = browse(GESTURELESS)
    browser.run("engine.start()")
    browser.run("$('record').click()")
    browser.wait_for("recorder.isOn")
    browser.run("engine.midi([0x90, 72, 100])")
    browser.wait_for(held([72]))
    begun = browser.run("engine.context.currentTime")
    browser.wait_for(f"engine.context.currentTime > {begun} + 0.3")  # it has swelled
    browser.run("engine.midi([0x80, 72, 0])")
    browser.wait_for(held([]))
    browser.run("$('record').click()")
    browser.wait_for("document.querySelectorAll('a[download]').length === 2")
    with wave.open(io.BytesIO(saved(browser, "instrument.wav"))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.abs(pcm).max() > 1000
    pitch_hz = np.argmax(np.abs(np.fft.rfft(pcm, 1 << 20))) * 48_000 / (1 << 20)
    assert pitch_hz == pytest.approx(440 * 2 ** (3 / 12), rel=0.01)
    messages = list(mido.MidiFile(file=io.BytesIO(saved(browser, "instrument.mid"))))
    notes = [message for message in messages if not message.is_meta]
    assert [(note.type, note.note) for note in notes] == [("note_on", 72), ("note_off", 72)]
    assert 0 < notes[1].time < len(pcm) / 48_000


def test_address_restores_instrument_and_settings(browse):
    browser = browse(GESTURELESS)
    address = "#program=3&kind=1&mode=poly&volume=50&glide=20&reverb=0&noise=0"
    browser.run(f"restoreSettings('{address}&nonsense=1')")
    browser.run("rememberSettings()")
    assert browser.run("location.hash") == address
    browser.run("engine.start()")
    browser.wait_for("shown.program === 7 && shown.isMono === 0 && shown.volume === 50")
    browser.run("restoreSettings('#program=17&mode=all')")
    assert browser.run("document.querySelector('[name=program]:checked').value") == "3"


def test_midi_before_the_first_gesture_asks_for_one(browse):
    browser = browse()
    browser.run("midiInput.play([0x90, 72, 100], { timeStamp: performance.now() })")
    assert browser.run("$('trouble').textContent").startswith("Turn on the sound first")
