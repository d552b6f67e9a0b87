"""Runs the tasks of a plan that are not done, and collects the results of all."""

from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.ablation.execution import Executor
from pipeline.ablation.plan import Plan
from pipeline.ablation.task import load_result, run_task


def run_plan(plan: Plan, executor: Executor) -> list[str]:
    """Runs the tasks that are not done, and returns why some of them failed.

    What needs a task that failed is left out; all else is done.
    """
    failures: list[str] = []
    lacking: set[Path] = set()  # run folders of tasks that failed, or that need one of these
    todo = {task.result: task for task in plan.tasks if not task.result.is_file()}
    print(f"{len(plan.tasks)} tasks, {len(todo)} of them to do", flush=True)
    with tqdm(total=len(todo), desc="ablate", unit="task", disable=None) as bar:
        for tasks in plan.rounds():
            lacking |= {task.run_dir for task in tasks if task.needs & lacking}
            ready = {t.result: t for t in tasks if t.result in todo and t.run_dir not in lacking}
            for task, failure in executor.run(run_task, list(ready.values())):
                bar.update()
                tqdm.write(f"failed: {failure}" if failure else f"done: {task.title}")
                if failure:
                    failures.append(failure)
                    lacking.add(task.run_dir)
    return failures


def load_rows(plan: Plan) -> list[dict[str, Any]]:
    """Returns what each task is and its result; all tasks are done (see `write_results`)."""
    return [
        {
            "instrument": task.data.config.instrument,
            "setting": task.setting,
            "hold_out": task.data.hold_out,
            "seed": task.seed,
            **load_result(task),
        }
        for task in plan.tasks
    ]
