"""The page that the demo writes: what there is to hear, what the network says, what it costs."""

from pathlib import Path

import numpy as np

from pipeline.audio.features import Features
from pipeline.audio.pcm import from_pcm
from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.files import atomic_write
from pipeline.evaluation.demo import Demo, cycles_per_instruction
from pipeline.model.metrics import AUDIBLE_LEVEL
from pipeline.model.patches import Patch
from pipeline.pages import html
from pipeline.pages.diagrams import roles

BODY = """
<main style="--seconds:{seconds:.4f}">
<h1>{title}</h1>
<p class="lead">A recording is described by its pitch and loudness, {frame_ms:.0f} ms at a time.
From these two numbers a small neural network sets the levels of a six-operator FM synthesizer, in
integers, on a microcontroller. Everything below was played by its firmware in an emulator.</p>
{tiles}

<h2>Listen</h2>
<p>The same melody three times. All spectrograms share one scale, {quietest} to {loudest}.</p>
{players}
{time_axis}

<h2>What the network is told</h2>
<p>Two curves are all that the firmware gets of the recording. Pitch is held through pauses.</p>
{features}
{time_axis}

<h2>What the network answers</h2>
<p>The levels of the six operators, in dB below the largest. A carrier is heard; a modulator bends
the phase of another operator, by up to {max_level} of a turn, and makes its tone brighter. The
patch is <code>{routing}</code>, where <code>2&gt;1</code> means that operator 2 modulates operator
1.</p> <p class="key"><b>firmware, 8 bits</b> &emsp; <b class="line">float model</b> <span>&emsp;
mean difference {level_error:.2f} dB</span></p> {levels} {time_axis}

<h2>What it costs</h2>
<p>The same firmware, built for and run on {n_boards} cores. Instructions were counted by the
emulator while the melody played, bytes were read from the link map.</p> {costs} <p
class="note">Cycles and shares are estimates: the executed instructions are weighed by the cycles
that Arm’s manuals state for the core (for Cortex-M7 and M33, which have no such table, in
proportion to CoreMark), and waits of the flash are added where the model stays in it. Nothing was
measured on a chip.</p>

<h2>How good it is</h2>
<p>The firmware’s network {decoder_equals} the TensorFlow Lite Micro interpreter in all of its
{n_outputs:,} outputs, and its samples {pcm_equals} the Python simulation of the device.</p> <p>The
multi-scale spectral distance (MSS; 0 for equal sounds) of the firmware is {to_reference:.2f} to the
input and {to_float:.2f} to the float model: the first is what the model leaves out, the second what
integers cost, 8 bits in the network and 16 in the samples.</p>
</main>
"""


def write_page(demo: Demo, patch: Patch, out: Path) -> None:
    """Writes ``index.html`` beside the WAV files in `out`."""
    summary, core = demo.summary, demo.costs[demo.summary["target"]]["core"]
    seconds = len(demo.pcm["input"]) / SAMPLE_RATE
    title = f"A {summary['instrument']} on a {core}"
    body = BODY.format(
        title=title,
        seconds=seconds,
        frame_ms=1000 * HOP_SAMPLES / SAMPLE_RATE,
        tiles=_tiles(demo),
        quietest=_decibels(html.SPECTROGRAM_DB[0]),
        loudest=_decibels(html.SPECTROGRAM_DB[1]),
        players="\n".join(_players(demo, out)),
        time_axis=html.time_axis(seconds),
        features="\n".join(_feature_plots(demo.features)),
        max_level=MAX_LEVEL,
        routing=patch.routing.replace(">", "&gt;"),
        level_error=summary["level_error_db"],
        levels="\n".join(_level_plots(demo, patch)),
        n_boards=len(demo.costs),
        costs=_cost_table(demo),
        decoder_equals="equals" if summary["bit_exact"] else "differs from",
        n_outputs=demo.device_levels.size,
        pcm_equals="equal" if demo.pcm_equal else "differ from",
        to_reference=summary["mss_to_reference"],
        to_float=summary["mss_to_float"],
    )
    with atomic_write(out / "index.html") as temporary:
        temporary.write_text(html.page(title, body, styles=["style.css"], scripts=["demo.js"]))


def _decibels(number: float) -> str:
    return f"{number:.0f} dB".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


def _tiles(demo: Demo) -> str:
    summary, cost = demo.summary, demo.costs[demo.summary["target"]]
    exact = summary["bit_exact"] and demo.pcm_equal
    chip = cost["chips"][0]
    return html.tiles(
        [
            (
                "Firmware equals its reference",
                "bit for bit" if exact else "no",
                f"{len(demo.device_levels):,} frames",
            ),
            (
                "Network",
                f"{summary['decoder_instructions_per_frame']:,.0f}",
                "instructions a frame of 4 ms",
            ),
            (
                "FM synthesizer",
                f"{summary['fm_instructions_per_sample']:.1f}",
                "instructions a sample",
            ),
            (
                "Flash",
                f"{summary['firmware_flash_bytes'] / 1000:.1f} kB",
                f"{summary['model_bytes']:,} bytes of model",
            ),
            (
                "RAM",
                f"{summary['firmware_ram_bytes'] / 1000:.1f} kB",
                f"{summary['decoder_ram_bytes']:,} bytes of network",
            ),
            (
                chip["name"],
                f"{100 * chip['cpu_share']:.1f} %",
                f"of its time at {chip['clock_hz'] / 1e6:.0f} MHz, estimated",
            ),
        ]
    )


def _players(demo: Demo, out: Path) -> list[str]:
    core = demo.costs[demo.summary["target"]]["core"]
    texts = {
        "input": (
            "Input",
            "The recording: a melody that the demo composes and FluidSynth renders.",
        ),
        "float": (
            "Float model",
            "The trained model in floating point, without the room that it was trained with.",
        ),
        "firmware": (
            "Firmware",
            f"What came out of the firmware for {core}: 8-bit network, 32-bit integer FM.",
        ),
    }
    return [
        html.player(title, text, out / f"{name}.wav", from_pcm(demo.pcm[name]))
        for name, (title, text) in texts.items()
    ]


def _feature_plots(features: Features) -> list[str]:
    voiced = features.f0_hz[features.loudness_db > -60]
    lowest, highest = float(voiced.min()) * 0.94, float(voiced.max()) * 1.06
    pitch = html.curves_svg(
        [("main", np.log2(features.f0_hz))], np.log2(lowest), np.log2(highest), "Pitch over time"
    )
    loudness = html.curves_svg([("main", features.loudness_db)], -80, 0, "Loudness over time")
    return [
        html.plot(
            pitch,
            top=f"{highest:.0f} Hz",
            bottom=f"{lowest:.0f} Hz",
            size="medium",
            caption="Pitch",
        ),
        html.plot(
            loudness,
            top="0 dB",
            bottom="−80 dB",
            size="medium",
            caption="Loudness <span>A-weighted</span>",
        ),
    ]


def _level_plots(demo: Demo, patch: Patch) -> list[str]:
    plots = []
    for operator, role in enumerate(roles(patch)):
        floating, played = (
            20 * np.log10(np.maximum(levels[:, operator], AUDIBLE_LEVEL) / MAX_LEVEL)
            for levels in (demo.float_levels, demo.device_levels)
        )
        label = f"Level of operator {operator + 1} over time"
        drawing = html.curves_svg([("line", floating), ("main", played)], -60, 0, label)
        ratio = f"{float(patch.ratios[operator]):g}"
        caption = f"Operator {operator + 1} <span>{role}, ratio {ratio}</span>"
        plots.append(html.plot(drawing, top="0 dB", bottom="−60 dB", size="small", caption=caption))
    return plots


def _cost_table(demo: Demo) -> str:
    rows = []
    for row in demo.costs.values():
        size = row["bytes"]
        figures = [
            row["instructions_per_frame"]["decoder"],
            size["decoder_code"],
            size["model"],
            size["firmware_flash"],
            size["firmware_ram"],
        ]
        network, *sizes = [f"{round(figure):,}" for figure in figures]
        fm = f"{row['instructions_per_sample']['fm']:.1f}"
        for chip in row["chips"]:
            rows.append(
                [
                    f"{row['core']}<small>{row['board']}</small>",
                    network,
                    fm,
                    *sizes,
                    f"{chip['name']}<small>{chip['clock_hz'] / 1e6:.0f} MHz</small>",
                    f"{cycles_per_instruction(chip, row):.2f}",
                    f"{100 * chip['cpu_share']:.1f} %",
                ]
            )
    head = (
        "Core|Network instructions a frame|FM instructions a sample|Network code bytes|Model bytes|"
        "Flash bytes|RAM bytes|Chip|Cycles per instruction|Share of its time"
    )
    return html.table("Cost by core; the last two columns are estimates", head.split("|"), rows)
