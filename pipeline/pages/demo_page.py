"""Writes the page of the demo: three sounds, the network's input and output, and the cost."""

from pathlib import Path

import numpy as np

from pipeline.audio.features import Features
from pipeline.audio.pcm import from_pcm
from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.files import atomic_write
from pipeline.core.patch import Patch
from pipeline.evaluation.demo import Demo, cycles_per_instruction
from pipeline.model.metrics import AUDIBLE_LEVEL
from pipeline.pages import html
from pipeline.pages.diagrams import roles
from pipeline.pages.heard import describe
from pipeline.pages.web_link import web_link

COST_COLUMNS = (
    "Core",
    "Network instructions per frame",
    "FM instructions per sample",
    "Network code bytes",
    "Model bytes",
    "Flash bytes",
    "RAM bytes",
    "Chip",
    "Cycles per instruction",
    "CPU share",
)


def write_page(demo: Demo, patch: Patch, out: Path) -> None:
    """Writes ``index.html`` beside the WAV files in `out`."""
    summary, core = demo.summary, demo.costs[demo.summary["target"]]["core"]
    seconds = len(demo.pcm["input"]) / SAMPLE_RATE
    title = f"A {summary['instrument']} on a {core}"
    body = html.fill_template(
        "demo.html",
        title=title,
        seconds=seconds,
        frame_ms=1000 * HOP_SAMPLES / SAMPLE_RATE,
        tiles=_tiles(demo),
        quietest=html.quantity(html.SPECTROGRAM_DB[0], "dB"),
        loudest=html.quantity(html.SPECTROGRAM_DB[1], "dB"),
        players="\n".join(_players(demo, out)),
        time_axis=html.time_axis(seconds),
        features="\n".join(_feature_plots(demo.features)),
        max_level=MAX_LEVEL,
        routing=patch.routing.replace(">", "&gt;"),
        level_error=summary["level_error_db"],
        levels="\n".join(_level_plots(demo, patch)),
        n_boards=len(demo.costs),
        costs=_cost_table(demo),
        equal_outputs=_count(summary["bit_exact"], demo.device_levels.size, "outputs"),
        equal_samples=_count(demo.pcm_equal, len(demo.pcm["firmware"]), "samples"),
        to_reference=summary["mss_to_reference"],
        to_float=summary["mss_to_float"],
        web_link=web_link(out),
    )
    with atomic_write(out / "index.html") as temporary:
        temporary.write_text(html.page(title, body, styles=["style.css"], scripts=["demo.js"]))


def _count(equal: bool, number: int, things: str) -> str:
    return f"All {number:,} {things}" if equal else f"Not all of the {number:,} {things}"


def _tiles(demo: Demo) -> str:
    summary, cost = demo.summary, demo.costs[demo.summary["target"]]
    exact = summary["bit_exact"] and demo.pcm_equal
    chip = cost["chips"][0]
    network = f"{summary['decoder_instructions_per_frame']:,.0f}"
    fm = f"{summary['fm_instructions_per_sample']:.1f}"
    flash = f"{summary['firmware_flash_bytes'] / 1000:.1f} kB"
    ram = f"{summary['firmware_ram_bytes'] / 1000:.1f} kB"
    return html.tiles(
        [
            (
                "Firmware equals its reference",
                "bit for bit" if exact else "no",
                f"{len(demo.device_levels):,} frames",
            ),
            ("Network", network, "instructions per frame of 4 ms"),
            ("FM synthesizer", fm, "instructions per sample"),
            ("Flash", flash, f"{summary['model_bytes']:,} bytes for the model"),
            ("RAM", ram, f"{summary['decoder_ram_bytes']:,} bytes for the network"),
            (
                chip["name"],
                f"{100 * chip['cpu_share']:.1f} %",
                f"CPU share at {chip['clock_hz'] / 1e6:.0f} MHz, estimated",
            ),
        ]
    )


def _players(demo: Demo, out: Path) -> list[str]:
    core = demo.costs[demo.summary["target"]]["core"]
    texts = {
        "input": (
            "Input",
            "A melody that the demo composed and FluidSynth rendered. It serves as the recording.",
        ),
        "float": (
            "Float model",
            "The trained model in floating point, without the reverb that it was trained with.",
        ),
        "firmware": (
            "Firmware",
            f"The output of the firmware for {core}: 8-bit network, 32-bit integer FM, no reverb.",
        ),
    }
    for name, figures in demo.figures.items():
        title, text = texts[name]
        texts[name] = (title, f"{text} Beside the input: {', '.join(describe(figures))}.")
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
    return html.table("Cost by core; the last two columns are estimates", COST_COLUMNS, rows)
