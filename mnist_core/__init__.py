"""Digit Lab's library: train digit classifiers, watch them learn, and classify drawings. It never imports Streamlit.

The public names, each loaded when it is first used:

    load_mnist      the images: the full MNIST, or 5,000 digits that need no network
    RECIPES         the named sets of training settings
    make_spec       what to train: a recipe, overrides, data and a seed
    start_run       creates a run and submits it to a job backend
    LocalBackend    trains runs in worker processes on this machine
    Run             a run's directory: status, reports, model card
    find_run        the run with an id
    list_runs       all runs, newest first
    Classifier      classifies digits with a converted model, without TensorFlow
    DigitLabError   base of every error that the library raises on purpose

Train a recipe and wait for its model:

    from mnist_core import LocalBackend, make_spec, start_run

    run = start_run(LocalBackend(), make_spec("fast", {"epochs": 2}, data="sample"))
    while not run.status().final:
        time.sleep(1)
    print(run.card()["test_accuracy"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_core.data.mnist import load_mnist
    from mnist_core.errors import DigitLabError
    from mnist_core.jobs.lifecycle import start_run
    from mnist_core.jobs.local import LocalBackend
    from mnist_core.models.classifier import Classifier
    from mnist_core.recipes.recipes import RECIPES
    from mnist_core.runs.run import Run
    from mnist_core.runs.spec import make_spec
    from mnist_core.runs.store import find_run, list_runs

__version__ = "0.1.0"

_MODULES = {
    "load_mnist": "data.mnist",
    "RECIPES": "recipes.recipes",
    "make_spec": "runs.spec",
    "start_run": "jobs.lifecycle",
    "LocalBackend": "jobs.local",
    "Run": "runs.run",
    "find_run": "runs.store",
    "list_runs": "runs.store",
    "Classifier": "models.classifier",
    "DigitLabError": "errors",
}
"""Public name -> the module that defines it. Importing the package itself loads none of them."""

__all__ = [
    "RECIPES",
    "Classifier",
    "DigitLabError",
    "LocalBackend",
    "Run",
    "find_run",
    "list_runs",
    "load_mnist",
    "make_spec",
    "start_run",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
