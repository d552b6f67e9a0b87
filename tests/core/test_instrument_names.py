"""Names of new instruments can be file names and C symbols, and replace no shipped instrument."""

import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.instrument_names import check_name


@pytest.mark.parametrize("name", ["clarinet", "Bass_clarinet2", "my_flute", "x" * 32])
def test_identifiers_are_accepted(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *((name, "letters, digits and underscores") for name in ("", "1st", "två", "a b", "a-b")),
        *((name, "letters, digits and underscores") for name in ("../up", "a.toml", "_x", "a\n")),
        ("x" * 33, "at most 32 characters"),
        *((name, f"such as my_{name.lower()}$") for name in ("int", "Double", "for", "lambda")),
        *((name, f"such as my_{name.lower()}$") for name in ("aux", "CON", "Lpt1", "main")),
        ("flute", "'flute' is an instrument of this repository: .* such as my_flute"),
        ("Piano", "'Piano' is an instrument of this repository"),
    ],
)
def test_other_names_are_refused_in_one_line(name, message):
    with pytest.raises(UserError, match=message):
        check_name(name)


def test_name_that_differs_in_case_only_is_refused(tmp_path, replace):
    replace(paths.INSTRUMENT_DIR, tmp_path)
    (tmp_path / "clarinet.toml").touch()
    check_name("clarinet")
    with pytest.raises(UserError, match="'Clarinet' and 'clarinet' differ in case only"):
        check_name("Clarinet")
