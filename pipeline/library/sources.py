"""Collects the C files of a library: those that CMake builds for a target, and what they include.

CMake is asked (by its file API), so that the composition of the firmware is stated only in the
``CMakeLists.txt`` of ``tflm_app``.
"""

import json
import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.target.tools import require_tools, run_tool

TARGET = "neural_fm_ddx7"
UNDEFINED = frozenset({"DECODER_ENGINE_TFLM"})  # the library has the aot engine alone
_QUERY = ".cmake/api/v1/query/codemodel-v2"
_REPLY = ".cmake/api/v1/reply"


def compose(generated_dir: Path) -> dict[str, str]:
    """Returns the texts of all C files that the library of generated instruments consists of.

    Args:
        generated_dir: Output of `pipeline.codegen`, without a reverb.

    Returns:
        Texts by file name, without the branches for what the library does not have.

    Raises:
        UserError: A tool is missing, CMake failed, or two files have the same name.
    """
    require_tools("cmake", "ninja", "cc")
    with tempfile.TemporaryDirectory(prefix="library-") as scratch:
        build_dir = Path(scratch)
        query = build_dir / _QUERY
        query.parent.mkdir(parents=True)
        query.touch()
        settings = {"BOARD": "", "GENERATED_DIR": generated_dir.resolve()}
        options = [f"-D{name}={value}" for name, value in settings.items()]
        configure = ["cmake", "-S", APP_DIR, "-B", build_dir, "-G", "Ninja", *options]
        run_tool(configure, purpose="configuration of the library")
        sources, defines = _read_reply(build_dir / _REPLY)
    return collect(sources, (APP_DIR, generated_dir.resolve()), defines)


def _read_reply(folder: Path) -> tuple[list[Path], set[str]]:
    """Returns the sources and definitions of the target and of all that it links."""
    (index,) = folder.glob("index-*.json")
    (codemodel,) = (entry for entry in _read(index)["objects"] if entry["kind"] == "codemodel")
    (configuration,) = _read(folder / codemodel["jsonFile"])["configurations"]
    files = {target["id"]: target["jsonFile"] for target in configuration["targets"]}
    names = {target["name"]: target["id"] for target in configuration["targets"]}
    found: dict[str, Any] = {}
    waiting = [names[TARGET]]
    while waiting:
        identifier = waiting.pop()
        if identifier not in found:
            found[identifier] = _read(folder / files[identifier])
            waiting += [link["id"] for link in found[identifier].get("dependencies", ())]
    sources = [
        APP_DIR / source["path"]
        for target in found.values()
        for source in target["sources"]
        if "compileGroupIndex" in source
    ]
    defines = {
        define["define"].partition("=")[0]
        for target in found.values()
        for group in target["compileGroups"]
        for define in group.get("defines", ())
    }
    return sources, defines


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def collect(
    sources: Sequence[Path], folders: Sequence[Path], defines: Collection[str]
) -> dict[str, str]:
    """Returns the texts of files, and of what they include in quotes, by file name.

    Args:
        sources: The files.
        folders: Where headers are looked for, besides the folder of the file that includes them.
        defines: Names that are defined; conditions on them and on `UNDEFINED` are resolved.

    Raises:
        UserError: Two files have the same name.
    """
    paths: dict[str, Path] = {}
    texts: dict[str, str] = {}
    waiting = list(sources)
    while waiting:
        path = waiting.pop()
        if paths.setdefault(path.name, path) != path:
            raise UserError(f"{path} and {paths[path.name]} have the same name: rename one of them")
        if path.name in texts:
            continue
        text = texts[path.name] = resolve_conditions(path.read_text(), defines, UNDEFINED)
        for name in re.findall(r'^\s*#\s*include "(.+)"', text, re.MULTILINE):
            candidates = (folder / name for folder in (path.parent, *folders))
            waiting += [candidate for candidate in candidates if candidate.is_file()][:1]
    return dict(sorted(texts.items()))


def resolve_conditions(text: str, defined: Collection[str], undefined: Collection[str]) -> str:
    """Keeps the branches of ``#ifdef`` and ``#ifndef`` that apply, for names that are known.

    Args:
        text: C text, in which these conditions have no ``#elif``.
        defined: Names that are defined.
        undefined: Names that are not.
    """
    lines: list[str] = []
    branches: list[bool | None] = []  # of each open condition: is it kept; None: name not known
    for line in text.splitlines(keepends=True):
        words = line.replace("#", "# ", 1).split() if line.lstrip().startswith("#") else []
        directive = words[1] if len(words) > 1 else ""
        is_known = False
        if directive in ("if", "ifdef", "ifndef"):
            is_known = directive != "if" and words[2] in {*defined, *undefined}
            branches.append((directive == "ifdef") == (words[2] in defined) if is_known else None)
        elif directive == "else" and branches[-1] is not None:
            is_known = True
            branches[-1] = not branches[-1]
        elif directive == "endif":
            is_known = branches.pop() is not None
        if not is_known and False not in branches:
            lines.append(line)
    return "".join(lines)
