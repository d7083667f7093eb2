"""Networks are saved, renamed, replaced and deleted; broken files and bad names are rejected."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mnist_core import owners
from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.networks import keras_json, library
from mnist_core.networks.layers import Conv2D, Dense, Flatten, Rescaling
from mnist_core.networks.library import (
    delete_network,
    find_network,
    list_networks,
    networks_dir,
    rename_network,
    resolve_network,
    save_network,
)
from mnist_core.owners import Visitor
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import list_runs

LAYERS = (Rescaling(1 / 255), Conv2D(8, 3, activation="relu"), Flatten(), Dense(10, "softmax"))
OTHER = (Flatten(), Dense(10, "softmax"))


def test_a_saved_network_is_listed_and_found(runs_root: Path) -> None:
    owner = Visitor(owners.new_token()).owner
    network = save_network("  deep \n and narrow ", LAYERS, owner=owner)
    assert network.name == "deep and narrow"
    assert list_networks() == [network] and find_network(network.id) == network
    assert [path.name for path in networks_dir().iterdir()] == [f"{network.id}.json"]
    assert networks_dir().parent == runs_root and list_runs() == [], "it is not a run"


def test_the_last_one_saved_comes_first() -> None:
    first, second = save_network("first", LAYERS), save_network("second", OTHER)
    assert [each.name for each in list_networks()] == ["second", "first"]
    again = save_network("first", OTHER, replace_id=first.id)
    assert again.id == first.id
    assert [(each.name, each.layers) for each in list_networks()] == [("first", OTHER), ("second", OTHER)]
    assert rename_network(second.id, "third").layers == OTHER
    assert {each.name for each in list_networks()} == {"first", "third"}
    assert list_networks()[0].name == "first", "renaming does not change the order"


def test_a_network_is_found_by_name_id_or_keras_file(tmp_path: Path) -> None:
    network = save_network("deep and narrow", LAYERS)
    assert resolve_network("deep and narrow") == resolve_network(network.id) == network
    file = tmp_path / "mine.json"
    file.write_text(keras_json.to_keras_json(OTHER), encoding="utf-8")
    imported = resolve_network(str(file))
    assert (imported.name, imported.layers, imported.input_size) == ("mine", OTHER, 28)
    assert make_spec("fast", imported.overrides).settings.layers == OTHER


def test_a_network_for_56_pixels_is_trained_on_uncentered_digits() -> None:
    network = save_network("anywhere", LAYERS, 56)
    for recipe in ("fast", "canvas"):
        assert make_spec(recipe, network.overrides).settings.architecture.input_shape == (56, 56, 1)


def test_an_unknown_or_ambiguous_name_is_an_error_that_lists_the_choices() -> None:
    with pytest.raises(SettingError, match="'deep'.*none yet"):
        resolve_network("deep")
    save_network("shallow", OTHER)
    with pytest.raises(SettingError, match="'deep'.*'shallow'"):
        resolve_network("deep")
    ids = {save_network("deep", layers).id for layers in (LAYERS, OTHER)}
    with pytest.raises(SettingError, match="2 networks are called 'deep'") as error:
        resolve_network("deep")
    assert all(one in str(error.value) for one in ids)
    with pytest.raises(SettingError, match="nowhere.json cannot be read"):
        resolve_network("nowhere.json")


def test_a_deleted_network_is_gone() -> None:
    network = save_network("gone", LAYERS)
    delete_network(network.id)
    delete_network(network.id)
    assert list_networks() == []
    for use in (find_network, resolve_network, lambda network_id: rename_network(network_id, "back")):
        with pytest.raises(SettingError, match=f"{network.id} was deleted"):
            use(network.id)
    assert list(networks_dir().iterdir()) == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "\u200b"])
def test_an_empty_or_long_name_is_rejected(name: str) -> None:
    with pytest.raises(SettingError, match="expected 1 to 60"):
        save_network(name, LAYERS)
    assert list_networks() == []


def test_a_network_that_cannot_be_trained_is_not_saved() -> None:
    with pytest.raises(ArchitectureError, match="Flatten"):
        save_network("broken", (Dense(10, "softmax"),))
    assert list_networks() == []


@pytest.mark.parametrize("network_id", ["", "../spec", "20260101-000000-XYZ", "a" * 500, "/etc/passwd"])
def test_an_id_is_never_a_path(network_id: str) -> None:
    for use in (find_network, delete_network, lambda name: rename_network(name, "x")):
        with pytest.raises(SettingError, match=f"^{re.escape(repr(network_id[:80]))} is not "):
            use(network_id)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"schema": 2, "name": "x", "layers": [], "input_size": 28, "saved": 0}',
        '{"schema": 1, "name": "x", "layers": [{"layer": "Lambda"}], "input_size": 28, "saved": 0}',
        '{"schema": 1, "name": "x", "layers": [{"layer": "Flatten"}], "input_size": 28, "saved": 0}',
        '{"schema": 1, "name": 7, "layers": [], "input_size": 28, "saved": "x"}',
    ],
)
def test_a_broken_file_is_not_listed_and_is_an_error_when_opened(content: str) -> None:
    good = save_network("good", LAYERS)
    path = networks_dir() / "20260101-000000-00000000.json"
    path.write_text(content, encoding="utf-8")
    (networks_dir() / "notes.json").write_text("{}", encoding="utf-8")
    assert list_networks() == [good]
    with pytest.raises(SettingError, match=f"{path.stem}.*cannot be read"):
        find_network(path.stem)


def test_an_invalid_owner_locks_a_network() -> None:
    network = save_network("mine", LAYERS)
    path = networks_dir() / f"{network.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "owner": "everybody"}), encoding="utf-8")
    (network,) = list_networks()
    assert not owners.may_change(network.owner, Visitor(owners.new_token()))


def test_a_full_library_takes_no_new_network_but_replaces_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_NETWORKS", 1)
    first = save_network("one", LAYERS)
    with pytest.raises(SettingError, match=" 1 networks"):
        save_network("two", LAYERS)
    save_network("one", OTHER, replace_id=first.id)


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(runs_root: Path) -> None:
    runs_root.parent.mkdir(exist_ok=True)
    runs_root.write_text("a file where the folder should be")
    with pytest.raises(SettingError, match=re.escape(str(networks_dir()))):
        save_network("x", LAYERS)
