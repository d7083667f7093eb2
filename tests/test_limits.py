"""A process that uses too much memory or time says so and ends."""

from __future__ import annotations

import contextlib
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_core import config, limits
from mnist_core.errors import SettingError
from mnist_core.export import measure, try_model
from mnist_core.jobs.worker_process import start_worker
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from tests.support import ROOT

WITHIN = """
import sys, time
from mnist_core.limits import limited
with limited({limits}):
    {body}
print("not ended")
"""


def run_within(limits: str, body: str) -> subprocess.CompletedProcess[str]:
    code = WITHIN.format(limits=limits, body=body)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_a_process_that_uses_too_much_memory_ends_and_says_so() -> None:
    done = run_within("megabytes=150", "import numpy as np; x = np.ones(300 << 20, np.uint8); time.sleep(30)")
    assert (done.returncode, done.stdout) == (limits.EXIT_STATUS, "")
    used, allowed = re.findall(r"([\d,]+) MB", done.stderr)
    assert 150 < int(used) < 700 and allowed == "150"


@pytest.mark.slow
def test_a_process_that_takes_too_long_ends_and_says_so() -> None:
    done = run_within("seconds=0.3", "time.sleep(30)")
    assert (done.returncode, done.stdout) == (limits.EXIT_STATUS, "") and "0.3 seconds" in done.stderr


def test_a_process_within_its_limits_goes_on() -> None:
    with limits.limited(seconds=60):
        pass
    assert not [thread for thread in limits.threading.enumerate() if thread.name == "limits"]


@pytest.mark.parametrize("helper", [measure, try_model])
def test_helpers_that_open_models_end_even_if_their_parent_is_gone(
    helper: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(limits, "limited", lambda **options: contextlib.nullcontext(given.update(options)))
    monkeypatch.setattr(sys, "argv", ["helper", str(tmp_path)])
    with pytest.raises(SystemExit):
        runpy.run_path(helper.__file__, run_name="__main__")
    assert given["seconds"] == helper.MAX_SECONDS


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.worker_memory_mb() >= 500 and config.worker_hours() == 24
    monkeypatch.setenv("DIGITLAB_WORKER_MEMORY_MB", "2000")
    monkeypatch.setenv("DIGITLAB_WORKER_HOURS", "0.5")
    assert (config.worker_memory_mb(), config.worker_hours()) == (2000, 0.5)
    for name, read in (("MEMORY_MB", config.worker_memory_mb), ("HOURS", config.worker_hours)):
        for wrong in ("0", "-1", "much", "nan"):
            monkeypatch.setenv(f"DIGITLAB_WORKER_{name}", wrong)
            with pytest.raises(SettingError, match=rf"DIGITLAB_WORKER_{name} is '{wrong}'"):
                read()


@pytest.mark.slow
def test_a_training_that_uses_too_much_memory_fails_with_a_sentence_that_says_how_to_fix_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGITLAB_WORKER_MEMORY_MB", "150")  # less than TensorFlow takes
    run = create_run(make_spec("fast", {}, "sample"))
    assert start_worker(run, 1).wait(60) == limits.EXIT_STATUS
    status = run.status()
    assert status.state == "failed" and "150 MB" in status.message
    assert "batch size" in status.message and "DIGITLAB_WORKER_MEMORY_MB" in status.message
