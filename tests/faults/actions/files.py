"""What people keep: drawings, networks, labels, imports, exports, copied examples, the trash."""

from __future__ import annotations

import io
import zipfile
from unittest import mock

import numpy as np

from mnist_core.export import validate
from mnist_core.export.archive import unpack_run
from mnist_core.export.formats import write_export
from mnist_core.handwriting.corrections import delete_correction, list_corrections, save_correction
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.networks.library import delete_network, list_networks, rename_network, save_network
from mnist_core.runs.examples import copy_examples
from mnist_core.runs.labels import read_label, update_label
from mnist_core.runs.store import find_run, list_runs
from mnist_core.runs.trash import move_to_trash, restore_from_trash, trashed_runs
from tests.faults.actions.world import World

LAYERS = (Rescaling(1 / 255), Flatten(), Dense(10, "softmax"))
IMAGE = np.eye(28, dtype=np.uint8) * 255


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
