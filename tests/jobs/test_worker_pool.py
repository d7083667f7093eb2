"""Workers that wait with TensorFlow loaded: taken, dead, unwanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mnist_core.config import warm_worker
from mnist_core.errors import SettingError
from mnist_core.jobs import worker_pool
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.worker_process import WarmWorker
from mnist_core.processes import NICE
from mnist_core.runs.run import Run
from mnist_core.runs.store import create_run
from tests.jobs.conftest import SPEC
from tests.support import ROOT, wait_until


@pytest.fixture
def warm() -> Iterator[WarmWorker]:
    worker = WarmWorker(1)
    yield worker
    worker.end()


def new_run() -> Run:
    return create_run(SPEC)


def assert_low_priority(process: psutil.Process) -> None:
    low = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICE
    wait_until(lambda: process.nice() == low, "the low priority of the process")
    group = Path(f"/proc/{process.pid}/autogroup")
    if group.exists():
        wait_until(lambda: group.read_text().split()[-1] == str(NICE), "the low priority of its session")


@pytest.mark.slow
def test_warm_worker_has_a_low_priority_and_trains_what_a_cold_one_trains(warm: WarmWorker, cold_run: Run) -> None:
    """Bit for bit, and with the same names of layers."""
    assert_low_priority(psutil.Process(warm._process.pid))
    warm_run = new_run()
    process = warm.take(warm_run)
    assert process is not None and process.wait() == 0, warm_run.log.read_text()
    assert warm_run.status().state == "finished"
    assert warm_run.model.read_bytes() == cold_run.model.read_bytes()
    assert "loss" not in warm_run.log.read_text()
    assert warm.take(new_run()) is None, "it trains once"


@pytest.mark.slow
def test_a_dead_warm_worker_is_not_used(warm: WarmWorker) -> None:
    warm._process.kill()
    warm._process.wait()
    assert warm.take(new_run()) is None


@pytest.mark.slow
def test_warm_worker_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "from mnist_core.jobs.worker_process import WarmWorker; worker = WarmWorker(1);"
        "print(worker._process.pid, flush=True);"
        "import os; os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    wait_until(lambda: not psutil.pid_exists(pid), "the end of an unwanted worker")


def test_a_warm_worker_is_kept_while_somebody_may_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Fake] = []

    class Fake:
        """Takes every run, and never ends."""

        def __init__(self, threads: int) -> None:
            self.threads, self.ended, self.taken = threads, False, ""
            started.append(self)

        def take(self, run: Run) -> Fake:
            self.taken = run.id
            return self

        def poll(self) -> None:
            """It runs."""

        def end(self) -> None:
            self.ended = True

    monkeypatch.setattr(worker_pool, "WarmWorker", Fake)
    backend = LocalBackend(running=1, warm=True)
    assert started == [], "nobody is on the Train page"
    backend.prepare()
    wait_until(lambda: len(started) == 1, "a worker that waits")
    first, second = new_run(), new_run()
    backend.submit(first)
    wait_until(lambda: started[0].taken == first.id, "the first run")
    backend.submit(second)
    wait_until(lambda: len(started) == 2, "a worker for the run that waits")
    assert started[1].taken == "" and not started[1].ended
    monkeypatch.setattr(worker_pool, "WARM_SECONDS", -1.0)
    backend.request_stop(second)
    backend.prepare()
    wait_until(lambda: started[1].ended, "nobody wants it any more")


def test_without_warm_workers_each_run_gets_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start(run: Run, threads: int) -> subprocess.Popen[bytes]:
        started.append(run.id)
        return subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(3)"])

    monkeypatch.setattr(worker_pool, "WarmWorker", None)
    monkeypatch.setattr(worker_pool, "start_worker", start)
    backend = LocalBackend(running=1)
    backend.prepare()
    run = new_run()
    backend.submit(run)
    wait_until(lambda: run.status().state == "failed", "the end of the new process")
    assert started == [run.id]


@pytest.mark.parametrize(("text", "expected"), [("", True), ("1", True), ("0", False), (" 0 ", False)])
def test_digitlab_warm_is_read(monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    monkeypatch.setenv("DIGITLAB_WARM", text)
    assert warm_worker() is expected


def test_an_invalid_digitlab_warm_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_WARM", "maybe")
    with pytest.raises(SettingError, match="'maybe', expected 0 or 1"):
        LocalBackend()
