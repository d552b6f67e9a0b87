"""Replaces an object of the pipeline in every module that has imported it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def _pipeline_modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.split(".")[0] == "pipeline"]


@contextmanager
def replaced(original: object, substitute: object) -> Iterator[None]:
    """Replaces `original`, such as ``paths.BUILD_DIR`` or a function, in all modules that name it.

    Modules that are imported in the meantime also get the substitute, and are restored as well.
    """
    before = _pipeline_modules()
    places = [(m, name) for m in before for name, value in vars(m).items() if value is original]
    assert places, f"no module of the pipeline names {original!r}"
    for module, name in places:
        setattr(module, name, substitute)
    try:
        yield
    finally:
        names = {name for _, name in places}
        imported = [module for module in _pipeline_modules() if module not in before]
        places += [(m, n) for m in imported for n in names if vars(m).get(n) is substitute]
        for module, name in places:
            setattr(module, name, original)
