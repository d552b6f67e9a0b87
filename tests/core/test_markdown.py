"""Tables in Markdown, and texts that are moved away from what they link to."""

import pytest

from pipeline.core.markdown import table, thousands, without_relative_links


def test_numbers_at_the_right_are_aligned_to_the_right() -> None:
    text = table(["a", "b", "c"], [["x", "1", "20"], ["y", "3", "4"]], n_numeric=2)
    assert text == "| a | b | c |\n| --- | ---: | ---: |\n| x | 1 | 20 |\n| y | 3 | 4 |\n"
    assert table(["a"], []) == "| a |\n| --- |\n"


def test_thousands_are_separated_by_spaces() -> None:
    assert [thousands(n) for n in (7, 51_200.4, 1_234_567)] == ["7", "51 200", "1 234 567"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see [errors](../ports/stm32/README.md) | x", "see errors | x"),
        ("[`a.c`](a.c#L3), ![a picture](b.svg)", "`a.c`, a picture"),
        (
            "[far](https://example.org/x), [here](#led)",
            "[far](https://example.org/x), [here](#led)",
        ),
        ("an index [3] (not a link)", "an index [3] (not a link)"),
    ],
)
def test_links_to_other_files_become_plain_text(text: str, expected: str) -> None:
    assert without_relative_links(text) == expected
