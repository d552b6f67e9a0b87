"""Builds the WebAssembly module of the instrument page (``tflm_app/apps/web``)."""

import hashlib
from pathlib import Path

from pipeline.core.paths import BUILD_DIR
from pipeline.target.build import application_settings, make


def build_web_module(generated_dir: Path, *, build_dir: Path | None = None) -> Path:
    """Builds the module around generated models, with a reverb if one was generated.

    Args:
        generated_dir: Output of `pipeline.codegen`.
        build_dir: Build folder; below ``build/web_module`` by default.

    Returns:
        The module, a file without imports.

    Raises:
        UserError: A tool or a package is missing, or the module does not compile.
    """
    if build_dir is None:
        place = hashlib.sha256(str(generated_dir.resolve()).encode()).hexdigest()[:8]
        build_dir = BUILD_DIR / "web_module" / place
    settings = application_settings(generated_dir, analyses=True)
    return make("wasm", build_dir, settings, "web").elf
