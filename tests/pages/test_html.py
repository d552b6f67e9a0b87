"""What all pages share."""

import json

from pipeline.pages.html import embedded_json


def test_embedded_json_cannot_end_its_script() -> None:
    value = {"title": "low & </script><b>loud</b>", "n": 3}
    text = embedded_json(value)
    assert "<" not in text and json.loads(text) == value
