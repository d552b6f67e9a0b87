"""Finds the FM patch of an instrument or of a trained model."""

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.patch import Patch
from pipeline.core.patch_files import resolve_patch
from pipeline.core.runs import RunConfig


def find_patch(config: InstrumentConfig | RunConfig) -> Patch:
    """Returns the patch that a configuration names or describes.

    Raises:
        UserError: There is no such patch any more, or its file is not valid.
    """
    try:
        return resolve_patch(config.patch, config.instrument)
    except ValueError as error:
        raise UserError(str(error)) from None
