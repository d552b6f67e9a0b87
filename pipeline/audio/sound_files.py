"""Opens sound files and reads them in blocks, also those with a wrong or broken end.

libsndfile decodes. A file that it cannot open raises `RecordingError` with a short reason, so
that the files of a folder can be counted by reason. A WAV header whose data length is wrong (the
recorder lost power, or a program wrote to a pipe) is corrected, and of a file that is damaged
within, what comes before the damage is read.
"""

import io
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile as sf

from pipeline.core.errors import UserError

BLOCK = 8192  # sample frames per read; of a damaged block, all is lost
PROBE_BYTES = 1 << 16
CONVERT = "convert it to WAV or FLAC"
# Files without a header (.raw) are not self-describing, so they are not audio here.
AUDIO_SUFFIXES = {f".{name.lower()}" for name in sf.available_formats()} - {".raw"} | set(
    [".aif", ".aifc", ".bwf", ".iff", ".mp1", ".mp2", ".oga", ".opus", ".snd", ".wave"]
)
# Sounds that libsndfile cannot decode: they are named, because somebody expects them to be used.
OTHER_SOUND_SUFFIXES = {
    *(".3gp", ".aac", ".ac3", ".aiffc", ".alac", ".amr", ".ape", ".asf", ".avi", ".dff"),
    *(".dsf", ".flv", ".m2ts", ".m4a", ".m4b", ".m4r", ".m4v", ".mka", ".mkv", ".mov", ".mp4"),
    *(".mpc", ".mpeg", ".mpg", ".ogv", ".ra", ".raw", ".spx", ".tta", ".webm", ".wma", ".wmv"),
    ".wv",
}
_CONTAINERS = (  # (offset, bytes) of what is often given a wrong name
    (4, b"ftyp", "an MPEG-4 file (m4a, mp4 or mov)"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (0, b"\x30\x26\xb2\x75", "a Windows Media file"),
    (8, b"AVI ", "an AVI video"),
    (0, b"PK\x03\x04", "a ZIP archive"),
)
_KNOWN_CHUNKS = (b"list", b"id3 ", b"bext", b"cue ", b"fact", b"smpl", b"inst", b"junk", b"ixml")
_SOUNDS = ((0, b"fLaC"), (0, b"OggS"), (0, b"ID3"), (8, b"WAVE"), (8, b"AIFF"), (8, b"AIFC"))

Floats = npt.NDArray[np.float32]


class RecordingError(UserError):
    """A file that cannot be used as a recording.

    Attributes:
        reason: Why, in words that are the same for all files of the kind, as in "silent". It has
            a default because worker processes return exceptions by their message first.
    """

    def __init__(self, message: str, *, reason: str = "not usable") -> None:
        super().__init__(message)
        self.reason = reason


def looks_like_sound(path: Path) -> bool:
    """Whether a file of unknown suffix begins like a sound file; False if it cannot be read."""
    start = _first_bytes(path)
    return any(start[offset:].startswith(mark) for offset, mark in _SOUNDS)


@contextmanager
def open_sound(path: Path) -> Iterator[sf.SoundFile]:
    """Opens a sound file for reading.

    Raises:
        RecordingError: The file is missing, cannot be read, or is not audio.
    """
    if not path.is_file():
        raise RecordingError(
            f"{path} is not a file: give the path of a recording", reason="not a file"
        )
    try:
        with path.open("rb") as file:
            patched = _correct_wav(file)
            sound = sf.SoundFile(patched or os.fsencode(path))
    except OSError as error:
        cause = error.strerror or str(error)
        raise RecordingError(
            f"{path} cannot be read ({cause}): check the file and its permissions",
            reason="cannot be read",
        ) from None
    except (sf.LibsndfileError, TypeError, ValueError) as error:
        raise _not_audio(path, error) from None
    with sound:
        yield sound


def read_blocks(sound: sf.SoundFile) -> Iterator[Floats]:
    """Yields the samples of a file from its beginning, each block of shape [n, channels].

    Ends before the first block that cannot be decoded.
    """
    sound.seek(0)
    while True:
        try:
            block = sound.read(BLOCK, dtype="float32", always_2d=True)
        except sf.LibsndfileError:
            return
        if not len(block):
            return
        yield block


@contextmanager
def explain_failed_writes(path: Path) -> Iterator[None]:
    """Raises `OSError` with the cause if a sound file cannot be written, such as a full disk.

    libsndfile only reports a "system error".

    Args:
        path: The file that the block writes.
    """
    try:
        yield
    except sf.LibsndfileError:
        with path.open("ab") as file:
            file.write(bytes(PROBE_BYTES))
        raise


def announced_seconds(paths: Iterable[Path]) -> float:
    """Returns how long recordings are together, as far as their headers can be read."""
    seconds = 0.0
    for path in paths:
        try:
            with open_sound(path) as sound:
                seconds += sound.frames / sound.samplerate
        except RecordingError:  # pipeline.data names it
            continue
    return seconds


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError:
        return b""


def _not_audio(path: Path, error: Exception) -> RecordingError:
    """Says what a file that libsndfile does not open is instead, as far as its beginning shows."""
    start = _first_bytes(path)
    found = [name for offset, mark, name in _CONTAINERS if start[offset:].startswith(mark)]
    if not start:
        reason, cause = "empty file", "the file is empty"
        remedy = "remove it or export it again"
    elif found or path.suffix.lower() in OTHER_SOUND_SUFFIXES:
        reason = "a format that is not read here"
        cause = f"it is {found[0]}" if found else f"{path.suffix.lower()} is not supported"
        remedy = CONVERT
    elif not start.translate(None, bytes(range(32, 127)) + b"\t\n\r"):
        reason, cause, remedy = "not audio", "it is text", "remove it"
    else:
        reason, cause = "not audio", getattr(error, "error_string", str(error)).rstrip(".")
        remedy = CONVERT
    return RecordingError(f"{path} is not readable audio ({cause}): {remedy}", reason=reason)


def _correct_wav(file: BinaryIO) -> "_Patched | None":
    """Corrects the data length of a WAV file that does not say how long its samples are.

    It is wrong if it is 0 although bytes follow, or if what follows the data is no chunk. A length
    beyond the end of the file needs no correction, because libsndfile then reads to the end.

    Returns:
        The corrected file, or None if the header is right.
    """
    start = file.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        return None
    size = os.fstat(file.fileno()).st_size
    position = 12
    while len(head := file.read(8)) == 8:
        name, length = head[:4], struct.unpack("<I", head[4:])[0]
        position += 8
        if name == b"data":
            end = position + length + length % 2
            if end + 8 > size:  # at most a few bytes follow
                return None
            if length > 0 and _is_chunk(file, end, size):
                return None
            rest = min(size - position, 0xFFFFFFFF)
            return _Patched(Path(os.fsdecode(file.name)), position - 4, struct.pack("<I", rest))
        position += length + length % 2
        file.seek(position)
    return None


def _is_chunk(file: BinaryIO, position: int, size: int) -> bool:
    """Whether chunks from a position on fill a file to its end, or at least the first is known."""
    is_first = True
    while position + 8 <= size:
        file.seek(position)
        head = file.read(8)
        if is_first and head[:4].lower() in _KNOWN_CHUNKS:
            return True
        if not (head[:4].isascii() and head[:4].decode().isprintable()):
            return False
        length = struct.unpack("<I", head[4:])[0]
        position += 8 + length + length % 2
        is_first = False
    return position <= size + 1


class _Patched(io.FileIO):
    """A file in which a few bytes read differently from what is on the disk."""

    def __init__(self, path: Path, position: int, content: bytes) -> None:
        super().__init__(path)
        self._position, self._content = position, content

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        start = self.tell()
        n_read = super().readinto(buffer) or 0
        view = memoryview(buffer)
        for index, byte in enumerate(self._content, self._position - start):
            if 0 <= index < n_read:
                view[index : index + 1] = bytes([byte])
        return n_read
