"""The demo with a small model: its figures, its five lines of output and its page."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile as sf
from support.sounds import make_tone

from pipeline.audio import composition, pcm, soundfont
from pipeline.audio.features import extract_features
from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import from_pcm
from pipeline.core.constants import CALIBRATED_LEVEL_DB, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument
from pipeline.core.patch_files import load_patch
from pipeline.evaluation import demo as evaluation_demo
from pipeline.pages import demo_page, html
from pipeline.reference import device

KEYS = [  # documented keys of the summary
    "instrument",
    "variant",
    "target",
    "engine",
    "audio_seconds",
    "bit_exact",
    "mss_to_reference",
    "mss_to_float",
    "level_error_db",
    "decoder_instructions_per_frame",
    "fm_instructions_per_sample",
    "decoder_code_bytes",
    "model_bytes",
    "decoder_ram_bytes",
    "firmware_flash_bytes",
    "firmware_ram_bytes",
    "cpu_share",
]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "input.wav"
    sf.write(path, make_tone(0.8), SAMPLE_RATE, subtype="PCM_16")
    return path


def play(recording, run_dir):
    return evaluation_demo.play(
        recording,
        load_instrument("flute"),
        run_dir,
        variant="reduced_cd",
        target="qemu_m4",
        boards=["qemu_m4"],
    )


@pytest.fixture(scope="module")
def played(recording, small_run):
    return play(recording, small_run)


@pytest.fixture(scope="module")
def page(played, tmp_path_factory):
    out = tmp_path_factory.mktemp("page")
    for name, samples in played.pcm.items():
        pcm.write_wav(out / f"{name}.wav", samples)
    demo_page.write_page(played, load_patch("flute"), out)
    return (out / "index.html").read_text()


class Page(HTMLParser):
    """Collects tags with their attributes, and checks that they close in order."""

    VOID = ("meta", "link", "img")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def find(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.firmware
def test_summary_has_the_documented_keys_and_the_firmware_is_bit_exact(played):
    summary = played.summary
    assert list(summary) == KEYS
    assert summary["bit_exact"] is True and played.pcm_equal
    assert summary["audio_seconds"] == 0.8
    assert set(summary["cpu_share"]) == {"STM32F407"} and 0 < summary["cpu_share"]["STM32F407"] < 1
    assert summary["firmware_flash_bytes"] > summary["model_bytes"] + summary["decoder_code_bytes"]
    assert summary["firmware_ram_bytes"] > summary["decoder_ram_bytes"] > 0
    assert summary["mss_to_float"] < summary["mss_to_reference"]


@pytest.mark.firmware
def test_one_wrong_output_of_the_decoder_is_reported(recording, small_run, monkeypatch, tmp_path):
    def simulate(*arguments, **options):
        truth = device.simulate(*arguments, **options)
        logits, pcm = truth.logits.copy(), truth.pcm.copy()
        logits[-1, 0] ^= 1
        pcm[-1] ^= 1
        return dataclasses.replace(truth, logits=logits, pcm=pcm)

    module = type("Module", (), {"simulate": staticmethod(simulate)})
    monkeypatch.setattr(evaluation_demo, "device", module)
    wrong = play(recording, small_run)
    assert wrong.summary["bit_exact"] is False and not wrong.pcm_equal
    assert evaluation_demo.five_lines(wrong, tmp_path)[1].count("DIFFERS") == 2


@pytest.mark.firmware
def test_five_lines_report_what_was_measured(played, tmp_path):
    lines = evaluation_demo.five_lines(played, tmp_path)
    assert len(lines) == 5 and all("\n" not in line for line in lines)
    summary = played.summary
    assert f"{summary['decoder_instructions_per_frame']:,.0f} per frame" in lines[2]
    assert f"flash {summary['firmware_flash_bytes']:,} bytes" in lines[3]
    assert "estimated" in lines[4] and "STM32F407 at 168 MHz" in lines[4]
    assert re.search(r"\d\.\d\d cycles per instruction", lines[4])


@pytest.mark.firmware
def test_page_is_well_formed_and_loads_no_other_file(page):
    parsed = Page(page)
    sources = [a["src"] for tag, a in parsed.tags if "src" in a]
    links = [a["href"] for tag, a in parsed.tags if "href" in a]
    assert all(source.startswith("data:") for source in sources + links)
    assert "http" not in page and "@import" not in page and "url(" not in page
    assert len(parsed.find("audio")) == len(parsed.find("img")) == 3


@pytest.mark.firmware
def test_page_says_what_is_heard(played, page):
    assert set(played.figures) == {"float", "firmware"}
    assert page.count("Beside the input: ") == 2
    error_db = played.figures["firmware"]["partial_error_db"]
    assert error_db > 1 and f"overtones off by {error_db:.0f} dB" in page


@pytest.mark.firmware
def test_input_is_played_at_the_level_of_training(played):
    pitched = played.features.loudness_db[played.features.confidence >= 0.8]
    assert np.percentile(pitched, 95) == pytest.approx(CALIBRATED_LEVEL_DB, abs=0.3)
    loudness = extract_features(
        from_pcm(played.pcm["input"]), f0_min_hz=230, f0_max_hz=2300
    ).loudness_db
    np.testing.assert_allclose(loudness, played.features.loudness_db, atol=0.01)


@pytest.mark.firmware
def test_page_is_accessible(page):
    parsed = Page(page)
    assert all("controls" in audio and audio["aria-label"] for audio in parsed.find("audio"))
    assert all(image["alt"] for image in parsed.find("img"))
    assert all(svg["aria-label"] for svg in parsed.find("svg"))
    assert len(parsed.find("svg")) == 8  # pitch, loudness, six operators
    assert parsed.find("html")[0]["lang"] == "en"
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    assert all("scope" in cell for cell in parsed.find("th"))


def test_spectrogram_shows_a_tone_at_its_pitch(tmp_path):
    from matplotlib.image import imread

    path = tmp_path / "tone.png"
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    path.write_bytes(html.spectrogram_png(0.5 * np.sin(2 * np.pi * 1000 * t)))
    image = imread(path)[..., :3].sum(axis=2)
    width, height = html.IMAGE_SIZE
    assert image.shape == (height, width)
    # The axis reaches from 125 Hz at the bottom to 8 kHz at the top, so 1 kHz is in the middle.
    brightest = image[:, width // 2].argmax()
    assert abs(brightest - height / 2) < 6


def test_curves_span_the_lowest_to_the_highest_value():
    values = np.array([0.0, MAX_LEVEL, 2 * MAX_LEVEL, np.nan, np.nan, MAX_LEVEL / 2])
    svg = html.curves_svg([("line", values)], 0, MAX_LEVEL, "Level")
    assert re.findall(r'points="([^"]*)"', svg) == [
        "0.0,100.0 200.0,0.0 400.0,0.0",
        "1000.0,50.0",
    ]


@pytest.mark.fluidsynth
def test_composed_input_is_a_melody_of_the_instrument(tmp_path):
    config = load_instrument("flute")
    melody = composition.compose_melody(config)
    soundfont.render_excerpt(melody, config.corpus.gm_program, tmp_path / "input.wav")
    audio = load_audio(tmp_path / "input.wav")
    assert 5 < len(audio) / SAMPLE_RATE < 12
    assert np.abs(audio[-soundfont.TAIL_SAMPLES :]).max() <= soundfont.SILENCE
    features = extract_features(audio, **config.data.f0_bounds)
    loud = features.loudness_db > -40
    assert np.mean(features.confidence[loud] > 0.8) > 0.9
    notes = np.round(69 + 12 * np.log2(features.f0_hz[loud] / 440))
    assert len(set(notes)) >= 5
    assert set(notes) <= set(range(config.corpus.lowest_note, config.corpus.highest_note + 1))


@pytest.mark.firmware
def test_wav_files_hold_the_compared_samples(played):
    for name, samples in played.pcm.items():
        assert samples.dtype == np.int16 and len(samples) == round(0.8 * SAMPLE_RATE), name
    assert np.abs(from_pcm(played.pcm["firmware"])).max() > 0.001
