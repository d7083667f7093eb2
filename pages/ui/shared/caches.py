"""Everything that is computed once and shared, in one place. What `cache_resource` returns belongs to all users: it is
read, never changed. Their keys are texts and numbers: Streamlit takes ten times as long to make a key of a Path, and
some are looked up at every stroke."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import runs as run_charts
from mnist_core.charts.common import vega_lite
from mnist_core.data.augmentation import AUGMENTATIONS, augment
from mnist_core.data.mnist import Mnist, load_mnist, mnist_available
from mnist_core.data.splits import split_mnist, uncenter_test_images
from mnist_core.jobs import routing
from mnist_core.jobs.backend import JobBackend
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.routing import RoutingBackend
from mnist_core.models.classifier import Classifier
from mnist_core.processes import cpu_count
from mnist_core.runs import history as runs_history
from mnist_core.runs import reports as runs_reports
from mnist_core.runs.run import Run
from mnist_core.runs.store import list_runs
from pages.ui.shared import state


def backend() -> JobBackend:
    """Who trains what this session starts: the server's one queue, or its cluster."""
    found = _backend()
    return (
        found.on_this_machine if isinstance(found, RoutingBackend) and st.session_state.get(state.TRAIN_HERE) else found
    )


def cluster_backend() -> RoutingBackend | None:
    """The cluster, with this machine beside it; None where no cluster is named."""
    found = _backend()
    return found if isinstance(found, RoutingBackend) else None


@st.cache_resource(show_spinner=False)
def _backend() -> LocalBackend | RoutingBackend:
    """Of this server, with what an earlier one left."""
    local = LocalBackend()
    found = RoutingBackend(routing.cluster_backend(), local) if routing.default_backend() == "ray" else local
    found.adopt(reversed(list_runs()))
    return found


def classifier(path: Path) -> Classifier:
    """The model in the file, loaded once. Raises ModelError where it is missing or broken."""
    return _classifier(str(path), modified_ns(path))


@st.cache_resource(show_spinner=False, max_entries=20)
def _classifier(path: str, changed: int) -> Classifier:
    return Classifier(Path(path))


def model_cards(root: Path) -> dict[str, dict[str, object]]:
    """Run id -> card, of every run that has a model, newest first. All users share it: it is read, never changed."""
    return _models(str(root))


@st.cache_resource(show_spinner=False, ttl=2)
def _models(root: str) -> dict[str, dict[str, object]]:
    found = [run for run in list_runs(Path(root)) if run.has_model]
    return {run.id: card for run in found if (card := _card(run)) is not None}


def _card(run: Run) -> dict[str, object] | None:
    """The card, read again when it has changed; None where the run was deleted a moment ago."""
    try:
        found = (run.path / "card.json").stat()
    except OSError:
        return None
    return _read_card(run, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=2000)
def _read_card(run: Run, changed: int, number: int) -> dict[str, object]:
    return run.card()


def run_history(root: Path) -> list[dict[str, Any]]:
    """A row for every run, newest first."""
    return _history(str(root))


@st.cache_data(show_spinner=False, ttl=2)
def _history(root: str) -> list[dict[str, Any]]:
    return runs_history.history_rows(Path(root))


def clear_run_caches() -> None:
    """To be called when something about the runs has changed here: the next look is a new one."""
    _history.clear()
    _models.clear()


def comparable_reports(run: Run) -> list[dict[str, float]]:
    """The reports of a run, as reports.chart_rows makes them; read again when there are more."""
    status, path = run.status(), run.path / "metrics.jsonl"
    if not path.exists():
        return []
    found = path.stat()
    return _reports(str(run.path), found.st_ino, found.st_size, status.steps / max(status.epochs, 1))


@st.cache_resource(show_spinner=False, max_entries=20)
def _reports(folder: str, number: int, size: int, steps_per_epoch: float) -> list[dict[str, float]]:
    return runs_reports.chart_rows(Run(Path(folder)).metrics().rows, steps_per_epoch)


def learning_curve(run: Run, rows: Sequence[Mapping[str, Any]], measure: str, steps_per_epoch: float) -> dict[str, Any]:
    """runs.training_curve, drawn once for all who watch the run. `rows`: its reports, at least one."""
    key = f"{run.path} {len(rows)} {rows[-1]} {measure} {steps_per_epoch}"
    return rendered_chart(key, lambda: run_charts.training_curve(rows, measure, steps_per_epoch))


def rendered_chart(key: str, draw: Callable[[], Any]) -> dict[str, Any]:
    """An Altair chart as Vega-Lite, its points as Streamlit sends them: drawn once for all who look at it.

    Args:
        key: all that decides what it shows.
        draw: gives the chart, its points as `{"values": rows}`.
    """
    return _drawn(key, draw)


@st.cache_resource(show_spinner=False, max_entries=100)
def _drawn(key: str, _draw: Callable[[], Any]) -> dict[str, Any]:
    import pyarrow  # as Streamlit does: when a chart is first shown

    found = vega_lite(_draw())
    found["data"] = {"values": pyarrow.Table.from_pylist(found["data"]["values"])}
    return found


@st.cache_resource(show_spinner="Reading the images …", max_entries=2)
def mnist(choice: str) -> Mnist:
    """The data set, as data.load takes it."""
    return load_mnist(choice)


def available_dataset() -> str:
    """The data set to show things on: `full` where it is on this computer, else `sample`. Nothing is downloaded."""
    return "full" if mnist_available() else "sample"


@st.cache_data(show_spinner=False)
def augmented_digits(name: str, count: int) -> NDArray[np.uint8]:
    """The first training digits of the offline sample, (count, 28, 28) uint8, changed as a training changes them."""
    images, how = mnist("sample").x_train[:count], AUGMENTATIONS[name]
    return images if how is None else augment(images, how, np.random.default_rng(0))


@st.cache_resource(show_spinner=False, max_entries=4)
def test_images(choice: str, split: str, uncentered: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Test images (N, size, size) uint8 and labels (N,) of a split."""
    parts = split_mnist(mnist(choice), split)
    return uncenter_test_images(parts) if uncentered else parts.x_test, parts.y_test


def predictions(path: Path, choice: str, part: str) -> NDArray[np.float32]:
    """What a model makes of a whole data set, (N, C) float32 as Classifier.probabilities; computed once.

    Args:
        path: of the model.
        choice: of the data, as data.load takes it.
        part: `train` or `test`.
    """
    return _predictions(str(path), modified_ns(path), choice, part)


@st.cache_resource(show_spinner="The model reads all these images, once …", max_entries=12)
def _predictions(path: str, changed: int, choice: str, part: str) -> NDArray[np.float32]:
    found = mnist(choice)
    images = found.x_train if part == "train" else found.x_test
    return Classifier(Path(path), cpu_count()).probabilities(images)


def modified_ns(path: Path) -> int:
    """When a file was changed, in nanoseconds; 0 where there is none. For keys of what is made of it."""
    return path.stat().st_mtime_ns if path.exists() else 0
