"""Issues are summed up by kind, and the whole list is kept."""

import pytest

from pipeline.audio.issue_log import Issue, IssueLog


def test_each_kind_is_one_line_with_a_count_and_three_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = IssueLog()
    log.add("odd.wav", [Issue("mains hum", "50 Hz"), Issue("clipped samples", "2 %")])
    log.add("fine.wav", [])
    for number in range(160):
        log.add(f"take_{number}.wav", [Issue("clipped samples")])
    log.warn("dataset.json")
    assert capsys.readouterr().err.splitlines() == [
        "warning: 161 recordings: clipped samples: odd.wav (2 %), take_0.wav, take_1.wav and 158 "
        "more; all are listed in dataset.json",
        "warning: 1 recording: mains hum: odd.wav (50 Hz)",
    ]
    everything = log.by_name()
    assert len(everything) == 161
    assert everything["odd.wav"] == ["mains hum (50 Hz)", "clipped samples (2 %)"]


def test_nothing_is_printed_without_issues(capsys: pytest.CaptureFixture[str]) -> None:
    IssueLog().warn("dataset.json")
    assert capsys.readouterr().err == ""
