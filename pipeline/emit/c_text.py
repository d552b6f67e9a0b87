"""Formats the pieces of C that generated files share."""

from collections.abc import Iterable, Sequence

BANNER = "/* Made by pipeline.codegen; do not edit. */\n"
TABLES_BANNER = "/* Made by python -m pipeline.tables; do not edit. */\n"


def rows(items: Iterable[object], per_line: int) -> str:
    """Returns the lines of an initializer with `per_line` items each, indented by four spaces."""
    texts = [str(item) for item in items]
    lines = (texts[i : i + per_line] for i in range(0, len(texts), per_line))
    return "".join(f"    {', '.join(line)},\n" for line in lines)


def braces(items: Iterable[object]) -> str:
    """Returns an initializer on one line, such as ``{1, 2, 3}``."""
    return "{" + ", ".join(map(str, items)) + "}"


def hex_words(words: Iterable[int]) -> list[str]:
    """Returns 32-bit words, given modulo 2**32, as unsigned C constants."""
    return [f"0x{word & 0xFFFFFFFF:08x}u" for word in words]


def header(file_name: str, body: str, *, banner: str = BANNER) -> str:
    """Returns a header file: its include guard, named after the file, around `body`."""
    guard = file_name.upper().replace(".", "_")
    return f"{banner}#ifndef {guard}\n#define {guard}\n\n{body}\n#endif\n"


def includes(file_names: Sequence[str]) -> str:
    """Returns an #include line for each file."""
    return "".join(f'#include "{name}"\n' for name in file_names)


def float_text(value: float) -> str:
    """Returns a C constant of type float, in parentheses if it is negative."""
    text = f"{value:.9g}"
    text += "f" if "." in text or "e" in text else ".0f"
    return f"({text})" if value < 0 else text
