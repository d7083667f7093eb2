"""What people and processes do that writes to RUNS_DIR, and what must be true afterwards. See test_writes.py.

An action is what one process does until it ends or is killed. It records which calls have returned. The check is the
next process: it must find the results of those calls, and finishes what was interrupted.
"""

from __future__ import annotations

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from mnist_core import worker
from mnist_core.export import validate
from mnist_core.export.archive import unpack_run
from mnist_core.export.formats import write_export
from mnist_core.files.folders import make_folder
from mnist_core.files.leftovers import delete_leftovers
from mnist_core.files.write import write_bytes
from mnist_core.handwriting.corrections import delete_correction, list_corrections, save_correction
from mnist_core.jobs.lifecycle import prepare_resume, resume_run, start_run
from mnist_core.jobs.local import LocalBackend
from mnist_core.models import convert
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.networks.library import delete_network, list_networks, rename_network, save_network
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.examples import copy_examples
from mnist_core.runs.history import history_rows
from mnist_core.runs.labels import read_label, update_label
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.store import create_run, find_run, list_runs
from mnist_core.runs.trash import move_to_trash, restore_from_trash, trashed_runs
from mnist_core.sweeps.store import Sweep, create_sweep, list_sweeps, runs_by_mark
from tests.faults.disk import Killed, attempt, contents, temporaries
from tests.support import wait_until
from tests.sweeps.fakes import RATES, TINY, InstantBackend, best_at_one_hundredth, make_plan_of_tiny, run_sweep_here

LAYERS = (Rescaling(1 / 255), Flatten(), Dense(10, "softmax"))
IMAGE = np.eye(28, dtype=np.uint8) * 255
SPEC = RunSpec("fast", replace(TINY, epochs=2), "sample", seed=3)
TRIALS = 3


@dataclass
class World:
    """A folder of runs in which an action takes place.

    Attributes:
        root: RUNS_DIR.
        bystander: a finished run that no action changes.
        subject: a finished run.
        done: what was acknowledged, by the name of the action's step.
    """

    root: Path
    bystander: Run
    subject: Run
    interrupted: Run | None = None
    done: dict[str, Any] = field(default_factory=dict)

    def do(self, step: str, action: Callable[[], Any]) -> Any:
        """Does one step, and notes its result if it succeeds."""
        results: list[Any] = []
        if not attempt(lambda: results.append(action())):
            self.done[step] = results[0]
            return results[0]
        return None


@dataclass(frozen=True)
class Action:
    """What one process does, and what the next one finds.

    Attributes:
        act: does it; called while the disk may fail.
        check: raises AssertionError if something is lost; called on a disk that works.
        trains: whether TensorFlow trains.
    """

    act: Callable[[World], object]
    check: Callable[[World], object]
    trains: bool = False


def check_world(world: World, before: dict[str, bytes]) -> None:
    """Checks what holds after every action: the next process finds nothing half-written, and all lists work."""
    delete_leftovers(world.root, subfolders=True)
    assert temporaries(world.root) == []
    assert contents(world.bystander.path) == before, "another run has changed"
    runs = list_runs(world.root)
    assert {world.bystander.id, world.subject.id} <= {run.id for run in runs} | set(trashed_runs(world.root))
    for run in runs:
        run.spec(), run.status(), run.card(), run.metrics()
    assert len(history_rows(world.root)) == len(runs)
    folders = {path.name for path in world.root.iterdir() if path.is_dir() and path.name[0] != "."}
    assert folders - {"drawings", "networks", "sweeps"} == {run.id for run in runs}, "an empty folder"


# A drawing, a network, a label


def keep_drawings(world: World) -> None:
    first = world.do("first", lambda: save_correction(IMAGE, 1, 2))
    world.do("second", lambda: save_correction(IMAGE, 2, 3))
    if first:
        world.do("deleted", lambda: delete_correction(first.name))


def check_drawings(world: World) -> None:
    names, deleted = {drawing.name for drawing in list_corrections()}, "deleted" in world.done
    expected = {world.done[step].name for step in ("first", "second") if step in world.done}
    assert names >= expected - ({world.done["first"].name} if "first" in world.done else set())
    assert not deleted or world.done["first"].name not in names
    assert (world.root / "drawings").is_dir() or not names


def save_networks(world: World) -> None:
    network = world.do("saved", lambda: save_network("first", LAYERS))
    if network:
        world.do("renamed", lambda: rename_network(network.id, "renamed"))
        other = world.do("other", lambda: save_network("other", LAYERS))
        if other:
            world.do("deleted", lambda: delete_network(other.id))


def check_networks(world: World) -> None:
    names = {network.id: network.name for network in list_networks()}
    if "saved" in world.done:
        known = names[world.done["saved"].id]
        assert known == "renamed" if "renamed" in world.done else known in ("first", "renamed")
    assert "deleted" not in world.done or world.done["other"].id not in names


def label_run(world: World) -> None:
    world.do("name", lambda: update_label(world.subject, name="a name"))
    world.do("star", lambda: update_label(world.subject, starred=True))
    world.do("control", lambda: world.subject.update_control(learning_rate=0.5))


def check_label(world: World) -> None:
    label = read_label(world.subject)
    assert label.name == "a name" or "name" not in world.done
    assert label.starred or "star" not in world.done
    assert world.subject.control().get("learning_rate") == 0.5 or "control" not in world.done


# Import, export, examples, the trash


def import_run(world: World) -> None:
    tried = mock.Mock(returncode=0)  # a process of its own, which writes nothing, opens the models
    with mock.patch.object(validate, "run_module", lambda *_, **__: tried):
        world.do("imported", lambda: unpack_run(io.BytesIO(world.done["zip"])))


def check_import(world: World) -> None:
    imported = [run for run in list_runs() if run.id not in (world.bystander.id, world.subject.id)]
    if "imported" in world.done:
        assert imported == [world.done["imported"]]
    for run in imported:
        assert run.has_model and run.card()["parameters"] == world.subject.card()["parameters"]


def export_run(world: World) -> None:
    world.do("exported", lambda: write_export(world.subject, "zip", world.root / "a.zip"))
    world.do("replaced", lambda: write_export(world.subject, "zip", world.root / "a.zip", overwrite=True))


def check_export(world: World) -> None:
    path = world.root / "a.zip"
    assert path.exists() or "exported" not in world.done
    if path.exists():
        assert zipfile.ZipFile(path).testzip() is None


def copy_and_delete(world: World) -> None:
    world.do("copied", copy_examples)
    world.do("deleted", lambda: move_to_trash(world.subject))
    world.do("restored", lambda: restore_from_trash(world.subject.id))


def check_copies(world: World) -> None:
    listed = {run.id for run in list_runs()}
    assert {run.id for run in world.done.get("copied", ())} <= listed
    assert all(run.has_model for run in list_runs())
    assert (world.subject.id in listed) != (world.subject.id in trashed_runs())
    assert world.subject.id in listed or "restored" not in world.done
    if world.subject.id not in listed:
        restore_from_trash(world.subject.id)
    assert find_run(world.subject.id).has_model


# The queue and a sweep, with workers that write what real ones would


class InstantPool:
    """A WorkerPool whose workers train in no time, in the server's thread."""

    def __init__(self) -> None:
        self.closed = False

    def start(self, run: Run, in_use: Collection[object]) -> Any:
        exit_status = 0
        try:
            run.log.write_bytes(b"training\n")
            run.append_metrics({"step": 1, "epoch": 1, "loss": 0.5})
            run.write_card({"test_accuracy": 0.5})
            run.write_status(replace(run.status(), state="finished", message="Finished", epoch=1))
        except OSError:
            exit_status = 1
        return mock.Mock(pid=0, returncode=exit_status, poll=lambda: exit_status)

    def prepare(self) -> None:
        """Nothing to prepare."""

    def update_idle_workers(self, **_: bool) -> None:
        if self.closed:
            raise Killed


def end_server(pool: InstantPool) -> None:
    """Ends the thread of the backend to which a pool belongs, as the end of its process would."""
    pool.closed = True
    for thread in threading.enumerate():
        if thread.name == "jobs":
            thread.join(5)


def queue_runs(world: World) -> None:
    pool = InstantPool()
    backend = LocalBackend(running=1, queued=9, each=9, grace=0.1, pool=pool)  # type: ignore[arg-type]
    try:
        with backend.lock:  # so that the second is stopped while it waits
            runs = [world.do(f"run {number}", lambda: start_run(backend, make_spec("fast"))) for number in range(3)]
            if runs[1]:
                world.do("stopped", lambda: backend.request_stop(runs[1]))
        deadline = time.monotonic() + 0.6
        while any(run and backend.holds(run) for run in runs) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        end_server(pool)


def check_queue(world: World) -> None:
    """The next server continues the queue; what has not finished is resumed and finishes."""
    pool = InstantPool()
    backend = LocalBackend(running=1, queued=9, each=9, grace=0.1, pool=pool)  # type: ignore[arg-type]
    try:
        runs = [run for run in list_runs() if run.id not in (world.bystander.id, world.subject.id)]
        assert {world.done[step].id for step in world.done if step.startswith("run ")} <= {run.id for run in runs}
        backend.adopt(runs)
        wait_until(lambda: all(run.status(grace=0).final for run in runs), "the end of all runs", 5)
        for run in runs:
            if "stopped" in world.done and run.id == world.done["run 1"].id:
                assert run.status().state == "stopped"
            if run.status(grace=0).state != "finished":
                resume_run(backend, run)
        wait_until(lambda: all(run.status().state == "finished" for run in runs), "the end of the resumed runs", 5)
        for run in runs:
            move_to_trash(run)
    finally:
        end_server(pool)


class Workers(InstantBackend):
    """Trains at once, and leaves a checkpoint as every worker does before there is a model."""

    def _train(self, run: Run, values: list[float]) -> None:
        make_folder(run.path / CHECKPOINT_FILE.parent)
        write_bytes(run.path / CHECKPOINT_FILE, b"-")
        super()._train(run, values)


def sweep(world: World) -> None:
    plan = make_plan_of_tiny(RATES, trials=TRIALS, retrain_seeds=2)
    created = world.do("sweep", lambda: create_sweep(plan))
    if created:
        world.do("ran", lambda: run_sweep_here(created, Workers(best_at_one_hundredth)))


def check_sweep(world: World) -> None:
    """The next process of the sweep continues it: no trial is lost, and none is trained twice."""
    sweeps = list_sweeps()
    assert "sweep" not in world.done or sweeps == [world.done["sweep"]]
    for each in sweeps:
        run_sweep_here(each, Workers(best_at_one_hundredth))
        _check_finished_sweep(each)


def _check_finished_sweep(each: Sweep) -> None:
    assert each.status().state == "finished", each.status().message
    assert [row["state"] for row in each.trials()] == ["finished"] * TRIALS
    runs = runs_by_mark(each)
    assert len(runs) == TRIALS + 2 and {row["run"] for row in each.trials()} < {run.id for run in runs.values()}
    assert len(list_runs()) == len(runs) + 2, "a trial was trained twice"
    assert each.retrained_best()["of"] == 2


# Training and resuming

_converted: dict[str, bytes] = {}
_convert = convert.convert


def convert_once(model: Any, architecture: Any) -> bytes:
    """Converts a model, unless the same weights were converted before: this takes half the time of a training."""
    key = hashlib.sha256(b"".join(value.tobytes() for value in model.get_weights())).hexdigest()
    if key not in _converted:
        _converted[key] = _convert(model, architecture)
    return _converted[key]


def train(run: Run) -> int:
    """Trains a run as its worker does."""
    with mock.patch.object(worker.signal, "signal"), mock.patch.object(convert, "convert", convert_once):
        return worker.train_run(run)


def train_new(world: World) -> None:
    run = world.do("created", lambda: create_run(SPEC))
    if run:
        train(run)


def train_interrupted(world: World) -> None:
    assert world.interrupted is not None
    run = world.interrupted
    if attempt(lambda: prepare_resume(run)) == "":
        train(run)


def check_training(world: World) -> None:
    """Every run that exists ends as the uninterrupted one: the same weights, the same reports, the same scores."""
    runs = [run for run in list_runs() if run.id not in (world.bystander.id, world.subject.id)]
    assert "created" not in world.done or [run.id for run in runs] == [world.done["created"].id]
    assert world.interrupted is None or runs == [world.interrupted]
    for run in runs:
        status = run.status(grace=0)
        assert status.final, f"it is {status.state}"
        if status.state != "finished":
            prepare_resume(run)
            assert train(run) == 0, run.status().message
        check_same_training(run, world.bystander)


def check_same_training(run: Run, reference: Run) -> None:
    """Checks that two runs of one spec ended alike, bit for bit."""
    assert run.status().state == "finished" and run.has_model
    snapshots = set(_snapshots(run)) & set(_snapshots(reference))  # one whose write failed is missing, by design
    for name in (CHECKPOINT_FILE, Path("wall.npz"), *snapshots):
        with np.load(run.path / name) as own, np.load(reference.path / name) as other:
            assert own.files == other.files
            assert all((own[key] == other[key]).all() for key in own.files if key != "place"), name
    assert (run.path / "model.tflite").read_bytes() == (reference.path / "model.tflite").read_bytes()
    assert _kept(run.card()) == _kept(reference.card())
    assert run.metrics().broken == 0
    assert _validation_losses(run) == _validation_losses(reference)
    steps = [row["step"] for row in run.metrics().rows]
    assert steps == sorted(set(steps)), "a step is reported twice"


def _snapshots(run: Run) -> list[Path]:
    return [path.relative_to(run.path) for path in sorted((run.path / "snapshots").glob("*.npz"))]


def _validation_losses(run: Run) -> list[tuple[int, float]]:
    return [(row["step"], row["val_loss"]) for row in run.metrics().rows if "val_loss" in row]


def _kept(card: dict[str, Any]) -> dict[str, Any]:
    return {name: card[name] for name in ("test_accuracy", "test_loss", "epochs_trained", "parameters", "litert")}


ACTIONS = {
    "keep a drawing": Action(keep_drawings, check_drawings),
    "save a network": Action(save_networks, check_networks),
    "label a run": Action(label_run, check_label),
    "import a run": Action(import_run, check_import),
    "export a run": Action(export_run, check_export),
    "copy examples, delete and restore a run": Action(copy_and_delete, check_copies),
    "queue three runs, stop one": Action(queue_runs, check_queue),
    "sweep": Action(sweep, check_sweep),
    "train": Action(train_new, check_training, trains=True),
    "resume": Action(train_interrupted, check_training, trains=True),
}
