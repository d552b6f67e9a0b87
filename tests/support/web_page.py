"""Operates the instrument page, and runs its scripts in Node.js."""

import json
import subprocess
from typing import Any

from support.chromium import Browser

from pipeline.pages.html import ASSETS

GESTURELESS = "--autoplay-policy=no-user-gesture-required"
"""Lets Chromium start sound without a click."""


def clicks(browser: Browser, note: int) -> dict[str, float]:
    """Returns the place of a piano key, near its lower end."""
    return browser.run(
        f"""(() => {{
        const key = document.querySelector('[data-note="{note}"]');
        key.scrollIntoView({{ block: "center", behavior: "instant" }});
        const {{ x, y, width, height }} = key.getBoundingClientRect();
        return {{ x: x + width / 2, y: y + 0.85 * height }};
    }})()"""
    )


def held(notes: list[int]) -> str:
    """Returns a condition: exactly these notes sound, as the last figures say."""
    return (
        "JSON.stringify([...new Set(shown.voices.map(({ note }) => "
        f"Math.round(note)))].sort()) === '{json.dumps(notes, separators=(',', ':'))}'"
    )


def arrange(*midi_files: bytes, channel: int | None = None) -> list[dict[str, Any]]:
    """Returns what the page reads from each MIDI file, with its ``score``, or its ``error``."""
    code = (ASSETS / "web" / "midi_file.js").read_text()
    files = json.dumps([list(file) for file in midi_files])
    script = f"""{code}
        const read = (file) => {{
            const {{ blocks, ends, bytes, ...facts }} = readMidiFile(
                Uint8Array.from(file).buffer, {json.dumps(channel)});
            const message = (i) => [...bytes.subarray(i ? ends[i - 1] : 0, ends[i])];
            return {{ ...facts, score: [...blocks].map((block, i) => [block, message(i)]) }};
        }};
        console.log(JSON.stringify({files}.map((file) => {{
            try {{
                return read(file);
            }} catch (error) {{
                return {{ error: error.message }};
            }}
        }})));"""
    done = subprocess.run(
        ["node", "-"], input=script, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
