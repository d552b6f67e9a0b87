"""Measures the time and the memory that a long recording takes before training.

    PYTHONPATH=tests python -m support.long_recordings 15

synthesizes a recording of that many minutes at 48 kHz, and prints for `pipeline.inspect` and
`pipeline.data` the seconds and the largest resident memory of any of their processes. Two hours
take 700 MB of disk for the recording, and as much again for what is made from it, in the folder for
temporary files.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf
from support.sounds import make_curve_tone

from pipeline.core.constants import SAMPLE_RATE

UPSAMPLING = 3  # to 48 kHz, by repeating samples
SCALE_HZ = 440 * 2 ** (np.arange(3, 25) / 12)  # C5 to A6, within the flute's range
NOTE_SECONDS = 1.5
NOISE = 1e-4


def write_recording(path: Path, minutes: float) -> None:
    """Writes notes of changing pitch and loudness with short pauses, a minute at a time."""
    random = np.random.default_rng(0)
    with sf.SoundFile(path, "w", UPSAMPLING * SAMPLE_RATE, 1, "PCM_16") as file:
        for _ in range(round(minutes)):
            notes = []
            for f0_hz in random.choice(SCALE_HZ, round(60 / NOTE_SECONDS)):
                level = 0.5 * 10 ** (-random.uniform(0, 25) / 20)
                tone = make_curve_tone(f0_hz, 0.8 * NOTE_SECONDS, level=level)
                notes.append(np.pad(tone, (0, round(0.2 * NOTE_SECONDS * SAMPLE_RATE))))
            minute = np.concatenate(notes)
            minute += NOISE * random.standard_normal(len(minute), np.float32)
            file.write(minute.repeat(UPSAMPLING))


def measure(command: str, *arguments: object) -> None:
    """Runs a command, and prints its time and its memory, with the end of its output."""
    words = [sys.executable, "-m", f"pipeline.{command}", *map(str, arguments)]
    began = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    # Unlike that of `resource`, this is the memory of this command alone.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"pipeline.{command} ended with status {process.returncode}")
    seconds, megabytes = time.monotonic() - began, usage.ru_maxrss / 1024
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{command}: {seconds:.0f} s ({cpu:.0f} s of a core), at most {megabytes:.0f} MB")
    print(*(f"    {line}" for line in lines[:3]), sep="\n", flush=True)


def main() -> None:
    """Measures a recording of the minutes on the command line."""
    minutes = float(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = folder / "long.wav"
        write_recording(recording, minutes)
        print(f"{minutes:g} minutes, {recording.stat().st_size / 1e6:.0f} MB", flush=True)
        shared = ["--instrument", "flute", "--audio", recording, "--runs"]
        measure("inspect", *shared, folder / "inspected", "--out", folder / "page")
        measure("data", *shared, folder / "runs")


if __name__ == "__main__":
    main()
