"""Renders MIDI with Debian's sound sets: with FluidSynth, dry, or with TiMidity++."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile as sf

from pipeline.audio.loading import load_audio
from pipeline.audio.samples import Floats
from pipeline.audio.sound_files import explain_failed_writes
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.sound_sets import DEFAULT_SOUND_SET, SOUND_SETS, SoundSet

RENDER_RATE = 48_000  # Hz: the soundfont's partials above 8 kHz are filtered out, not aliased
RENDER_GAIN = 1.4  # peaks of loud notes stay just below full scale
SILENCE = 1e-3  # peak: -60 dBFS
TAIL_SAMPLES = SAMPLE_RATE // 2  # silence that is kept at the end of an excerpt
FREEPATS_TONES = Path("/usr/share/midi/freepats/Tone_000")  # a file per General MIDI program


def render_midi(path: Path, program: int, out: Path, *, sound_set: str = DEFAULT_SOUND_SET) -> None:
    """Renders a MIDI file as a 16 kHz mono WAV file.

    FluidSynth renders without reverb or chorus, TiMidity++ as for Jazznet: ``-Ow1 -s 16kHz``, with
    its reverb.

    Args:
        path: MIDI file; its program changes are replaced.
        program: General MIDI program, counted from 0.
        out: WAV file to write.
        sound_set: One of `SOUND_SETS`.

    Raises:
        UserError: The synthesizer or the sound set is missing or does not have the program, or
            `path` is not a MIDI file.
    """
    chosen = SOUND_SETS[sound_set]
    check_sound_set(sound_set, program)
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
        result = subprocess.run(_command(chosen, score, sound), capture_output=True, text=True)
        if result.returncode != 0 or not sound.is_file():
            reason = result.stderr.strip()[-200:]
            raise UserError(f"{chosen.synthesizer} could not render {path}: {reason}")
        audio = load_audio(sound)
    _write(out, audio)


def check_sound_set(name: str, program: int) -> None:
    """Checks that a sound set is installed, with its synthesizer, and has a program.

    Raises:
        UserError: It is not, or has not; the message names the Debian packages, or the sound sets
            that have every program.
    """
    chosen = SOUND_SETS[name]
    has_synthesizer = shutil.which(chosen.synthesizer) is not None
    if not has_synthesizer or not chosen.path.is_file():
        raise UserError(
            f"{chosen.path if has_synthesizer else chosen.synthesizer} is missing: install it with "
            f"apt-get install {chosen.synthesizer} {chosen.package}, or give recordings with "
            "--audio"
        )
    # Where freepats has no file, TiMidity++ would play another set that the system configures.
    if chosen.synthesizer == "timidity" and not any(FREEPATS_TONES.glob(f"{program:03d}_*.pat")):
        others = [each.name for each in SOUND_SETS.values() if each.synthesizer == "fluidsynth"]
        raise UserError(
            f"{name} does not have General MIDI program {program}: use {', '.join(others)}"
        )


def _command(sound_set: SoundSet, score: Path, sound: Path) -> list[str]:
    """Returns the command that renders a score with a sound set."""
    if sound_set.synthesizer == "timidity":
        return [
            *("timidity", "-c", str(sound_set.path)),
            *("-Ow1", "-s", "16kHz", "-o", str(sound), str(score)),
        ]
    command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", str(RENDER_GAIN)]
    if sound_set.path.suffix == ".sf3":  # compressed: decoding all samples would take seconds
        command += ["-o", "synth.dynamic-sample-loading=1"]
    return [*command, "-r", str(RENDER_RATE), "-F", str(sound), str(sound_set.path), str(score)]


def render_excerpt(midi: mido.MidiFile, program: int, out: Path) -> None:
    """Renders music as `render_midi` does and keeps half a second of the silence at its end."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "score.mid", Path(folder) / "sound.wav"
        midi.save(score)
        render_midi(score, program, sound)
        audio = load_audio(sound)
    last = np.flatnonzero(np.abs(audio) > SILENCE)[-1]
    _write(out, audio[: last + 1 + TAIL_SAMPLES])


def _write(path: Path, audio: Floats) -> None:
    """Writes samples in [-1, 1] at 16 kHz as a 16-bit WAV file."""
    with atomic_write(path) as temporary, explain_failed_writes(temporary):
        sf.write(temporary, audio, SAMPLE_RATE, subtype="PCM_16")
