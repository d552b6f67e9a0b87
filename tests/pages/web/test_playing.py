"""The instrument page plays the samples of the host, through its real audio thread."""

import json

import mido
import numpy as np
import pytest
from support.chromium import Browser
from support.midi_files import note, write_tracks
from support.sounds import make_tone
from support.web_page import GESTURELESS, clicks, held

from pipeline.audio.pcm import to_pcm
from pipeline.core.instrument_config import shipped_instruments
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.reference.upsampler import upsample
from pipeline.target.midi_score import load_piece
from pipeline.target.player import perform
from pipeline.target.transfer import transfer

pytestmark = [pytest.mark.browser, pytest.mark.firmware]

VIOLIN = shipped_instruments().index("violin")
MAX_BYTES = 1_500_000


@pytest.fixture(scope="module")
def tune(tmp_path_factory):
    """A MIDI file with chords, slurs, tempo changes and controllers."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=400_000)])
    messages = [
        mido.Message("note_on", note=60, velocity=90, time=30),
        mido.Message("note_on", note=67, velocity=100, time=240),
        mido.Message("control_change", control=1, value=90, time=50),
        mido.Message("pitchwheel", pitch=3000, time=100),
        mido.Message("note_off", note=60, time=200),
        mido.MetaMessage("set_tempo", tempo=700_000, time=10),
        mido.Message("note_on", note=72, velocity=127, time=77),
        mido.Message("note_off", note=67, time=123),
        mido.Message("note_on", note=72, velocity=0, time=200),
    ]
    track.extend(messages)
    path = tmp_path_factory.mktemp("tune") / "tune.mid"
    mido.MidiFile(tracks=[mido.MidiTrack([mido.MetaMessage("text", text="x")]), track]).save(path)
    return path


def rendered(browser: Browser, rate: int, n_samples: int, setting: str) -> np.ndarray:
    """Renders with a new engine in an OfflineAudioContext, after `setting` has taken effect."""
    values = browser.run(
        f"""(async () => {{
        const context = new OfflineAudioContext(1, {n_samples}, {rate});
        const offline = new Engine(engine.workletCode, engine.module, models);
        await offline.open(context);
        {setting}
        await offline.look(new Float32Array(buffer.length)); // until all messages are handled
        const samples = (await context.startRendering()).getChannelData(0);
        return Array.from(samples, (x) => 32768 * x);
    }})()"""
    )
    return np.array(values)


def playing(path, reverb: bool) -> str:
    content = json.dumps(list(path.read_bytes()))
    return f"""offline.send({{ do: "reverb", isOn: {int(reverb)} }});
        offline.midi([0xc0, {VIOLIN}]);
        offline.send({{ do: "load", tune: readMidiFile(Uint8Array.from({content}).buffer) }});
        offline.send({{ do: "play", isOn: true }});"""


def test_page_is_one_small_file_that_plays_a_midi_file_as_the_host_does(
    page, browse, host_player, tune
):
    assert page.stat().st_size < MAX_BYTES
    score = [(0, bytes([0xC0, VIOLIN])), *load_piece(tune).score]
    expected = perform(host_player, score).pcm
    assert np.abs(expected).max() > 3000
    browser = browse()
    for rate, samples in ((16_000, expected), (48_000, upsample(expected))):
        played = rendered(browser, rate, len(samples), playing(tune, reverb=True))
        np.testing.assert_array_equal(played, samples)


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000, 192_000])
def test_page_plays_at_any_rate(browse, host_player, tune, rate):
    expected = perform(host_player, [(0, bytes([0xC0, VIOLIN])), *load_piece(tune).score]).pcm[
        :16_000
    ]
    played = rendered(browse(), rate, rate, playing(tune, reverb=True))
    n_bins = 3500  # Hz; a rate of 8 kHz has no more
    ours, theirs = (
        np.abs(np.fft.rfft(x))[:n_bins] / n for x, n in ((played, rate), (expected, 16_000))
    )
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=0.02)


def test_page_follows_a_recording_as_the_host_does(browse, host_transfer):
    parts = [np.zeros(300), make_tone(0.5, 330, level=0.4), make_tone(0.4, 587, level=0.7)]
    sound = to_pcm(np.concatenate(parts))
    low, high = LIVE_F0_HZ
    expected = transfer(host_transfer, sound, f0_min_hz=low, f0_max_hz=high, gain_db="live").pcm
    setting = f"""const source = Int16Array.from({json.dumps(sound.tolist())});
        offline.send({{ do: "live", isOn: true, ratio: 1, gainDb: null, source }});"""
    played = rendered(browse(), 16_000, len(expected), setting)
    assert np.abs(expected).max() > 1000
    np.testing.assert_array_equal(played, expected)


def test_microphone_is_opened_once_and_takes_over_from_a_recording(browse):
    browser = browse(
        *(GESTURELESS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    )
    browser.run("engine.start()")
    browser.run(
        """(() => {
        const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
        window.nAsked = 0;
        devices.getUserMedia = (wanted) => (window.nAsked++, ask(wanted));
        setLive(true, new Int16Array(16000 * 60));
    })()"""
    )
    browser.wait_for("isCurrent(shown) && shown.sourceBlock > 0")
    browser.run("$('microphone').click(), $('microphone').click()")
    browser.wait_for("isLive && !isRecording && isCurrent(shown) && shown.sourceBlock < 0")
    assert browser.run("nAsked") == 1


def test_two_fingers_the_mouse_and_the_letters_play_notes(browse):
    browser = browse(GESTURELESS)
    browser.run("setMode(false), engine.start()")
    fingers = [clicks(browser, note) | {"id": note} for note in (72, 76)]
    browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=fingers)
    browser.wait_for(held([72, 76]))
    browser.wait_for("document.querySelector('[data-note=\"72\"]').strength > 0.2")
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    mouse = clicks(browser, 79) | {"button": "left", "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mousePressed", **mouse)
    browser.wait_for(held([79]))
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", **mouse)
    typed = {"code": "KeyD", "key": "d"}  # E, two white keys above C
    browser.call("Input.dispatchKeyEvent", type="keyDown", **typed)
    browser.wait_for(held([76]))
    assert browser.run("$('now').textContent").startswith("E5")
    assert browser.run("engine.outputSeconds >= 0 && parseInt($('latency').textContent) > 0")
    browser.call("Input.dispatchKeyEvent", type="keyUp", **typed)
    browser.wait_for(held([]))
    assert browser.run("$('now').textContent") == "silent"


def test_a_thousand_notes_a_second_are_played_without_error(browse):
    browser = browse(GESTURELESS)
    browser.run("setMode(false), engine.start()")
    browser.run(
        """(async () => {
        for (let i = 0; i < 2000; i++) {
            engine.midi([0x90, 40 + i % 50, 100]);
            engine.midi([0x80, 40 + (i + 20) % 50, 0]);
            if (i % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 20));
        }
    })()"""
    )
    browser.wait_for("shown.stolen > 100")
    browser.run("$('reset').click()")
    browser.wait_for(held([]))
    assert browser.run("$('trouble').textContent") == ""


def test_tune_that_faded_out_bent_and_gliding_plays_the_same_again(browse, tune, tmp_path):
    file = mido.MidiFile(tune)
    controllers = {7: 0, 11: 0, 65: 127, 5: 60, 101: 0, 100: 0, 6: 12}
    file.tracks[1].extend(
        mido.Message("control_change", control=number, value=value)
        for number, value in controllers.items()
    )
    file.tracks[1].append(mido.Message("pitchwheel", pitch=5000))
    file.save(tmp_path / "faded.mid")
    last = load_piece(tmp_path / "faded.mid").score[-1][0]
    once = playing(tmp_path / "faded.mid", reverb=False)
    through = f"""offline.send({{ do: "seek", block: {last + 1} }});
        offline.send({{ do: "seek", block: 0 }});"""
    browser = browse()
    expected = rendered(browser, 16_000, 16_000, once)
    assert np.abs(expected).max() > 1000
    np.testing.assert_array_equal(rendered(browser, 16_000, 16_000, once + through), expected)


def test_channel_of_a_midi_file_is_chosen(browse, tmp_path):
    parts = (note(72, 9000), note(52, 9000, channel=2), note(36, 100, channel=10))
    content = json.dumps(list(write_tracks(tmp_path / "band.mid", *parts).read_bytes()))
    browser = browse(GESTURELESS)
    browser.run(f"openTune(Uint8Array.from({content}).buffer, 'band.mid')")
    browser.run("setMode(false)")
    browser.wait_for(held([52, 72]))
    said = "band.mid: 2 notes; not played: 1 note of drums"
    assert browser.run("$('tune-name').textContent") == said
    assert browser.run("[...$('tune-channel').options].map((option) => option.text)") == [
        "all channels but the drums",
        *("channel 1, 1 note", "channel 2, 1 note", "channel 10 (drums), 1 note"),
    ]
    browser.run("$('tune-channel').value = 2, $('tune-channel').dispatchEvent(new Event('change'))")
    browser.wait_for(held([52]))
    assert (
        browser.run("$('tune-name').textContent + $('tune-channel').value") == "band.mid: 1 note2"
    )


def test_second_midi_file_plays_while_the_first_is_playing(browse, tune):
    browser = browse(GESTURELESS)
    content = json.dumps(list(tune.read_bytes()))
    opening = f"openTune(Uint8Array.from({content}).buffer, 'tune.mid')"
    for _ in range(2):
        browser.run(f"{opening}; touched()")  # figures from before no longer count
        browser.wait_for("isTunePlaying && isCurrent(shown) && shown.tuneBlock > 50")
