"""Plays a polyphonic MIDI file on the emulated Pico, and compares it with the host.

    PYTHONPATH=tests python -m support.pico_performance 30 data/models/flute/tiny 16

plays that many seconds with that many voices and prints what the cores took.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
from support import pico_board, play_app

from pipeline.core.constants import FRAME_RATE
from pipeline.emit import presets
from pipeline.target import firmware
from pipeline.target.build import application_settings, make
from pipeline.target.flashing import convert
from pipeline.target.midi_score import load_piece
from pipeline.target.player import Score

TICKS_PER_SECOND = 960
MESSAGES_PER_BLOCK = 2  # of three bytes; a MIDI cable carries four
CHORD_SECONDS = 0.75
CHORD = (0, 7, 4, 12, 16, 9, 19, 24, 2, 14, 21, 26, 28, -5, -3, -8)  # semitones above the root


@dataclass(frozen=True)
class Performance:
    """What the Pico played, and the samples of the host.

    Attributes:
        recording: Output of the emulated board.
        pcm: Samples of the host at the times of the board, int16.
    """

    recording: pico_board.Recording
    pcm: np.ndarray

    @property
    def samples(self) -> np.ndarray:
        """What the board played, int16."""
        return self.recording.words[:, 0] >> 16

    @property
    def largest_loads(self) -> list[float]:
        """The largest share of a block that each core took."""
        capacity = self.recording.core_hz / FRAME_RATE
        return [max(n for n in core[:-1] if n) / capacity for core in self.recording.cycles]


def write_midi(path: Path, seconds: float, n_voices: int) -> None:
    """Writes broken chords that sound all voices, at most 16, with vibrato, swells and bends."""
    timed: list[tuple[float, mido.Message]] = []
    n_turns = int(seconds / CHORD_SECONDS)
    for turn in range(n_turns):
        start = turn * CHORD_SECONDS
        root = 60 + (0, 5, -3, 7)[turn % 4]
        for voice in range(n_voices):
            note = root + CHORD[voice]
            begin = start + 0.3 * voice / n_voices
            timed.append((begin, mido.Message("note_on", note=note, velocity=90 - voice)))
            if turn + 1 < n_turns:  # the last chord sounds to the end
                end = start + 0.9 * CHORD_SECONDS
                timed.append((end, mido.Message("note_off", note=note)))
        timed.append(
            (start + 0.35, mido.Message("control_change", control=1, value=40 * turn % 128))
        )
        timed.append((start + 0.4, mido.Message("control_change", control=11, value=90)))
        timed.append((start + 0.45, mido.Message("pitchwheel", pitch=1000 * (turn % 5 - 2))))
        timed.append((start + 0.6, mido.Message("control_change", control=11, value=127)))
    track = mido.MidiTrack()
    now = 0
    for time, message in sorted(timed, key=lambda event: event[0]):
        ticks = round(time * TICKS_PER_SECOND)
        track.append(message.copy(time=ticks - now))
        now = ticks
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_SECOND // 2)  # at 120 beats per minute
    file.tracks.append(track)
    file.save(path)


def over_a_cable(score: Score) -> Score:
    """Delays messages so that no block has more than a cable carries in time."""
    spread: Score = []
    for block, message in score:
        earliest = spread[-MESSAGES_PER_BLOCK][0] + 1 if len(spread) >= MESSAGES_PER_BLOCK else 0
        spread.append((max(block, earliest, spread[-1][0] if spread else 0), message))
    return spread


def perform_on_pico(
    generated: Path, seconds: float, n_voices: int, folder: Path, *, sample_rate_hz: int = 16_000
) -> Performance:
    """Builds the firmware, plays the piece of `write_midi` with it, and asks for its statistics.

    Args:
        generated: Output of `pipeline.codegen`.
        seconds: Duration.
        n_voices: Number of the player's voices; the piece sounds all of them.
        folder: For builds and files.
        sample_rate_hz: Rate of the output, 16 000 or 48 000.
    """
    midi = folder / "piece.mid"
    write_midi(midi, seconds, n_voices)
    written = [each for each in load_piece(midi).score if each[0] < seconds * FRAME_RATE]
    score = [(3 + block, message) for block, message in over_a_cable(written)]
    block_frames = sample_rate_hz // FRAME_RATE
    n_frames = int(seconds * FRAME_RATE) * block_frames
    events = [(block_frames * at + block_frames // 4, "midi", message) for at, message in score]
    typed = (n_frames - 20 * block_frames, "console", b"stats\r")
    options = {"SAMPLE_RATE": str(sample_rate_hz), "PLAYER_VOICES": str(n_voices)}
    built = firmware.build("pico", generated, build_dir=folder / "pico", options=options)
    uf2 = convert(built.program.elf, "pico")["uf2"]
    recording = pico_board.run(uf2, n_frames, [*events, typed], timeout_s=60 + 240 * seconds)
    settings = application_settings(generated, analyses=True) | options
    host = make("host", folder / "host", settings, "play")
    # On the board, the block that plays when bytes arrive has one more before it.
    pcm = play_app.pcm(play_app.play(host, [(at + 1, message) for at, message in score]))
    return Performance(recording, pcm[:n_frames])


def main() -> None:
    """Performs for the seconds, with the run folder and the voices of the command line."""
    seconds, run_dir, n_voices = float(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        generated = Path(folder) / "generated"
        presets.write_firmware_source([presets.load_preset(run_dir)], generated)
        performance = perform_on_pico(generated, seconds, n_voices, Path(folder))
    n_equal = int((performance.samples == performance.pcm).sum())
    loads = ", ".join(f"{100 * load:.1f} %" for load in performance.largest_loads)
    print(
        f"{n_voices} voices, {seconds:g} s: {n_equal} of {len(performance.pcm)} samples are equal"
    )
    print(f"worst load of the cores: {loads}; statistics: {performance.recording.stats}")


if __name__ == "__main__":
    main()
