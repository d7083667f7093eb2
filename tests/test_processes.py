"""Importing Keras in a process of our own, and processes that do not run the main program."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from mnist_core.processes import (
    OPTIONAL_FOR_KERAS,
    child_environment,
    end_child,
    run_module,
    spawned_pool,
    start_module,
)
from tests.support import ROOT, wait_until

IMPORT_KERAS = """
import gc, os, sys
from mnist_core.processes import OPTIONAL_FOR_KERAS, TENSORFLOW_DEFAULTS, import_keras
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"
keras = import_keras()
assert keras is import_keras() is sys.modules["keras"] and keras.layers.Dense
assert "tensorflow" in sys.modules
assert not {*OPTIONAL_FOR_KERAS} & {*sys.modules}, "not imported, and importable again"
assert gc.isenabled() and gc.get_freeze_count() > 100_000
assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1", "the user's"
assert {*TENSORFLOW_DEFAULTS} <= {*os.environ}
import sklearn.linear_model
"""


@pytest.mark.slow
def test_keras_is_imported_without_the_packages_that_it_does_not_need() -> None:
    assert "sklearn" in OPTIONAL_FOR_KERAS
    done = subprocess.run([sys.executable, "-c", IMPORT_KERAS], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_spawned_processes_do_not_run_the_main_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the web process it is a page, which cannot run there."""
    page = ModuleType("__main__")
    page.__file__ = __file__ + "-does-not-exist"
    monkeypatch.setitem(sys.modules, "__main__", page)
    with spawned_pool(1) as pool:
        assert list(pool.map(abs, [-3])) == [3]
    assert sys.modules["__main__"] is page


def test_an_exception_ends_the_processes_of_a_pool_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError), spawned_pool(1) as pool:
        pid = pool.submit(os.getpid).result()
        pool.submit(time.sleep, 600)
        raise ZeroDivisionError
    assert time.monotonic() - began < 60
    wait_until(lambda: not psutil.pid_exists(pid), "the end of the pool's process", 20)


LEAVE_A_POOL = """
import os, signal
from mnist_core.processes import spawned_pool
if __name__ == "__main__":
    with spawned_pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_processes_of_a_pool_end_when_their_parent_is_killed() -> None:
    printed = subprocess.run([sys.executable, "-c", LEAVE_A_POOL], cwd=ROOT, capture_output=True, text=True).stdout
    wait_until(lambda: not psutil.pid_exists(int(printed)), "the end of the pool's process", 20)


SECRETS = (
    *("DIGITLAB_ADMIN_TOKEN", "DIGITLAB_OIDC_CLIENT_SECRET", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "GITHUB_TOKEN"),
    *("OPENAI_API_KEY", "DATABASE_URL", "PGPASSWORD", "SSH_AUTH_SOCK", "GOOGLE_APPLICATION_CREDENTIALS", "SENTRY_DSN"),
    *("KERAS_HUB_TOKEN", "RAY_AUTH_TOKEN"),
)
PRINT_ENVIRONMENT = ("timeit", "-n1", "-r1", "import os; print(dict(os.environ))")


def test_a_child_process_gets_the_settings_but_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "hunter2")
    for name in ("DIGITLAB_MAX_RUNNING", "CUDA_VISIBLE_DEVICES", "http_proxy", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.setenv(name, "7")
    printed = [run_module(*PRINT_ENVIRONMENT, threads=3, timeout=60).stdout]
    with (tmp_path / "out").open("w") as out:
        assert start_module(*PRINT_ENVIRONMENT, threads=3, stdout=out).wait(60) == 0
    printed.append((tmp_path / "out").read_text())
    for text in printed:
        environment = ast.literal_eval(text.partition("\n")[0])
        assert "hunter2" not in text and not {*SECRETS} & {*environment}
        assert environment["DIGITLAB_MAX_RUNNING"] == environment["CUDA_VISIBLE_DEVICES"] == "7"
        assert environment["http_proxy"] == environment["TF_ENABLE_ONEDNN_OPTS"] == "7"
        assert (environment["OMP_NUM_THREADS"], environment["PATH"]) == ("3", os.environ["PATH"])
    assert child_environment(1, keep=("RAY_*",))["RAY_AUTH_TOKEN"] == "hunter2"  # of the process of a sweep


def test_every_child_process_is_started_by_this_module() -> None:
    """So that none gets more of the environment."""
    for path in (ROOT / "mnist_core").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        starts = ("Popen(", "subprocess.run(", "os.spawn", "ProcessPoolExecutor(", "os.fork(")
        assert path.name == "processes.py" or not any(word in text for word in starts), path


def test_a_child_is_ended_though_it_no_longer_reads() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import os, time; os.close(0); time.sleep(60)"], stdin=subprocess.PIPE
    )
    assert child.stdin is not None
    with pytest.raises(BrokenPipeError):
        for _ in range(600):
            child.stdin.write(b"a run\n")
            child.stdin.flush()
            time.sleep(0.05)
    end_child(child)
    assert child.returncode == -signal.SIGKILL
