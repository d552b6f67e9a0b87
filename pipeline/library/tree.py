"""Builds the tree of an export: sources, build files, examples, documents, files of models."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.core import markdown
from pipeline.core.instrument_names import instrument_label
from pipeline.core.paths import REPOSITORY, version
from pipeline.core.runs import decoder_name, load_run
from pipeline.emit.model_card import model_card
from pipeline.emit.model_file import file_name, model_bytes
from pipeline.emit.presets import check_names, load_preset
from pipeline.emit.weight_packing import LAYOUTS
from pipeline.library.ecosystems import ECOSYSTEMS, Ecosystem
from pipeline.library.flattening import COMPILER_HEADER, flatten
from pipeline.library.sources import compose
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.target.sources import generate

ASSETS = Path(__file__).with_name("assets")
AUTHOR = "The distilling-ddsp authors"


def library_sources(
    run_dirs: Sequence[Path],
    *,
    fmt: str = "int8",
    n_voices: int = 4,
    loadable: Sequence[Path] = (),
) -> dict[str, str]:
    """Returns the text of the header and of every source of a library, by its path below ``src``.

    Args:
        run_dirs: Run folders with a quantized model, at least one; the order numbers them.
        fmt: Format of the models.
        n_voices: Default number of voices.
        loadable: Run folders of models that the library is to load from files.

    Raises:
        UserError: A model is missing or damaged, two have the same name, or a tool is missing.
    """
    return flatten(
        compose(generate(*run_dirs, fmt=fmt, loadable=loadable)),
        n_voices=n_voices,
        compiler_header=_asset(COMPILER_HEADER),
    )


def model_tree(run_dirs: Sequence[Path], *, fmt: str = "int8") -> dict[str, str | bytes]:
    """Returns the files of models that a library loads at run time, with their model cards.

    Args:
        run_dirs: Run folders with a quantized model.
        fmt: Format of the models.

    Returns:
        For each model a file per order of the weights, and its card, by file name.

    Raises:
        UserError: A model is missing or damaged, or two have the same name.
    """
    tree: dict[str, str | bytes] = {}
    presets = [load_preset(run_dir, fmt=fmt) for run_dir in run_dirs]
    check_names(presets)
    for run_dir, preset in zip(run_dirs, presets, strict=True):
        tree |= {file_name(preset.name, layout): model_bytes(preset, layout) for layout in LAYOUTS}
        tree[f"{preset.name}.md"] = model_card(run_dir, fmt=fmt)
    return tree


def library_tree(
    ecosystem: str,
    sources: Mapping[str, str],
    run_dirs: Sequence[Path],
    *,
    fmt: str = "int8",
    n_voices: int = 4,
    loadable: Sequence[Path] = (),
) -> dict[str, str | bytes]:
    """Returns the content of every file of a library by its path in the export.

    Args:
        ecosystem: One of `ECOSYSTEMS`.
        sources: Output of `library_sources` for the same models and voices.
        run_dirs: Run folders of the models.
        fmt: Format of the models.
        n_voices: Default number of voices.
        loadable: Run folders of models that are written as files beside the library.

    Raises:
        UserError: A model is missing or damaged.
    """
    wanted = ECOSYSTEMS[ecosystem]
    facts = _facts(wanted, run_dirs, sources, fmt, n_voices)
    facts["files"] = _loadable_text(loadable)
    facts["use"] = _fill(_asset(f"use_{ecosystem}.md"), facts)
    tree: dict[str, str | bytes] = {f"src/{name}": text for name, text in sources.items()}
    tree |= {path: _fill(_asset(name), facts) for path, name in wanted.files.items()}
    tree |= {_card_name(run_dir): model_card(run_dir, fmt=fmt) for run_dir in run_dirs}
    tree |= {f"models/{name}": part for name, part in model_tree(loadable, fmt=fmt).items()}
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


def _loadable_text(loadable: Sequence[Path]) -> str:
    """Returns which files a library can load, in one or two sentences."""
    export = "`python -m pipeline.export --for ddx7 --run DIR` writes files"
    rule = "this library can load models with one of its FM patches and no larger network"
    if not loadable:
        return f"{export}; {rule}."
    names = ", ".join(map(_name, loadable))
    return f"Such files of {names} are in `models/`. {export} of other models; {rule}."


def _name(run_dir: Path) -> str:
    """Returns the name of a model in the library."""
    config = load_run(run_dir)
    return f"{config.instrument}_{config.variant}"


def _card_name(run_dir: Path) -> str:
    return f"models/{_name(run_dir)}.md"
