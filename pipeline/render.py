"""Plays a Standard MIDI File with an instrument and writes a WAV file.

    python -m pipeline.render --midi tune.mid --instrument flute --board qemu_m4 --out tune.wav

One instrument plays all channels of the file but that of the drums; ``--channel`` and ``--track``
choose some, and ``--list`` shows what there is.

The MIDI bytes pass through the firmware's own code (``tflm_app/apps/perform``): parser, player,
expression, decoder, voices. The emulated boards and the host produce the same samples. With
``--float``, the float model renders the frames that the player makes instead.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.audio.note_names import note_name
from pipeline.audio.pcm import FULL_SCALE, write_wav
from pipeline.core.cli import run_main
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import known_instruments, load_instrument
from pipeline.core.model_choice import chosen_model
from pipeline.core.options import (
    add_board,
    add_model,
    add_out,
    add_reverb_seconds,
    add_voices,
    new_wav,
)
from pipeline.core.parser import Parser, whole
from pipeline.core.runs import WEIGHTS, decoder_name
from pipeline.quantization.pitch_range import PitchRange
from pipeline.target.boards import FILE_BOARDS
from pipeline.target.midi_parts import DRUM_CHANNEL, MAX_TRACKS, count_notes
from pipeline.target.midi_score import Piece, list_parts, load_piece
from pipeline.target.player import POLYPHONIC_VOICES, Performance, Score, perform_preset
from pipeline.target.polyphony import Polyphony, count_polyphony
from pipeline.target.sources import generate


def main(argv: Sequence[str] | None = None) -> None:
    """Plays a Standard MIDI File with an instrument and writes a WAV file."""
    args = _parser().parse_args(argv)
    if args.list:
        print(*list_parts(args.midi, channels=args.channel, tracks=args.track), sep="\n")
        return
    piece = load_piece(args.midi, channels=args.channel, tracks=args.track)
    score = piece.score
    model = chosen_model(args, file=WEIGHTS if args.float else decoder_name("int8"))
    run_dir = model.run_dir
    print(f"model: {model}", flush=True)
    for line in [*piece.remarks(), *_unlearnt_notes(piece, args.instrument)]:
        print(f"{args.midi.name}: {line}", flush=True)
    n_voices = args.voices or _usual_voices(args.instrument)
    if args.float:
        # Imported here because it needs Keras, which playing the firmware does not.
        from pipeline.evaluation.float_player import render_score

        played = render_score(
            score, run_dir, args.instrument, n_voices=n_voices, reverb_seconds=args.reverb
        )
    else:
        generated = generate(run_dir, reverb_seconds=args.reverb)
        played = perform_preset(generated, score, args.board, n_voices=n_voices)
    write_wav(args.out, played.pcm)
    seconds = len(played.pcm) / SAMPLE_RATE
    peak = np.abs(played.pcm.astype(int)).max(initial=0) / FULL_SCALE
    player = "the float model" if args.float else f"the firmware on {args.board}"
    print(
        f"{args.out}: {seconds:.2f} s of {args.instrument} by {player}, "
        f"{played.n_voices} {'voice' if played.n_voices == 1 else 'voices'}, peak {peak:.2f}"
    )
    for line in _lost_notes(score, played):
        print(line)
    if FILE_BOARDS[args.board].machine:
        mean = played.report["instructions"] / max(played.report["n_blocks"], 1)
        worst = played.report["worst_block_instructions"]
        print(f"instructions per block of 4 ms: {mean:,.0f} on average, at most {worst:,}")
    print("next: listen to it; --reverb SECONDS adds the reverb of the recordings")


def _unlearnt_notes(piece: Piece, instrument: str) -> list[str]:
    """Returns a line about the notes that the instrument has not learnt, if there are any."""
    if instrument not in known_instruments():  # a run folder from elsewhere
        return []
    learnt = PitchRange.tracked(load_instrument(instrument).data)
    outside = [n for n in piece.notes if not learnt.lowest_note <= n <= learnt.highest_note]
    if not outside:
        return []
    reach = f"{note_name(learnt.lowest_note)} to {note_name(learnt.highest_note)}"
    return [
        f"{count_notes(len(outside))} outside {reach}, the range of the {instrument}, will sound "
        "less like it"
    ]


def _lost_notes(score: Score, played: Performance) -> list[str]:
    """Returns a line about the notes that had no voice, if there are any."""
    polyphony = count_polyphony(score, played.n_voices)
    n_lost = polyphony.n_hidden + played.report["n_stolen"]
    if not n_lost:
        return []
    line = f"notes cut off or not played: {n_lost} of {polyphony.n_notes}{_by_channel(polyphony)}"
    if polyphony.n_hidden and played.n_voices > 1:
        line += f", {polyphony.n_hidden} because the file asks for one note at a time"
    elif polyphony.most > played.n_voices:
        line += (
            f", because up to {polyphony.most} sound together; --voices {polyphony.most} plays all"
        )
    return [line]


def _by_channel(polyphony: Polyphony) -> str:
    """Returns which channels lose notes to others, in parentheses; nothing with one channel."""
    if len(polyphony.notes) < 2 or not polyphony.n_hidden:
        return ""
    lost = []
    for channel, n_hidden in sorted(polyphony.hidden.items()):
        n_notes = polyphony.notes[channel]
        count = f"all {n_notes}" if n_hidden == n_notes else f"{n_hidden} of {n_notes}"
        lost.append(f"{count} of channel {channel}")
    return f" ({', '.join(lost)})"


def _usual_voices(instrument: str) -> int:
    """Returns 1 for an instrument that slurs; that is assumed of a run folder from elsewhere."""
    decays = instrument in known_instruments() and load_instrument(instrument).decays
    return POLYPHONIC_VOICES if decays else 1


def _listed(highest: int) -> Callable[[str], int]:
    """Returns an option's ``type`` for numbers that ``--list`` shows, from 1 to `highest`."""

    def parse(text: str) -> int:
        try:
            return whole(1, highest)(text)
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"{error}: --list shows the numbers") from None

    return parse


def _parser() -> Parser:
    parser = Parser("render", main.__doc__)
    parser.add_argument(
        "--midi", type=Path, required=True, metavar="FILE", help="Standard MIDI File to play"
    )
    result = parser.add_mutually_exclusive_group(required=True)
    add_out(result, "WAV file to write", kind=new_wav, required=False)
    result.add_argument(
        "--list",
        action="store_true",
        help="only list the tracks and channels of the file, or those of --track and --channel",
    )
    parser.add_argument(
        "--channel",
        nargs="+",
        action="extend",
        type=_listed(16),
        default=[],
        metavar="N",
        help=f"MIDI channels to play, 1 to 16 (default: all but {DRUM_CHANNEL}, the drums)",
    )
    parser.add_argument(
        "--track",
        nargs="+",
        action="extend",
        type=_listed(MAX_TRACKS),
        default=[],
        metavar="N",
        help="tracks to play, counted from 1 without those that hold no notes (default: all)",
    )
    add_model(parser)
    player = parser.add_mutually_exclusive_group()
    add_board(player, FILE_BOARDS, default="host")
    player.add_argument(
        "--float",
        action="store_true",
        help="play with the float model instead of the firmware (default: the firmware)",
    )
    add_voices(parser, f" (default: 1 if the instrument slurs, else {POLYPHONIC_VOICES})")
    add_reverb_seconds(parser)
    return parser


if __name__ == "__main__":
    run_main(main)
