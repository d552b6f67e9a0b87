"""Turns files of the firmware into those of a library that lies flat in one folder.

Includes lose their folders, so they need no include path. What other code could see of the library,
the symbols of the linker and the names in the headers, gets the prefix ``ddx7_`` or ``DDX7_``.
"""

import re
from collections.abc import Mapping

FOLDER = "ddx7"  # of the sources, beside the header
PUBLIC_HEADER = "ddx7.h"
COMPILER_HEADER = "compiler.h"  # is included by every source first
VOICES = "PLAYER_N_VOICES"

_STANDARD_TYPE = re.compile(r"u?int\d+(x\d+)?_t|size_t")
_ENUMERATION = re.compile(r"\benum\b[^{;(]*\{(.*?)\}", re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_FUNCTION = re.compile(r"^(?!static\b|typedef\b)[A-Za-z_][\w *]*[ *](\w+)\(", re.MULTILINE)
_INLINE_FUNCTION = re.compile(r"^(?:static inline|FM_INLINE) [\w *]*[ *](\w+_\w+)\(", re.MULTILINE)
_OBJECT = re.compile(r"^extern [\w *]*[ *](\w+)(?:\[.*\])*;", re.MULTILINE)
_MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)
_TYPE = re.compile(r"\b\w+_t\b")


def flatten(files: Mapping[str, str], *, n_voices: int, compiler_header: str) -> dict[str, str]:
    """Returns the texts of a library by path, relative to the folder of its public header.

    Args:
        files: Sources and headers by file name, from `pipeline.library.sources.compose`.
        n_voices: Default number of voices.
        compiler_header: Text of `COMPILER_HEADER`.
    """
    texts = {**files, "player.h": _set_voices(files["player.h"], n_voices)}
    names = _new_names(texts)
    flat = {name: _rename(_without_folders(text), names) for name, text in texts.items()}
    public = re.sub(r'#include "(?=\w)', f'#include "{FOLDER}/', flat.pop(PUBLIC_HEADER))
    library = {PUBLIC_HEADER: public, f"{FOLDER}/{COMPILER_HEADER}": compiler_header}
    for name, text in flat.items():
        text = text.replace(f'#include "{PUBLIC_HEADER}"', f'#include "../{PUBLIC_HEADER}"')
        first = f'#include "{COMPILER_HEADER}"\n' if name.endswith(".c") else ""
        library[f"{FOLDER}/{name}"] = first + text
    return library


def _set_voices(text: str, n_voices: int) -> str:
    changed, n = re.subn(rf"(#define {VOICES}) \d+ /\*.*?\*/", rf"\1 {n_voices}", text)
    assert n == 1, f"player.h has {n} default numbers of voices"
    return changed


def _new_names(texts: Mapping[str, str]) -> dict[str, str]:
    """Returns the new name of everything that other code could see."""
    names = {VOICES: "DDX7_VOICES"}
    found: set[str] = set()
    for file_name, text in texts.items():
        code = _COMMENT.sub("", text)
        found |= set(_OBJECT.findall(code))
        if not file_name.endswith(".h"):
            continue
        found |= {*_MACRO.findall(code), *_FUNCTION.findall(code), *_INLINE_FUNCTION.findall(code)}
        found |= {name for name in _TYPE.findall(code) if not _STANDARD_TYPE.fullmatch(name)}
        for body in _ENUMERATION.findall(code):
            found |= set(re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)", body))
    for name in sorted(found - names.keys()):
        if not name.lower().startswith(("ddx7_", "__")):
            names[name] = f"DDX7_{name}" if name.isupper() else f"ddx7_{name}"
    return names


def _rename(text: str, names: Mapping[str, str]) -> str:
    """Renames identifiers, but not in names of files, and the tags of structures."""
    text = re.sub(r"\b[A-Za-z_]\w*\b(?!\.[ch]\b)", lambda m: names.get(m[0], m[0]), text)
    return re.sub(r"\bstruct (?!ddx7_)(\w+)", r"struct ddx7_\1", text)


def _without_folders(text: str) -> str:
    """Drops the folders of C files, in includes and in comments."""
    return re.sub(r"(?<![\w/])(?:\w+/)+(\w+\.[ch]\b)", r"\1", text)
