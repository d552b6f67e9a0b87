"""Lays out a static site from a release and the listening page.

    python -m pipeline.site [--release build/release] [--page build/page] [--out build/site]

The site has a front page, the instrument page, the listening page with the blind test, and the
downloads. All links are relative, so that any server, or the disk, can hold it. `make site` builds
all parts first.
"""

from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.options import add_folder, add_out, new_folder
from pipeline.core.parser import Parser
from pipeline.core.paths import BUILD_DIR, shown
from pipeline.publishing.site import write_site


def main(argv: Sequence[str] | None = None) -> None:
    """Lays out a static site of the instrument page, the listening page and the downloads."""
    parser = Parser("site", main.__doc__)
    add_folder(
        parser,
        "--release",
        "folder that pipeline.release has written",
        default=BUILD_DIR / "release",
    )
    listening = parser.add_mutually_exclusive_group()
    add_folder(
        listening, "--page", "folder that pipeline.page has written", default=BUILD_DIR / "page"
    )
    listening.add_argument(
        "--no-page",
        dest="page",
        action="store_const",
        const=None,
        help="leave the listening page out (default: it is part of the site)",
    )
    add_out(parser, "folder of the site", kind=new_folder, default=BUILD_DIR / "site")
    args = parser.parse_args(argv)
    pages = write_site(args.out, release=args.release, listening=args.page)
    print(f"{shown(args.out)}: {len(pages)} pages; open index.html, or put the folder on a server")


if __name__ == "__main__":
    run_main(main)
