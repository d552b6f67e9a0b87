"""Lists, shows, imports and compares FM patches.

    python -m pipeline.patch                                  the patches of data/patches
    python -m pipeline.patch --show flute                     routing and ratios of one
    python -m pipeline.patch --syx FILE                       the voices of a DX7's SysEx file
    python -m pipeline.patch --syx FILE --voice 11            makes a patch of voice 11
    python -m pipeline.patch --fit --audio DIR [--syx FILE]   which of them suits recordings best
    python -m pipeline.patch --stretch --audio DIR            the inharmonicity of strings

A patch is a file of ``data/patches``, or a table ``[patch]`` in an instrument's file; see
`pipeline.core.patch_files`. ``--fit`` fits levels to frames of the recordings, with every patch of
``data/patches`` without stretch and of the SysEx files, and then trains a small model for a short
time with each of the best five. It writes a table, a picture and the figures to ``--out``.
``--stretch`` measures how far the partials of recorded notes are stretched, for the entry
``inharmonicity`` of a patch.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.files import write_json
from pipeline.core.instrument_config import DataConfig, InstrumentConfig, load_instrument
from pipeline.core.options import add_out, new_file, new_folder
from pipeline.core.parser import Parser, whole
from pipeline.core.patch import Patch
from pipeline.core.patch_files import known_patches, load_patch, resolve_patch, save_patch
from pipeline.core.paths import BUILD_DIR, PATCH_DIR, shown
from pipeline.core.recording_options import add_audio, add_hold_out
from pipeline.core.schema import Identifier
from pipeline.model.dx7_sysex import read_voices
from pipeline.pages.patch_text import patch_lines, summary_line, voice_line

USES = {  # what the command does other than listing, by option, and the options that go with it
    "show": (),
    "fit": ("audio", "syx", "instrument", "quick", "out"),
    "stretch": ("audio", "instrument", "hold_out", "out"),
    "voice": ("syx", "name", "out"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Lists, shows, imports and compares FM patches."""
    args = _parser().parse_args(argv)
    _check(args)
    if args.show is not None:
        print("\n".join(patch_lines(load_patch(args.show))))
    elif args.fit:
        _fit(args)
    elif args.stretch:
        _measure_stretch(args)
    elif args.voice is not None:
        _import(args)
    elif args.syx:
        for path in args.syx:
            _list_voices(path)
    else:
        for name in known_patches():
            print(summary_line(load_patch(name)))
        print(
            "next: python -m pipeline.patch --show NAME, or "
            'patch = "NAME" in the file of an instrument'
        )


def _parser() -> Parser:
    parser = Parser("patch", main.__doc__)
    parser.add_argument(
        "--show", metavar="NAME", help="show the routing and the ratios of a patch (default: none)"
    )
    parser.add_argument(
        "--syx",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="SysEx file of a DX7: a cartridge, or single voices (default: none)",
    )
    parser.add_argument(
        "--voice",
        type=whole(1, 100_000),
        metavar="N",
        help="write a patch of voice N of the SysEx file (default: only list the voices)",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="name of the written patch, data/patches/NAME.toml (default: the voice's name)",
    )
    add_out(
        parser,
        "file of the written patch, or folder of --fit and --stretch (default: "
        "data/patches/NAME.toml, build/patch_fit or build/stretch)",
        kind=Path,
        required=False,
    )
    parser.add_argument(
        "--fit",
        action="store_true",
        help="compare how well all patches imitate recordings (default: no comparison)",
    )
    parser.add_argument(
        "--stretch",
        action="store_true",
        help="measure the inharmonicity of strings in recordings (default: no measurement)",
    )
    add_hold_out(parser, "folders of --audio, by name, on which --stretch is only tested")
    add_audio(
        parser, "recordings for --fit and --stretch: folders, or single files (default: none)"
    )
    parser.add_argument(
        "--instrument",
        metavar="NAME",
        help="instrument whose pitch range is used (default: 60 to 2000 Hz)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only fit levels to frames (default: also train with the best five patches)",
    )
    return parser


def _check(args: argparse.Namespace) -> None:
    """Refuses options that do not belong together."""
    given = [name for name, value in vars(args).items() if value not in (None, False, [])]
    use = next((name for name in USES if name in given), None)
    allowed = ("syx",) if use is None else (use, *USES[use])
    for name in given:
        if name not in allowed and use is not None:
            raise UserError(f"{_option(name)} does not go with {_option(use)}: leave one out")
        if name not in allowed:
            fitting = [_option(each) for each, others in USES.items() if name in others]
            which = "it" if len(fitting) == 1 else "one of them"
            raise UserError(f"{_option(name)} is for {' or '.join(fitting)}: add {which}")
    if args.voice is not None and len(args.syx) != 1:
        raise UserError("--voice needs the file that contains the voice: give one --syx FILE")
    if (args.fit or args.stretch) and not args.audio:
        raise UserError(f"{_option(str(use))} needs recordings: give --audio DIR")
    if args.name is not None and args.out is not None:
        raise UserError("--out contains the patch's name: leave out --name")
    if args.out is not None:
        try:
            (new_file if use == "voice" else new_folder)(str(args.out))
        except argparse.ArgumentTypeError as error:
            raise UserError(f"--out: {error}") from None


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _list_voices(path: Path) -> None:
    voices = read_voices(path)
    for number, voice in enumerate(voices, 1):
        print(f"{number:2d} {voice_line(voice)}")
    noun = "voice" if len(voices) == 1 else "voices"
    file = shlex.quote(str(path))
    print(f"{path}: {len(voices)} {noun}")
    print(f"next: python -m pipeline.patch --syx {file} --voice N writes one as a patch")


def _import(args: argparse.Namespace) -> None:
    voices = read_voices(args.syx[0])
    if args.voice > len(voices):
        raise UserError(f"{args.syx[0]} has {len(voices)} voices: give --voice 1 to {len(voices)}")
    voice = voices[args.voice - 1]
    name = voice.identifier if args.name is None else args.name
    if not Identifier().accepts(name):  # a path would leave data/patches
        raise UserError(f"--name {name!r}: give a name {Identifier()}")
    path = args.out or PATCH_DIR / f"{name}.toml"
    patch = voice.patch(path.stem)
    title = f"Voice {args.voice} of {args.syx[0].name}: {voice.name}, algorithm {voice.algorithm}."
    lacking = voice.not_played()
    save_patch(patch, path, [title, *([f"Not played: {', '.join(lacking)}."] if lacking else [])])
    print(f"{args.voice} {voice_line(voice)}")
    print(f"{shown(path)}: written")
    if path.resolve().parent == PATCH_DIR:
        print(f'next: write patch = "{patch.name}" into the file of an instrument')
    else:
        print("next: move it to data/patches, or copy it to [patch] in the file of an instrument")


def _config(args: argparse.Namespace) -> InstrumentConfig:
    """Returns the configuration with which recordings are analysed."""
    if args.instrument is not None:
        return load_instrument(args.instrument)
    return InstrumentConfig("recordings", known_patches()[0], DataConfig(60.0, 2000.0))


def _measure_stretch(args: argparse.Namespace) -> None:
    from pipeline.audio.analysis import analyse
    from pipeline.audio.inharmonicity import measure_stretch
    from pipeline.audio.recordings import open_recordings
    from pipeline.training.splits import check_hold_out

    config = _config(args).data
    folder = args.out or BUILD_DIR / "stretch"
    found = open_recordings(args.audio, config)
    check_hold_out(args.hold_out, {recording.source for recording in found.recordings})
    found.warn()
    analyses = analyse(found.recordings, config, folder / "features")
    curve, figures = measure_stretch(analyses, config.confidence_threshold, args.hold_out)
    write_json(folder / "stretch.json", {"inharmonicity": curve, "partial_10": figures})
    for source, row in figures.items():
        held_out = " (held out)" if source in args.hold_out else ""
        within = f"{row['within_15_cents']:.0%} of {row['n_notes']} notes within 15 cents"
        print(f"{source}{held_out}: partial 10: {within}, median {row['median_cents']:.1f} cents")
    print(f"inharmonicity = {[list(pair) for pair in curve]}")
    print("next: write that line into a file of data/patches, with stretch = n^3 of each operator")


def _fit(args: argparse.Namespace) -> None:
    # Imported here, because other uses need no TensorFlow, which takes seconds to import.
    from pipeline.audio.recordings import open_recordings
    from pipeline.model import patch_fit
    from pipeline.pages.patch_chart import write_chart
    from pipeline.pages.patch_fit_text import fit_lines

    config = _config(args)
    candidates = patch_fit.harmonic_patches()
    candidates += [voice.patch() for path in args.syx for voice in read_voices(path)]
    own = resolve_patch(config.patch, config.instrument)
    candidates += [] if own.is_stretched else [own]
    patches = patch_fit.distinct_patches(candidates)
    folder = args.out or BUILD_DIR / "patch_fit"
    found = open_recordings(args.audio, config.data)
    found.warn()
    fits = patch_fit.rank_patches(patches, found.recordings, config.data, folder / "features")
    if not args.quick:
        from pipeline.training import patch_comparison

        fits = patch_comparison.train_best(fits, config, found.recordings, folder)
    patch_fit.write_fits(folder / "patches.json", fits)
    write_chart(fits, folder / "patches.svg")
    print("\n".join(fit_lines(fits)))
    print(f"{shown(folder)}: patches.svg, patches.json")
    print(f"next: {_use_of(fits[0].patch, own, args)}")


def _use_of(best: Patch, own: Patch, args: argparse.Namespace) -> str:
    """Says how the instrument, whose own patch may be another one, gets the best patch."""
    folders = shlex.join(map(str, args.audio))
    run = f"python -m pipeline.run --instrument {args.instrument} --audio {folders}"
    file = f"data/instruments/{args.instrument}.toml"
    if args.instrument and own == best:
        return f"{run}, because {file} has this patch"
    if args.instrument and own.is_stretched:
        return f"keep the patch of {file}: it is stretched, and stretched patches are not compared"
    name, start = best.name, ""
    if best not in map(load_patch, known_patches()):
        path, number, voice = next(
            (path, number, voice)
            for path in args.syx
            for number, voice in enumerate(read_voices(path), 1)
            if voice.patch() == best
        )
        start = f"python -m pipeline.patch --syx {shlex.quote(str(path))} --voice {number}"
        start += "" if name == voice.identifier else f" --name {name}"
        start += ", then "
    if args.instrument is None:
        return f"{start}python -m pipeline.new_instrument NAME --patch {name} --audio {folders}"
    return f'{start}write patch = "{name}" into {file}, and {run}'


if __name__ == "__main__":
    run_main(main)
