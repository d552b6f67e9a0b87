"""Helpers for processes."""

import threading

from pipeline.core.processes import locked


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    order = []
    folder = tmp_path / "new"
    waits = threading.Event()

    def second():
        waits.set()
        with locked(folder):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(folder):
        thread.start()
        waits.wait()
        thread.join(timeout=0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
