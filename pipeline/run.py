"""Runs every stage in order: from recordings, or the default corpus, to an instrument's firmware.

    python -m pipeline.run --instrument flute --audio DIR

A profile (``data/profiles``) says which models are trained and how. A stage is skipped if nothing
that it needs has changed since it ended, and training resumes from its checkpoint, so the same
command continues after an interruption. With other options, it repeats what depends on them. The
recordings are opened first, and a model is replaced only once another has weights to keep, so a
command that fails before that costs nothing that an earlier one has made.
"""

import argparse
import time
from collections.abc import Sequence

from pipeline.audio.audio_folders import list_sounds
from pipeline.audio.recordings import open_recordings
from pipeline.audio.sound_files import announced_seconds
from pipeline.core.cli import command_line, run_main
from pipeline.core.constants import VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import DataConfig, InstrumentConfig, load_instrument
from pipeline.core.options import add_instrument, add_runs
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.core.plan import InstrumentFiles, plan_stages
from pipeline.core.processes import worker_count
from pipeline.core.profiles import default_profile, load_profile
from pipeline.core.recording_options import add_sources, chosen_sound_sets
from pipeline.core.request import Request, changed_parts, keep_request
from pipeline.core.run_progress import in_words
from pipeline.core.stage_runner import StageRunner
from pipeline.core.stages import only_run
from pipeline.core.training_options import add_profile, add_training_fields
from pipeline.training.held_out import write_held_out
from pipeline.training.splits import check_hold_out

STUDENTS = VARIANTS[1:]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs every stage in order, from recordings to an instrument's firmware."""
    args = _parser().parse_args(argv)
    config = load_instrument(args.instrument)
    for place in args.audio:
        if not place.exists():
            raise UserError(f"{place} does not exist: give a folder of recordings")
    sound_sets = chosen_sound_sets(args, config)
    request = _request(args, config)
    files = InstrumentFiles(args.instrument, args.runs / args.instrument)
    folder, profile = files.held_out / files.instrument, request.profile
    stages = plan_stages(
        files, request, lambda: write_held_out(files.dataset, folder, profile.takes)
    )
    if "data" in changed_parts(request, files.request) or not stages[0].is_done:
        _check_recordings(args, config.data, sound_sets)
    began = time.monotonic()
    with only_run(files.folder):
        keep_request(request, files.request)
        runner = StageRunner(stages, at_once=profile.stages_at_once, n_cores=worker_count())
        print(f"profile {profile.name}: {profile.description}", flush=True)
        if profile.expression and not request.has_corpus:
            print(f"how notes are played is not learnt: the {config.instrument} has no [corpus]")
        runner.run()
    _print_results(files, request, time.monotonic() - began)


def _check_recordings(
    args: argparse.Namespace, config: DataConfig, sound_sets: Sequence[str]
) -> None:
    """Raises the error with which `pipeline.data` would end, before anything is replaced."""
    found = open_recordings(args.audio, config).recordings if args.audio else []
    check_hold_out(args.hold_out, [*(recording.source for recording in found), *sound_sets])


def _parser() -> Parser:
    parser = Parser("run", main.__doc__)
    add_instrument(parser)
    add_sources(parser)
    add_profile(parser)
    add_training_fields(parser, "steps")
    parser.add_argument(
        "--students",
        nargs="+",
        choices=STUDENTS,
        help="small models; the firmware plays the last one: reduced learns from recordings alone, "
        "reduced_ad and reduced_cd also from the audio or the operator levels of the full model, "
        "tiny, a network 25 times smaller, from the levels of the best of the others (default: set "
        "by the profile)",
    )
    add_runs(parser)
    return parser


def _request(args: argparse.Namespace, config: InstrumentConfig) -> Request:
    profile = load_profile(args.profile or default_profile())
    recordings = [path for place in args.audio for path in list_sounds(place)[0]]
    return Request(
        profile=profile,
        variants=profile.variants_for(args.students),
        instrument=config,
        audio=args.audio,
        recordings=recordings,
        minutes=announced_seconds(recordings) / 60,
        data_options=_data_options(args),
        changes={} if args.steps is None else {"steps": args.steps},
    )


def _data_options(args: argparse.Namespace) -> list[str]:
    """Returns the options of `pipeline.data` besides ``--audio``."""
    options = []
    if args.corpus is not None:
        options += ["--no-corpus"] if args.corpus is False else ["--corpus", *args.corpus]
    return options + (["--hold-out", *args.hold_out] if args.hold_out else [])


def _print_results(files: InstrumentFiles, request: Request, seconds: float) -> None:
    run_dir, page = shown(files.folder / request.played), shown(files.page)
    print(f"{shown(run_dir)}: the instrument, made in {in_words(seconds)}")
    print(f"{page / 'index.html'}: open it to compare the systems; figures in {page}/audio")
    render = command_line("render", "--run", run_dir, "--midi", "FILE.mid", "--out", "FILE.wav")
    print(f"play a MIDI file: {render}")
    print(f"next: {command_line('flash', '--board', 'pico', '--run', run_dir)}")


if __name__ == "__main__":
    run_main(main, resumes=True)
