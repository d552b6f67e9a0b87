"""The page of the pretrained instruments, built once, and a browser that has it open."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.chromium import Browser

from pipeline import web
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.paths import MODEL_DIR
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.build import Program
from pipeline.target.player import build_player
from pipeline.target.sources import generate
from pipeline.target.transfer import build_transfer


@pytest.fixture(scope="session")
def page(generate_once: Callable[..., Path]) -> Path:
    folder = generate_once("web_page", lambda out: web.main(["--pretrained", "--out", str(out)]))
    return folder / "index.html"


@pytest.fixture(scope="session")
def generated() -> Path:
    """The code that the page's module was compiled from."""
    folders = [MODEL_DIR / name / "reduced_cd" for name in shipped_instruments()]
    return generate(*folders, reverb_seconds=ALL_BOARDS["wasm"].reverb_seconds)


@pytest.fixture(scope="session")
def host_player(generated: Path, run_folder: Path) -> Program:
    """The host's player with as many voices as the page."""
    n_voices = ALL_BOARDS["wasm"].n_voices
    return build_player("host", generated, n_voices=n_voices, build_dir=run_folder / "web-player")


@pytest.fixture(scope="session")
def host_transfer(generated: Path, run_folder: Path) -> Program:
    return build_transfer("host", generated, build_dir=run_folder / "web-host-transfer")


@pytest.fixture
def browse(page: Path, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Opens the page; fails if it has errors or requests anything but itself."""
    browsers: list[Browser] = []

    def browse(*options: str, width: int = 1280, height: int = 900) -> Browser:
        browser = Browser(
            tmp_path / str(len(browsers)), width=width, height=height, options=options
        )
        browsers.append(browser)
        browser.open(page)
        return browser

    yield browse
    found = [(browser.errors, browser.requests) for browser in browsers]
    for browser in browsers:
        browser.close()
    assert found == [([], [page.resolve().as_uri()])] * len(found)
