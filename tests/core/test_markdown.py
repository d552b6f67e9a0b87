"""Tables in Markdown."""

from pipeline.core.markdown import table, thousands


def test_numbers_at_the_right_are_aligned_to_the_right() -> None:
    text = table(["a", "b", "c"], [["x", "1", "20"], ["y", "3", "4"]], n_numeric=2)
    assert text == "| a | b | c |\n| --- | ---: | ---: |\n| x | 1 | 20 |\n| y | 3 | 4 |\n"
    assert table(["a"], []) == "| a |\n| --- |\n"


def test_thousands_are_separated_by_spaces() -> None:
    assert [thousands(n) for n in (7, 51_200.4, 1_234_567)] == ["7", "51 200", "1 234 567"]
