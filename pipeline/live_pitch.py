"""Measures how often the firmware's live analysis reports a wrong octave or twelfth.

    python -m pipeline.live_pitch --audio DIR --instrument flute

The firmware's analysis runs on this machine and is compared with the offline features of the same
recordings (`pipeline.evaluation.live_pitch`). ``--instrument`` gives the search range of the
offline features; ``--f0`` gives that of the firmware.
"""

from collections.abc import Sequence
from dataclasses import asdict

from tqdm import tqdm

from pipeline.audio.features import extract_features
from pipeline.audio.loading import load_audio
from pipeline.audio.recordings import open_recordings
from pipeline.core.cli import run_main
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import add_instrument, add_json
from pipeline.core.parser import Parser
from pipeline.core.recording_options import add_audio, add_f0, f0_bounds
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.evaluation.live_pitch import PitchErrors, count_pitch_errors, total
from pipeline.target.live_features import extract_live_features

N_WORST = 5  # recordings that are printed


def main(argv: Sequence[str] | None = None) -> None:
    """Measures how often the firmware's live analysis reports a wrong octave or twelfth."""
    parser = Parser("live_pitch", main.__doc__)
    add_audio(parser, "folders of recordings of one voice, or single files", required=True)
    add_instrument(parser)
    add_f0(parser, LIVE_F0_HZ)
    add_json(parser, "the numbers of every recording")
    args = parser.parse_args(argv)
    bounds = f0_bounds(args)
    config = load_instrument(args.instrument).data
    found = open_recordings(args.audio, config)
    found.warn()
    counts: dict[str, PitchErrors] = {}
    for recording in tqdm(found.recordings, desc="compare", unit="recording", disable=None):
        audio = load_audio(recording.path)
        offline = extract_features(audio, **config.f0_bounds)
        live = extract_live_features(audio, **bounds)
        counts[recording.name] = count_pitch_errors(offline, live, **bounds)
    _print(counts)
    if args.json:
        write_json(args.json, {name: asdict(errors) for name, errors in counts.items()})


def _print(counts: dict[str, PitchErrors]) -> None:
    worst = sorted(counts, key=lambda name: counts[name].wrong_share, reverse=True)[:N_WORST]
    rows = {f"all {len(counts)} recordings": total(counts.values())}
    rows |= {name: counts[name] for name in worst if counts[name].wrong_share}
    width = max(map(len, rows))
    print(f"{'wrong pitch in % of frames':{width}}    all  onset  sustain  too low  frames   held")
    for name, errors in rows.items():
        n_frames = errors.onset + errors.sustain
        print(
            f"{name:{width}} {100 * errors.wrong_share:6.2f} "
            f"{100 * errors.onset_wrong / max(errors.onset, 1):6.2f} "
            f"{100 * errors.sustain_wrong / max(errors.sustain, 1):8.2f} "
            f"{100 * errors.too_low / max(n_frames, 1):8.2f} {n_frames:7} {errors.held:6}"
        )


if __name__ == "__main__":
    run_main(main)
