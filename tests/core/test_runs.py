"""Run folders are found, or the message says what to do."""

import pytest

from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import pretrained_run


def test_pretrained_model_is_found():
    assert pretrained_run("flute", "reduced_cd") == MODEL_DIR / "flute" / "reduced_cd"


def test_missing_pretrained_model_asks_for_a_run_folder_of_the_users_own():
    with pytest.raises(UserError) as error:
        pretrained_run("kazoo", "reduced_cd")
    assert str(error.value).endswith("such as --run runs/kazoo/reduced_cd")
