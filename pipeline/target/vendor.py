"""Fetches sources from package registries, pinned by version and checksum."""

import hashlib
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.paths import THIRD_PARTY_DIR
from pipeline.core.processes import locked
from pipeline.target.tools import require_tools, run_tool


@dataclass(frozen=True)
class Archive:
    """A source archive of a package registry.

    Attributes:
        name: Name in the registry.
        version: Pinned version.
        sha256: Checksum of the pinned file.
        content: Folder of the archive that is kept.
        scope: Prefix of the name in the npm registry.
    """

    name: str
    version: str
    sha256: str
    content: str
    scope: str = ""

    @property
    def folder(self) -> Path:
        """Folder of the fetched content."""
        return THIRD_PARTY_DIR / f"{self.name}-{self.version}"


CMSIS_DSP = Archive(
    name="cmsisdsp",
    version="1.10.3",
    sha256="307d32298faa7c58db912851027fce35f886fec7eb1a27c4b309ce1a97f47519",
    content="cmsisdsp-1.10.3",
)
CMSIS_CORE = Archive(
    name="arm-cmsis-core",
    version="5.4.0-6",
    sha256="5244fb6e6c357ff3521bedc806c488c168fc5ee947a1e9861386a888247bc2dc",
    content="package/CMSIS/Core/Include",
    scope="@xpack-3rd-party/",
)
RP2040JS = Archive(
    name="rp2040js",
    version="1.4.1",
    sha256="83328017cf7e503477e8d218cb742d3e843782d795edd175a0b81346c194e56f",
    content="package",
)


def fetch_cmsis() -> tuple[Path, Path]:
    """Fetches CMSIS once; returns the folders of CMSIS-Core's headers and of CMSIS-DSP.

    Raises:
        UserError: pip or npm is missing or has no network, or an archive is not the pinned one.
    """
    _fetch(CMSIS_DSP, _pip_download)
    _fetch(CMSIS_CORE, _npm_download)
    return CMSIS_CORE.folder, CMSIS_DSP.folder


def fetch_rp2040js() -> Path:
    """Fetches rp2040js, the emulator of the RP2040 that ``node`` runs, once; returns its folder.

    Raises:
        UserError: node or npm is missing or has no network, or the archive is not the pinned one.
    """
    require_tools("node")
    _fetch(RP2040JS, _npm_download)
    return RP2040JS.folder


def _fetch(archive: Archive, download: Callable[[Archive, Path], None]) -> None:
    with locked(THIRD_PARTY_DIR):
        if not archive.folder.is_dir():
            with tempfile.TemporaryDirectory(dir=THIRD_PARTY_DIR, prefix=".fetch-") as scratch:
                download(archive, Path(scratch))
                _unpack(archive, Path(scratch))


def _pip_download(archive: Archive, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    source_only = ["--no-binary", archive.name, f"{archive.name}=={archive.version}"]
    run_tool([*pip, "--dest", folder, *source_only], purpose=f"download of {archive.name} with pip")


def _npm_download(archive: Archive, folder: Path) -> None:
    require_tools("npm")
    package = f"{archive.scope}{archive.name}@{archive.version}"
    run_tool(
        ["npm", "pack", "--silent", "--pack-destination", folder, package],
        purpose=f"download of {archive.name} with npm",
    )


def _unpack(archive: Archive, scratch: Path) -> None:
    """Checks the only archive in `scratch` and moves its content to its final place."""
    (packed,) = [path for path in scratch.iterdir() if path.suffix in (".gz", ".tgz")]
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    if digest != archive.sha256:
        raise UserError(
            f"{packed.name} has SHA-256 {digest} instead of {archive.sha256}: the registry serves "
            "another file than the pinned one; do not use it"
        )
    with tarfile.open(packed) as tar:
        tar.extractall(scratch / "unpacked")  # safe, because its checksum is known
    (scratch / "unpacked" / archive.content).rename(archive.folder)
