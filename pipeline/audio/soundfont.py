"""Renders MIDI with FluidSynth and Debian's soundfont, dry."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile as sf

from pipeline.audio.loading import load_audio
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RENDER_RATE = 48_000  # Hz: the soundfont's partials above 8 kHz are filtered out, not aliased
RENDER_GAIN = 1.4  # peaks of loud notes stay just below full scale
SILENCE = 1e-3  # peak: -60 dBFS
TAIL_SAMPLES = SAMPLE_RATE // 2  # silence that is kept at the end of an excerpt


def render_midi(path: Path, program: int, out: Path, *, soundfont: Path = SOUNDFONT) -> None:
    """Renders a MIDI file without reverb or chorus as a 16 kHz mono WAV file.

    Args:
        path: MIDI file; its program changes are replaced.
        program: General MIDI program, counted from 0.
        out: WAV file to write.
        soundfont: SoundFont that has the program.

    Raises:
        UserError: FluidSynth or the soundfont is missing, or `path` is not a MIDI file.
    """
    if shutil.which("fluidsynth") is None or not soundfont.is_file():
        missing = soundfont if shutil.which("fluidsynth") else "fluidsynth"
        raise UserError(
            f"{missing} is missing: install it with apt-get install fluidsynth fluid-soundfont-gm, "
            "or give recordings with --audio"
        )
    try:
        midi = mido.MidiFile(path)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path} is not a MIDI file ({error}): give a standard MIDI file") from None
    for track in midi.tracks:
        for message in track:
            if message.type == "program_change":
                message.program = program
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "score.mid", Path(folder) / "sound.wav"
        midi.save(score)
        command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", str(RENDER_GAIN)]
        command += ["-r", str(RENDER_RATE), "-F", str(sound), str(soundfont), str(score)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0 or not sound.is_file():
            raise UserError(f"fluidsynth could not render {path}: {result.stderr.strip()[-200:]}")
        audio = load_audio(sound)
    with atomic_write(out) as temporary:
        sf.write(temporary, audio, SAMPLE_RATE, subtype="PCM_16")


def render_excerpt(midi: mido.MidiFile, program: int, out: Path) -> None:
    """Renders music as `render_midi` does and keeps half a second of the silence at its end."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "score.mid", Path(folder) / "sound.wav"
        midi.save(score)
        render_midi(score, program, sound)
        audio = load_audio(sound)
    last = np.flatnonzero(np.abs(audio) > SILENCE)[-1]
    with atomic_write(out) as temporary:
        sf.write(temporary, audio[: last + 1 + TAIL_SAMPLES], SAMPLE_RATE, subtype="PCM_16")
