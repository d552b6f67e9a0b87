"""The listening page, written once for all workers of a run, and a browser that opens it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.chromium import Browser
from support.listening_page import make_setting

from pipeline.core.constants import VARIANTS
from pipeline.core.instrument_config import load_instrument
from pipeline.pages.catalogue import InstrumentSection, Take, page_systems
from pipeline.pages.listening_page import write_pages


@pytest.fixture(scope="session")
def setting(generate_once: Callable[..., Path]) -> Path:
    """Folder with small models, recordings and their page, see `make_setting`."""
    return generate_once("listening_page", make_setting)


@pytest.fixture(scope="session")
def written(setting: Path) -> Path:
    """Folder of the page."""
    return setting / "page"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests of a worker."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser: Browser, written: Path) -> Iterator[Browser]:
    """The freshly loaded listening page; checks afterwards that it requested no other file."""
    browser.requests.clear()
    browser.errors.clear()
    browser.open(written / "index.html")
    yield browser
    assert browser.errors == []
    assert all(url.startswith(written.as_uri()) for url in browser.requests), browser.requests


@pytest.fixture(scope="session")
def many(setting: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages with one take of every possible system; all systems have the same samples."""
    out = tmp_path_factory.mktemp("many")
    systems = page_systems(VARIANTS, VARIANTS)
    take = Take(
        "flute-1",
        "high",
        dict.fromkeys(systems, setting / "audio" / "flute" / "high.wav"),
        {system: {"mss": 1.0} for system in systems},
    )
    about = {system: {"model_bytes": None} for system in systems}
    config = load_instrument("flute")
    flute = InstrumentSection(config, "recorded", [take], about, "runs", {})
    write_pages([flute], systems, "host", out)
    return out
