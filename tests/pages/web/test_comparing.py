"""One switches between the models of an instrument while it plays."""

import numpy as np
import pytest
from support.web_page import GESTURELESS

pytestmark = [pytest.mark.browser, pytest.mark.firmware]


def voices(preset: int, note: int) -> str:
    """Returns a condition: one key sounds, with a preset."""
    return (
        "shown.voices.some(({ preset, note }) => "
        f"preset === {preset} && Math.round(note) === {note}) && isCurrent(shown)"
    )


def choose(kind: int) -> str:
    return f"""document.querySelector('[name="kind"][value="{kind}"]').click()"""


def test_key_that_is_down_plays_on_with_another_model(browse):
    browser = browse(GESTURELESS)
    browser.run("engine.start()")
    browser.run("engine.midi([0x90, 72, 100])")
    browser.wait_for(voices(0, 72))
    browser.run(choose(1))
    browser.wait_for(voices(4, 72))  # the flute's tiny model comes after four others
    assert browser.run("$('kind').textContent").startswith("a tiny network, taught by")
    assert browser.run("document.querySelector('[name=program]:checked').value") == "0"
    browser.run("engine.midi([0xc0, 2])")  # the instrument changes, the kind of model does not
    browser.run("engine.midi([0x90, 67, 100])")
    browser.wait_for(voices(6, 67))
    browser.run(choose(0))
    browser.wait_for(voices(2, 67))
    browser.run("engine.midi([0xc0, 9])")  # the firmware has such a preset, but no such instrument
    browser.wait_for("isCurrent(shown) && shown.program === 2")


def test_wind_instruments_begin_with_one_note_and_the_piano_with_chords(browse):
    browser = browse(GESTURELESS)
    browser.run("engine.start()")
    browser.wait_for("shown.isMono === 1")
    browser.run("""document.querySelector('[name="program"][value="1"]').click()""")
    browser.wait_for("isCurrent(shown) && shown.program === 1 && shown.isMono === 0")


def test_noise_can_be_left_out(browse):
    browser = browse()
    levels = browser.run(
        """(async () => {
        const found = [];
        for (const isOn of [true, false]) {
            const context = new OfflineAudioContext(1, 16000, 16000);
            const offline = new Engine(engine.workletCode, engine.module, models);
            await offline.open(context);
            offline.send({ do: "reverb", isOn: false });
            offline.send({ do: "noise", isOn });
            offline.midi([0x90, 81, 110]);
            await offline.look(new Float32Array(buffer.length));
            const samples = (await context.startRendering()).getChannelData(0);
            found.push(Array.from(samples.slice(-8000)));
        }
        return found;
    })()"""
    )
    with_noise, without = (
        np.abs(np.fft.rfft(np.array(samples) * np.hanning(8000))) for samples in levels
    )
    between = np.s_[550:750]  # 1.1 to 1.5 kHz, between the partials at 880 and 1760 Hz
    assert np.median(with_noise[between]) > 3 * np.median(without[between])
    assert with_noise.max() == pytest.approx(without.max(), rel=0.1)
