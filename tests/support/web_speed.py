"""Compares the speed of the instrument page with that of the same C on this machine.

    PYTHONPATH=tests python -m support.web_speed [--run DIR] [--voices N]

The same notes are rendered natively, by the module in Node.js, and by the page in Chromium, in
turns, and the processor time of a block is the difference between a long and a short rendering. The
ratios hold for one machine and one run; the absolute times depend on what else runs.
"""

import argparse
import base64
import os
import re
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from support.chromium import Browser
from support.web_module import play_module
from support.web_page import GESTURELESS

from pipeline.core.cli import run_main
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES
from pipeline.core.paths import MODEL_DIR
from pipeline.pages.web_build import build_web_page
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.player import Score, build_player, perform
from pipeline.target.sources import generate

SHORT, LONG = 250, 2500  # blocks
REPEATS = 3
MAX_VOICES = ALL_BOARDS["wasm"].n_voices
Render = Callable[[int, int], int]
"""Renders a number of voices for a number of blocks; returns the sum of all absolute samples."""


def score(n_voices: int, n_blocks: int) -> Score:
    """Returns notes that sound to the end."""
    notes = [(0, bytes([0x90, 60 + 2 * i, 100])) for i in range(n_voices)]
    return [*notes, (n_blocks - 1, b"\xfe")]


def _sum(pcm: np.ndarray, n_blocks: int) -> int:
    """Returns the sum of the absolute samples without those of notes that die away afterwards."""
    return int(np.abs(pcm[: n_blocks * HOP_SAMPLES].astype(int)).sum())


def children_seconds() -> float:
    """Returns the processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree_seconds(root: int) -> float:
    """Returns the processor time of a running process and its descendants."""
    parents, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        number = int(path.parent.name)
        parents[number], ticks[number] = int(fields[1]), int(fields[11]) + int(fields[12])
    tree = [root]
    for number in tree:
        tree += [child for child, parent in parents.items() if parent == number]
    return sum(ticks.get(number, 0) for number in tree) / os.sysconf("SC_CLK_TCK")


def render_in_browser(browser: Browser, n_voices: int, n_blocks: int) -> int:
    """Renders with a new audio thread of the page."""
    return browser.run(
        f"""(async () => {{
        const context = new OfflineAudioContext(1, {n_blocks * HOP_SAMPLES}, 16000);
        const offline = new Engine(engine.workletCode, engine.module, models);
        await offline.open(context);
        for (let i = 0; i < {n_voices}; i++) offline.midi([0x90, 60 + 2 * i, 100]);
        await offline.look(new Float32Array(buffer.length));
        const samples = (await context.startRendering()).getChannelData(0);
        return samples.reduce((sum, x) => sum + Math.abs(32768 * x), 0);
    }})()"""
    )


def first_sound_ms(page: Path, profile: Path) -> float:
    """Returns the time from opening the page to the first sound of a key that is pressed then."""
    browser = Browser(profile, options=[GESTURELESS])
    try:
        browser.open(page)
        browser.call("Input.dispatchKeyEvent", type="keyDown", code="KeyA", key="a")
        browser.wait_for("shown.voices.length > 0")
        return float(browser.run("performance.now()"))
    finally:
        browser.close()


def block_seconds(render: Render, clock: Callable[[], float], n_voices: int) -> tuple[float, int]:
    """Returns the processor time of a block, and the sum of the samples of the long rendering."""
    start = clock()
    render(n_voices, SHORT)
    middle = clock()
    total = render(n_voices, LONG)
    return (clock() - middle - (middle - start)) / (LONG - SHORT), total


def measure(page: Path, run_dir: Path, n_voices: int, folder: Path) -> dict[str, float]:
    """Returns the least processor time of a block by way to play it, in seconds.

    Raises:
        AssertionError: They do not play the same.
    """
    module = folder / "module"
    encoded = re.search(r'id="module">(.*?)</script>', page.read_text(), re.S)
    assert encoded is not None
    module.write_bytes(base64.b64decode(encoded[1]))
    host = build_player("host", generate(run_dir), n_voices=MAX_VOICES, build_dir=folder / "host")
    browser = Browser(folder / "profile")
    try:
        browser.open(page)
        root = browser.process_id
        ways: dict[str, tuple[Render, Callable[[], float]]] = {
            "native": (lambda n, m: _sum(perform(host, score(n, m)).pcm, m), children_seconds),
            "node": (
                lambda n, m: _sum(play_module(module, score=score(n, m)), m),
                children_seconds,
            ),
            "chromium": (
                lambda n, m: render_in_browser(browser, n, m),
                lambda: tree_seconds(root),
            ),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPEATS):
            totals = set()
            for way, (render, clock) in ways.items():
                seconds, total = block_seconds(render, clock, n_voices)
                times[way].append(seconds)
                totals.add(total)
            assert len(totals) == 1, f"the sums of the samples differ: {totals}"
    finally:
        browser.close()
    return {way: min(each) for way, each in times.items()}


def main() -> None:
    """Prints time per block, load per voice, real-time factor and ratio of each way to play."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--run", type=Path, default=MODEL_DIR / "flute" / "reduced_cd")
    parser.add_argument("--voices", type=int, default=MAX_VOICES, choices=range(1, MAX_VOICES + 1))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        page = build_web_page([args.run], folder, print, reverb_seconds=0)
        found = measure(page, args.run, args.voices, folder)
        first_ms = first_sound_ms(page, folder / "first")
    for way, seconds in found.items():
        load = seconds * FRAME_RATE
        print(
            f"{way}: {1e6 * seconds:.0f} us per block, {100 * load / args.voices:.2f} % of a core "
            f"per voice, {1 / load:.1f} times real time with {args.voices} voices, "
            f"{seconds / found['native']:.2f} of native"
        )
    print(f"chromium: {first_ms:.0f} ms from opening the page to the first sound")


if __name__ == "__main__":
    run_main(main)
