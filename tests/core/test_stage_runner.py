"""Stages run as soon as their inputs are there, and the time left follows the measured speed."""

import subprocess
import sys

import pytest

from pipeline.core.errors import UserError
from pipeline.core.run_progress import Timing, estimate_left, in_words, pace_of, roughly
from pipeline.core.stage_runner import StageRunner
from pipeline.core.stages import Stage


class Script(Stage):
    """A stage that runs a Python script, to which it gives the path that it makes."""

    def start(self, n_threads=None):
        command = [sys.executable, "-u", "-c", *self.arguments, str(self.makes), str(n_threads)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def script(path, text, needs=(), **options):
    header = "import sys, time; from pathlib import Path; path = Path(sys.argv[1])\n"
    return Script(path.stem, "script", [header + text], path, needs, **options)


def run(stages, *, at_once=2, n_cores=2):
    StageRunner(stages, at_once=at_once, n_cores=n_cores).run()


WAIT_FOR_THE_OTHER = """
path.write_text(sys.argv[2])
other = path.with_name({"a": "b", "b": "a"}[path.stem])
for _ in range(500):
    if other.exists(): sys.exit()
    time.sleep(0.02)
sys.exit(3)
"""


def test_independent_stages_run_at_the_same_time_and_share_the_cores(tmp_path):
    both = [script(tmp_path / name, WAIT_FOR_THE_OTHER) for name in "ab"]
    last = script(tmp_path / "c", "path.write_text(sys.argv[2])", [s.makes for s in both])
    run([*both, last])
    assert [(tmp_path / name).read_text() for name in "abc"] == ["1", "1", "None"]


def test_stages_run_one_after_another_if_only_one_may(tmp_path):
    order = "path.with_name('log').open('a').write(path.stem); path.touch()"
    run([script(tmp_path / name, order) for name in "abc"], at_once=1)
    assert (tmp_path / "log").read_text() == "abc"
    assert all(stage.is_done for stage in [script(tmp_path / name, order) for name in "abc"])


def test_output_is_printed_under_the_stage_and_bars_are_not(tmp_path, capsys):
    text = (
        "print('3 clips'); print('next: do more')\n"
        "sys.stderr.write('\\rfit:  50%|##  | 1/2'); sys.stderr.write('\\nwarning: low\\n')\n"
        "path.touch()"
    )
    run([script(tmp_path / "clips", text)])
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "1 of 1 stages to do, about 10 s",
        "[1/1] script: clips",
        "    3 clips",
        "    [1/1] took 0 s",
    ]
    assert err == "warning: low\n"
    run([script(tmp_path / "clips", text)])
    assert capsys.readouterr().out == "[1/1] script: clips (up to date)\n"


def test_outlook_leaves_out_what_is_up_to_date(tmp_path, capsys):
    text = "path.touch()"
    first = script(tmp_path / "a", text, seconds=50)
    second = script(tmp_path / "b", text, [first.makes], seconds=100)
    run([first])
    capsys.readouterr()
    run([first, second])
    assert capsys.readouterr().out.startswith("1 of 2 stages to do, about 1 min 40 s\n[1/2]")


def test_failure_ends_the_other_stages(tmp_path, capsys):
    slow = script(tmp_path / "slow", "time.sleep(60); path.touch()")
    bad = script(tmp_path / "bad", "sys.stderr.write('error: no clips\\n'); sys.exit(2)")
    with pytest.raises(SystemExit) as ended:
        run([slow, bad, script(tmp_path / "never", "path.touch()", [bad.makes])])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: no clips\n"
    assert not list(tmp_path.iterdir())


def test_killed_stage_is_named(tmp_path):
    stage = script(tmp_path / "x", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(UserError, match=r"pipeline.script was killed by SIGKILL: the same command"):
        run([stage])


def timings(*planned):
    return [Timing(seconds) for seconds in planned]


def test_time_left_counts_stages_that_run_together_once():
    plan = timings(10, 100, 60, 30)
    after = [[], [0], [0], [1, 2]]
    assert estimate_left(plan, after, 2, now=0) == 10 + 100 + 30
    assert estimate_left(plan, after, 1, now=0) == 10 + 100 + 60 + 30


def test_time_left_follows_the_measured_pace():
    plan = timings(60, 100)
    plan[0].begin(now=0)
    plan[0].end(now=180)  # three times slower than planned
    pace = pace_of(plan, now=180)
    assert 2 < pace < 3  # the plan still counts a little
    assert estimate_left(plan, [[], [0]], 1, now=180) == pytest.approx(100 * pace)


def test_time_left_of_a_stage_follows_its_own_progress():
    plan = timings(100)
    plan[0].begin(now=0)
    plan[0].fraction = 0.9
    assert plan[0].left(now=450, pace=1) == pytest.approx(50, rel=0.15)  # 450 s for nine tenths
    plan[0].fraction = 0.0
    assert plan[0].left(now=40, pace=1) == 60
    assert plan[0].left(now=400, pace=1) == 5  # late without progress: soon


def test_stage_that_was_up_to_date_does_not_change_the_pace():
    plan = timings(60, 100)
    plan[0].skip()
    assert pace_of(plan, now=50) == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (7512, "2 h 05 min")]
)
def test_durations_are_in_words(seconds, text):
    assert in_words(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "10 s"), (51, "1 min"), (431, "7 min 20 s"), (601, "11 min"), (7500, "2 h 05 min")],
)
def test_estimates_are_rounded_up(seconds, text):
    assert roughly(seconds) == text
