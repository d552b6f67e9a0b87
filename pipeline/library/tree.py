"""Builds the tree of an exported library: sources, build files, examples, documents."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.core import markdown
from pipeline.core.instrument_names import instrument_label
from pipeline.core.paths import REPOSITORY, version
from pipeline.core.runs import decoder_name, load_run
from pipeline.emit.model_card import model_card
from pipeline.library.ecosystems import ECOSYSTEMS, Ecosystem
from pipeline.library.flattening import COMPILER_HEADER, flatten
from pipeline.library.sources import compose
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.target.sources import generate

ASSETS = Path(__file__).with_name("assets")
AUTHOR = "The distilling-ddsp authors"


def library_sources(
    run_dirs: Sequence[Path], *, fmt: str = "int8", n_voices: int = 4
) -> dict[str, str]:
    """Returns the text of the header and of every source of a library, by its path below ``src``.

    Args:
        run_dirs: Run folders with a quantized model, at least one; the order numbers them.
        fmt: Format of the models.
        n_voices: Default number of voices.

    Raises:
        UserError: A model is missing or damaged, two have the same name, or a tool is missing.
    """
    return flatten(
        compose(generate(*run_dirs, fmt=fmt)),
        n_voices=n_voices,
        compiler_header=_asset(COMPILER_HEADER),
    )


def library_tree(
    ecosystem: str,
    sources: Mapping[str, str],
    run_dirs: Sequence[Path],
    *,
    fmt: str = "int8",
    n_voices: int = 4,
) -> dict[str, str]:
    """Returns the text of every file of a library by its path in the export.

    Args:
        ecosystem: One of `ECOSYSTEMS`.
        sources: Output of `library_sources` for the same models and voices.
        run_dirs: Run folders of the models.
        fmt: Format of the models.
        n_voices: Default number of voices.

    Raises:
        UserError: A model is missing or damaged.
    """
    wanted = ECOSYSTEMS[ecosystem]
    facts = _facts(wanted, run_dirs, sources, fmt, n_voices)
    facts["use"] = _fill(_asset(f"use_{ecosystem}.md"), facts)
    tree = {f"src/{name}": text for name, text in sources.items()}
    tree |= {path: _fill(_asset(name), facts) for path, name in wanted.files.items()}
    tree |= {_card_name(run_dir): model_card(run_dir, fmt=fmt) for run_dir in run_dirs}
    tree["README.md"] = _fill(_asset("README.md"), facts)
    tree["LICENSE"] = (REPOSITORY / "LICENSE").read_text()
    return tree


def _asset(name: str) -> str:
    return (ASSETS / name).read_text()


def _fill(text: str, facts: dict[str, str]) -> str:
    """Replaces every ``@name@`` by the fact of that name."""
    for name, fact in facts.items():
        text = text.replace(f"@{name}@", fact)
    return text


def _facts(
    ecosystem: Ecosystem,
    run_dirs: Sequence[Path],
    sources: Iterable[str],
    fmt: str,
    n_voices: int,
) -> dict[str, str]:
    """Returns what the assets state about a library, by the name of its place in them."""
    instruments = dict.fromkeys(load_run(run_dir).instrument for run_dir in run_dirs)
    labels = ", ".join(instrument_label(name).lower() for name in instruments)
    rows = []
    for number, run_dir in enumerate(run_dirs):
        card = _card_name(run_dir)
        cost = markdown.thousands(read_step_model(run_dir / decoder_name(fmt)).n_mac)
        rows.append(f"| {number} | {_name(run_dir)} | [{card}]({card}) | {cost} |\n")
    indented = (f"  {ecosystem.source_prefix}src/{name}" for name in sources if name.endswith(".c"))
    return {
        "title": f"DDX7: {labels}",
        "instruments": labels,
        "made": f"Written by python -m pipeline.export of distilling-ddsp {version()}.",
        "version": version(),
        "author": AUTHOR,
        "voices": str(n_voices),
        "sources": "\n".join(indented),
        "table": "".join(rows),
    }


def _name(run_dir: Path) -> str:
    """Returns the name of a model in the library."""
    config = load_run(run_dir)
    return f"{config.instrument}_{config.variant}"


def _card_name(run_dir: Path) -> str:
    return f"models/{_name(run_dir)}.md"
