"""Compares settings: trains and measures each with every instrument, held-out source and seed.

    python -m pipeline.ablate data/ablations/by_source.toml --source urmp=DIR

The grid, a TOML file, says what is compared (see `pipeline.ablation.grid`). Data sets, trainings
and figures are kept in a work folder, where grids share what is equal, so the same command resumes
after an interruption. The results, and a table of them, are kept beside the grids of the
repository, in ``data/ablations/<grid>``; if the grid has the firmware's instructions counted, with
a picture of quality over cost.

With ``--scheduler``, the workers of a Dask cluster run the tasks. They have to see the work folder
and the repository under the same paths, and run one thread each:

    dask scheduler
    dask worker ADDRESS --nthreads 1 --nworkers 4
"""

import argparse
import shlex
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pipeline.ablation.data_sets import Library
from pipeline.ablation.execution import Executor
from pipeline.ablation.grid import Grid, load_grid
from pipeline.ablation.instructions import count_instructions
from pipeline.ablation.plan import make_plan
from pipeline.ablation.results import (
    PICTURE,
    RESULTS,
    TABLE,
    results_folder,
    write_results,
)
from pipeline.ablation.running import load_rows, run_plan
from pipeline.ablation.table import page_text, table_text
from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.options import add_folder, add_out, new_folder
from pipeline.core.parser import Parser, whole
from pipeline.core.paths import BUILD_DIR, shown
from pipeline.core.processes import worker_count
from pipeline.pages import frontier


def main(argv: Sequence[str] | None = None) -> None:
    """Trains and measures every setting of a grid with every instrument, source and seed."""
    args = _parser().parse_args(argv)
    grid = load_grid(args.grid)
    work = args.work.resolve()  # workers may run in other folders
    library = Library(work / "data", _places(args.source))
    library.check_sources(grid.sources, grid.instruments)
    plan = make_plan(grid, library, work / "runs")
    if args.restart:
        for folder in {f for task in plan.tasks for f in (task.run_dir, task.dataset.parent)}:
            shutil.rmtree(folder, ignore_errors=True)
    with closing(Executor(jobs=args.jobs, scheduler=args.scheduler)) as executor:
        for number, data in enumerate(plan.data_sets, 1):
            print(f"data set {number} of {len(plan.data_sets)}: {data.title}", flush=True)
            library.build(data)
        failures = run_plan(plan, executor)
    if failures:
        n_done = sum(task.result.is_file() for task in plan.tasks)
        count = f"{n_done} of {len(plan.tasks)} tasks are done"
        raise UserError(f"{failures[0]} ({count}; the same command continues)")
    rows, counts = load_rows(plan), count_instructions(plan, grid.evaluate.boards)
    out = args.out or results_folder(grid)
    results = write_results(out / RESULTS, grid, _command(grid, args.source), rows, counts)
    written = [RESULTS, TABLE]
    if counts:
        frontier.draw(results, out / PICTURE)
        written.append(PICTURE)
    with atomic_write(out / TABLE) as temporary:
        temporary.write_text(page_text(results))
    print(table_text(results))
    if len(results["versions"]) > 1:
        print("the code changed between these results: --restart makes them comparable")
    print(f"{len(rows)} tasks; written to {shown(out)}: {', '.join(written)}")
    print("next: python -m pipeline.tables")


def _places(sources: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    places = dict(sources)
    if len(places) < len(sources):
        raise UserError("--source: give each name once")
    return places


def _command(grid: Grid, sources: Sequence[tuple[str, Path]]) -> str:
    """Returns the command without paths of this machine."""
    path = shown(grid.path.resolve())
    words = [str(grid.path.name if path.is_absolute() else path)]
    for name, _ in sources:
        words += ["--source", f"{name}=DIR"]
    return f"python -m pipeline.ablate {shlex.join(words)}"


def _source(text: str) -> tuple[str, Path]:
    name, sign, folder = text.partition("=")
    if not (name and sign and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR")
    return name, Path(folder)


def _parser() -> Parser:
    parser = Parser("ablate", main.__doc__)
    parser.add_argument("grid", type=Path, metavar="GRID.toml", help="what is compared")
    parser.add_argument(
        "--source",
        type=_source,
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="may be repeated: folder of a source of the grid, which holds a folder of recordings "
        "for each instrument, DIR/flute (default: only sound sets, which are rendered)",
    )
    parser.add_argument(
        "--jobs",
        type=whole(1, 1024),
        default=worker_count(),
        metavar="N",
        help="tasks that this machine runs at the same time (default: one per core, %(default)s)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler whose workers run the tasks, such as tcp://HOST:8786 "
        "(default: this machine runs them)",
    )
    add_folder(
        parser,
        "--work",
        "folder of data sets and trainings, which grids share",
        default=BUILD_DIR / "ablations",
    )
    add_out(
        parser,
        "folder for results, table and picture (default: data/ablations/NAME for NAME.toml)",
        kind=new_folder,
        required=False,
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="make data sets, trainings and figures again (default: use what is done)",
    )
    return parser


if __name__ == "__main__":
    run_main(main, resumes=True)
