"""Reads what a board finds out about itself, and compares it with our estimates.

    python -m pipeline.flash --board pico --selftest
    python -m pipeline.board_report --port /dev/ttyUSB0

The first command flashes the self-test, the second makes it run: identity, memories, clocks, every
model bit by bit, and what each stage takes. The results are written as ``board_report.md``, for
readers, and as ``board_report.json``, which contains all of it and can be sent to the project. The
command needs pyserial. It ends with status 2 if a check failed, after it has written the report.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, require_writable, write_json
from pipeline.core.markdown import counted
from pipeline.core.options import add_out, add_run, new_folder
from pipeline.core.parser import Parser, real
from pipeline.core.paths import BUILD_DIR, shown
from pipeline.evaluation.board_estimates import Estimates, estimate_report
from pipeline.evaluation.board_report import report_json, report_text, summary_lines
from pipeline.evaluation.selftest_report import SelftestReport, parse_report
from pipeline.target.serial_console import SHORTEST_WAIT_S, read_report


def main(argv: Sequence[str] | None = None) -> None:
    """Reads the self-test of a board, and compares it with the estimates."""
    parser = Parser("board_report", main.__doc__)
    parser.add_argument(
        "--port", required=True, metavar="TTY", help="serial port of the console, 115 200 baud"
    )
    add_run(
        parser,
        "run folder of a model in the image, for the estimates (default: those of which the "
        "report has the names)",
        several=True,
    )
    parser.add_argument(
        "--measured-only",
        action="store_true",
        help="make no estimates (default: count instructions in an emulator for them)",
    )
    parser.add_argument(
        "--wait",
        type=real(SHORTEST_WAIT_S, 600),
        default=20.0,
        metavar="SECONDS",
        help="longest time in which the board may print nothing (default: 20)",
    )
    add_out(parser, "folder for the report", kind=new_folder, default=BUILD_DIR / "board_report")
    args = parser.parse_args(argv)
    require_writable(args.out)

    print(f"waiting for the board at {args.port}", flush=True)
    report = parse_report(read_report(args.port, wait_s=args.wait))
    print(f"{report.head['board']}: {counted(report.of('end')[0]['checks'], 'check')}")
    print(*summary_lines(report), sep="\n", flush=True)
    written = _write(args.out, report, Estimates({}, []))
    if not args.measured_only:
        estimates = estimate_report(report, args.run or [])
        for remark in estimates.remarks:
            print(remark)
        written = _write(args.out, report, estimates)
    if report.failed:
        raise UserError(f"failed: {'; '.join(report.failed)} (report in {written})")
    print(f"all checks passed; report in {written}")
    print(f"next: send {written.with_suffix('.json')} to the project")


def _write(folder: Path, report: SelftestReport, estimates: Estimates) -> Path:
    path = folder / "board_report.md"
    with atomic_write(path) as temporary:
        temporary.write_text(report_text(report, estimates))
    write_json(folder / "board_report.json", report_json(report, estimates))
    return shown(path)


if __name__ == "__main__":
    run_main(main)
