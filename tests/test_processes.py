"""Importing Keras in a process of our own, and processes that do not run the main program."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from mnist_core.processes import OPTIONAL_FOR_KERAS, spawned_pool
from tests.support import ROOT

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
