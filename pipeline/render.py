"""Plays a Standard MIDI File with an instrument, and writes a WAV.

    python -m pipeline.render --midi tune.mid --instrument flute --engine qemu_m4 --out tune.wav

The MIDI bytes go through the firmware's own code (``tflm_app/apps/perform``): parser, player,
expression, decoder, voices; under QEMU or compiled for this machine, which gives the same samples.
With ``--engine float`` the frames that the player makes are rendered by the float model instead.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mido
import numpy as np

from pipeline import codegen, convert, room
from pipeline.breath import UNTRAINED, grain_offsets
from pipeline.config import (
    FRAME_RATE,
    HOP_SAMPLES,
    MODEL_DIR,
    SAMPLE_RATE,
    VARIANTS,
    TcnConfig,
    UserError,
    load_instrument,
    run_main,
)
from pipeline.ddx7 import Ddx7, load_model
from pipeline.device import clamp_frames
from pipeline.expression_table import find_expression
from pipeline.firmware import generate, write_wav
from pipeline.pcm import to_pcm
from pipeline.synth import fm_synthesize
from pipeline.tcn import scale_features
from pipeline.toolchain import BOARDS, BUILD_DIR, Program, fetch_cmsis, make, run_program

ENGINES = ("float", "host", "qemu_m4")
MAX_VOICES = 16
MAX_SECONDS = 3600
POLYPHONIC_VOICES = 4  # of an instrument that does not slur

Score = list[tuple[int, bytes]]
"""Number of the block before which MIDI bytes come, and the bytes; in the order of time."""

SCORE_RECORD = np.dtype([("block", "<u4"), ("n_bytes", "u1"), ("bytes", "u1", 3)])
TRACE_RECORD = np.dtype(
    [
        ("block", "<u4"),
        ("voice", "u1"),
        ("preset", "u1"),
        ("event", "u1"),
        ("zero", "u1"),
        ("f0_hz", "<f4"),
        ("loudness_db", "<f4"),
    ]
)
BEGUN, PLAYED, FADED = 1, 2, 3  # voice_event_t


def load_score(path: Path) -> Score:
    """Reads a Standard MIDI File.

    Raises:
        UserError: The file is missing, no MIDI file, holds no note, or lasts too long.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: give a Standard MIDI File")
    score: Score = []
    seconds = 0.0
    n_notes = 0
    try:
        for message in mido.MidiFile(path, clip=True):
            seconds += message.time
            if seconds > MAX_SECONDS:
                raise UserError(f"{path} lasts over {MAX_SECONDS} s: cut it into parts")
            if not message.is_meta:
                score.append((int(seconds * FRAME_RATE), bytes(message.bytes())))
                n_notes += message.type == "note_on"
    except (OSError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        said = str(error) or type(error).__name__
        raise UserError(f"{path} is not a MIDI file that can be played ({said})") from None
    if not n_notes:
        raise UserError(f"{path} holds no note: export the part that is to be played")
    return score


def build_player(
    board: str, generated_dir: Path, *, n_voices: int, build_dir: Path, sanitize: bool = False
) -> Program:
    """Builds the application that performs scores, in their rooms if these were generated.

    Args:
        board: One of `BOARDS`, with an FPU if there are rooms.
        generated_dir: Output of `pipeline.codegen`.
        n_voices: Voices of the player.
        build_dir: Where to build.
        sanitize: Under AddressSanitizer and UBSan (host alone).

    Raises:
        UserError: A tool is missing, or it does not compile or fit.
    """
    settings = {
        "GENERATED_DIR": generated_dir.resolve(),
        "PLAYER_VOICES": n_voices,
        "SANITIZE": "ON" if sanitize else "OFF",
    }
    if (generated_dir / "rooms.c").is_file():
        settings["CMSIS_DSP_DIR"] = fetch_cmsis()[1]  # of the host, too
    return make(board, build_dir, settings, "perform")


@dataclass(frozen=True)
class Performance:
    """What the player did with a score.

    Attributes:
        pcm: int16, shape [64 * n_blocks].
        trace: `TRACE_RECORD` of every voice in every block in which it sounded.
        n_voices: That the player had.
        report: Counts of the application: ``n_blocks``, ``n_stolen``, ``n_sounding`` (at the end),
            ``instructions`` in all, ``worst_block_instructions``, ``player_state_bytes``,
            ``stack_bytes``.
    """

    pcm: np.ndarray
    trace: np.ndarray
    n_voices: int
    report: dict[str, int]


def perform(program: Program, score: Score) -> Performance:
    """Performs a score on the program's board.

    Raises:
        UserError: The emulator is missing, or the program ended with an error.
    """
    records = [
        (block, len(part), tuple(part.ljust(3, b"\0")))
        for block, message in score
        for part in (message[i : i + 3] for i in range(0, len(message), 3))
    ]
    run = run_program(
        program,
        arguments=["score", "pcm", "trace"],
        inputs={"score": np.array(records, SCORE_RECORD).tobytes()},
        outputs=["pcm", "trace"],
        timeout_s=600 + score[-1][0] if score else 600,
    )
    if run.status != 0:
        telling = next(iter(run.console.strip().splitlines()), "no message")
        raise UserError(f"the player on {program.board} ended with status {run.status}: {telling}")
    report = json.loads(run.console)
    pcm = np.frombuffer(run.files["pcm"], "<i2")
    trace = np.frombuffer(run.files["trace"], TRACE_RECORD)
    return Performance(pcm, trace, report["n_voices"], report)


@dataclass(frozen=True)
class Stretch:
    """What a voice sounds without a pause, from reset to silence.

    Attributes:
        voice: Of the player.
        block: Number of its first block.
        preset: Instrument of the firmware.
        frames: f0_hz and loudness_db, float32, shape [n_frames, 2].
        is_faded: Whether its last block ramps to silence.
    """

    voice: int
    block: int
    preset: int
    frames: np.ndarray
    is_faded: bool


def stretches(performance: Performance) -> Iterator[Stretch]:
    """Yields what each voice sounded, in the order of voices and time."""
    for voice in range(performance.n_voices):
        of_voice = performance.trace[performance.trace["voice"] == voice]
        begins = np.flatnonzero(of_voice["event"] == BEGUN)
        for records in np.split(of_voice, begins)[1:]:
            frames = np.stack([records["f0_hz"], records["loudness_db"]], axis=1)
            is_faded = bool(records["event"][-1] == FADED)
            if is_faded:  # its pitch stays, but the voice has been reset before it was traced
                frames[-1] = frames[-2]
            yield Stretch(
                voice=voice,
                block=int(records["block"][0]),
                preset=int(records["preset"][0]),
                frames=frames,
                is_faded=is_faded,
            )


def render_float(performance: Performance, model: Ddx7) -> np.ndarray:
    """Renders what the player asked of its voices by the float model, dry.

    Returns:
        int16 PCM, shape [64 * n_blocks].
    """
    mix = np.zeros(len(performance.pcm))
    for stretch in stretches(performance):
        f0_hz, loudness_db = clamp_frames(stretch.frames).T
        inputs = model.prepare(f0_hz[None], loudness_db[None])
        levels = np.array(model.decode(inputs)[1])
        features = scale_features(f0_hz, loudness_db)[None]
        gains = np.array(model.breath.gains(features, levels))
        if stretch.is_faded:
            levels[:, -1] = gains[:, -1] = 0
        sound = fm_synthesize(levels, inputs["phase"], model.patch)
        sound += model.breath(gains, grain_offsets(len(f0_hz), voice=stretch.voice)[None])
        begin = stretch.block * HOP_SAMPLES
        mix[begin : begin + sound.shape[1]] += sound[0]
    return to_pcm(mix / 2 if performance.n_voices > 1 else mix)


def render(
    score: Score,
    run_dir: Path,
    instrument: str,
    *,
    engine: str,
    n_voices: int,
    reverb_seconds: float = 0.0,
) -> Performance:
    """Plays a score with one instrument.

    Args:
        score: From `load_score`.
        run_dir: Run folder with the model, which the integer engines need quantized.
        instrument: That the folder must belong to.
        engine: One of `ENGINES`.
        n_voices: Of the player.
        reverb_seconds: Length of the learnt room; 0 to play dry.

    Raises:
        UserError: The model is missing or damaged, or a tool is.
    """
    if engine == "float":
        model = load_model(run_dir, instrument=instrument)
        generated = _generate_for_frames(instrument)
    else:
        generated = generate(run_dir, reverb_seconds=reverb_seconds)
    board = "host" if engine == "float" else engine
    place = hashlib.sha256(str(generated).encode()).hexdigest()[:8]
    build_dir = BUILD_DIR / "player" / f"{board}-{n_voices}-{place}"
    program = build_player(board, generated, n_voices=n_voices, build_dir=build_dir)
    performance = perform(program, score)
    if engine == "float":
        pcm = render_float(performance, model)
        if reverb_seconds:
            response = room.shorten(room.learnt_response(run_dir), reverb_seconds)
            pcm = room.play_room(np.pad(pcm, (0, len(response))), response)
        performance = replace(performance, pcm=pcm)
    return performance


def _generate_for_frames(instrument: str) -> Path:
    """Generates a firmware that has the instrument's expression, but a decoder of no worth."""
    out = BUILD_DIR / "generated" / f"frames-{instrument}"
    out.mkdir(parents=True, exist_ok=True)
    tflite = out / "decoder.tflite"
    tflite.write_bytes(
        convert.random_step_model(TcnConfig(n_blocks=2, hidden_channels=8), 0, "int8")
    )
    patch = load_instrument(instrument).patch
    expression = find_expression(instrument)
    preset = codegen.Instrument(instrument, tflite, patch, UNTRAINED, expression=expression)
    codegen.generate([preset], out)
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Plays a Standard MIDI File with an instrument, and writes a WAV."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.render", description=main.__doc__)
    parser.add_argument("--midi", type=Path, required=True, help="Standard MIDI File")
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin, piano")
    parser.add_argument("--engine", choices=ENGINES, default="host", help="%(default)s by default")
    parser.add_argument(
        "--variant", choices=VARIANTS, default="reduced_cd", help="%(default)s by default"
    )
    parser.add_argument(
        "--voices", type=int, help="of the player (default: 1 if the instrument slurs, else 4)"
    )
    parser.add_argument("--out", type=Path, required=True, help="WAV file to write")
    parser.add_argument(
        "--run", type=Path, help="run folder of a model of your own, instead of the pretrained one"
    )
    parser.add_argument(
        "--reverb", type=float, default=0.0, metavar="SECONDS", help="of the learnt room (dry)"
    )
    args = parser.parse_args(argv)
    n_voices = args.voices
    if n_voices is None:
        n_voices = POLYPHONIC_VOICES if load_instrument(args.instrument).corpus.decays else 1
    if not 1 <= n_voices <= MAX_VOICES:
        raise UserError(f"--voices {n_voices}: give 1 to {MAX_VOICES}")
    score = load_score(args.midi)
    run_dir = args.run or MODEL_DIR / args.instrument / args.variant
    played = render(
        score,
        run_dir,
        args.instrument,
        engine=args.engine,
        n_voices=n_voices,
        reverb_seconds=args.reverb,
    )
    write_wav(args.out, played.pcm)
    seconds = len(played.pcm) / SAMPLE_RATE
    peak = np.abs(played.pcm.astype(int)).max(initial=0) / 32768
    print(
        f"{args.out}: {seconds:.2f} s of {args.instrument} by the {args.engine} engine, "
        f"{played.n_voices} voices, {played.report['n_stolen']} notes cut off, peak {peak:.2f}"
    )
    if BOARDS.get(args.engine, BOARDS["host"]).machine:
        mean = played.report["instructions"] / max(played.report["n_blocks"], 1)
        worst = played.report["worst_block_instructions"]
        print(f"instructions a block of 4 ms: {mean:,.0f} in the mean, at most {worst:,}")
    print("next: listen to it; --reverb SECONDS adds the room of the recordings")


if __name__ == "__main__":
    run_main(main)
