"""Importing Keras in a process of our own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mnist_core.processes import OPTIONAL_FOR_KERAS
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
