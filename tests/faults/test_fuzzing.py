import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.faults.fuzz_targets import TARGETS
from tests.faults.report import is_long, write_table
from tests.support import ROOT

MINUTES = os.environ.get("DIGITLAB_FUZZ_MINUTES", "60")


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_of_outsiders_work_or_are_refused(name):
    settings(max_examples=25, deadline=None, database=None)(TARGETS[name])()


@pytest.mark.slow
def test_coverage_guided_fuzzing_finds_nothing():
    if not is_long():
        pytest.skip("only in make test-faults")
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed (pip install atheris, Python 3.11 to 3.13 on Linux)")
    rows = []
    for name in TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-m", "tests.faults.fuzz", name, "--minutes", MINUTES, "--folder", folder],
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr[-4000:]
            inputs = int(done.stdout.split()[-1])
            rows.append([name, MINUTES, inputs, len(list(Path(folder).glob("crash-*")))])
    write_table("fuzzing", ["input", "minutes", "inputs tried", "failures"], rows, "make test-faults ARGS='-k fuzzing'")
    assert all(row[-1] == 0 for row in rows)
