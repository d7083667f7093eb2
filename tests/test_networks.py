"""The library of networks: kept, renamed, replaced and deleted; whose they are; what a hand may leave in the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mnist_core import keras_json, networks, owners, runs
from mnist_core.architecture import Conv2D, Dense, Flatten, Rescaling
from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.owners import Visitor
from mnist_core.runs import make_spec

LAYERS = (Rescaling(1 / 255), Conv2D(8, 3, activation="relu"), Flatten(), Dense(10, "softmax"))
OTHER = (Flatten(), Dense(10, "softmax"))


def test_kept_and_found_again(runs_root: Path) -> None:
    owner = Visitor(owners.new_token()).owner
    network = networks.save("  deep \n and narrow ", LAYERS, owner=owner)
    assert network.name == "deep and narrow"
    assert networks.everything() == [network] and networks.find(network.id) == network
    assert [path.name for path in networks.folder().iterdir()] == [f"{network.id}.json"]
    assert networks.folder().parent == runs_root and runs.list_runs() == [], "no run"


def test_the_last_one_saved_comes_first() -> None:
    first, second = networks.save("first", LAYERS), networks.save("second", OTHER)
    assert [each.name for each in networks.everything()] == ["second", "first"]
    again = networks.save("first", OTHER, over=first.id)
    assert again.id == first.id
    assert [(each.name, each.layers) for each in networks.everything()] == [("first", OTHER), ("second", OTHER)]
    assert networks.rename(second.id, "third").layers == OTHER
    assert {each.name for each in networks.everything()} == {"first", "third"}
    assert networks.everything()[0].name == "first", "a new name moves nothing"


def test_named_as_a_command_line_does(tmp_path: Path) -> None:
    network = networks.save("deep and narrow", LAYERS)
    assert networks.named("deep and narrow") == networks.named(network.id) == network
    file = tmp_path / "mine.json"
    file.write_text(keras_json.write(OTHER), encoding="utf-8")
    imported = networks.named(str(file))
    assert (imported.name, imported.layers, imported.input_size) == ("mine", OTHER, 28)
    assert make_spec("fast", imported.overrides).settings.layers == OTHER


def test_a_network_of_56_pixels_is_trained_on_such_images() -> None:
    network = networks.save("anywhere", LAYERS, 56)
    for recipe in ("fast", "canvas"):
        assert make_spec(recipe, network.overrides).settings.architecture.input_shape == (56, 56, 1)


def test_a_name_that_says_not_which() -> None:
    with pytest.raises(SettingError, match="No kept network is called 'deep'. Kept: none yet"):
        networks.named("deep")
    ids = {networks.save("deep", layers).id for layers in (LAYERS, OTHER)}
    with pytest.raises(SettingError, match="2 networks are called 'deep'") as error:
        networks.named("deep")
    assert all(one in str(error.value) for one in ids)
    with pytest.raises(SettingError, match="nowhere.json cannot be read"):
        networks.named("nowhere.json")


def test_deleted_for_good() -> None:
    network = networks.save("gone", LAYERS)
    networks.delete(network.id)
    networks.delete(network.id)
    assert networks.everything() == []
    with pytest.raises(SettingError, match="is gone"):
        networks.find(network.id)


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "\u200b"])
def test_a_name_is_needed(name: str) -> None:
    with pytest.raises(SettingError, match="expected 1 to 60"):
        networks.save(name, LAYERS)
    assert networks.everything() == []


def test_what_cannot_be_trained_is_not_kept() -> None:
    with pytest.raises(ArchitectureError, match="Flatten"):
        networks.save("broken", (Dense(10, "softmax"),))


@pytest.mark.parametrize("network_id", ["", "../spec", "20260101-000000-XYZ", "a" * 500, "/etc/passwd"])
def test_an_id_is_never_a_path(network_id: str) -> None:
    for use in (networks.find, networks.delete, lambda name: networks.rename(name, "x")):
        with pytest.raises(SettingError, match="not the id"):
            use(network_id)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '{"schema": 2, "name": "x", "layers": [], "input_size": 28, "saved": 0}',
     '{"schema": 1, "name": "x", "layers": [{"layer": "Lambda"}], "input_size": 28, "saved": 0}',
     '{"schema": 1, "name": "x", "layers": [{"layer": "Flatten"}], "input_size": 28, "saved": 0}',
     '{"schema": 1, "name": 7, "layers": [], "input_size": 28, "saved": "x"}'],
)  # fmt: skip
def test_a_broken_file_is_left_out(content: str) -> None:
    good = networks.save("good", LAYERS)
    path = networks.folder() / "20260101-000000-00000000.json"
    path.write_text(content, encoding="utf-8")
    (networks.folder() / "notes.json").write_text("{}", encoding="utf-8")
    assert networks.everything() == [good]
    with pytest.raises(SettingError, match="cannot be read"):
        networks.find(path.stem)


def test_an_owner_that_was_written_by_hand_locks_it() -> None:
    network = networks.save("mine", LAYERS)
    path = networks.folder() / f"{network.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "owner": "everybody"}), encoding="utf-8")
    (found,) = networks.everything()
    assert not owners.may_change(found.owner, Visitor(owners.new_token()))


def test_no_more_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "MAX_NETWORKS", 1)
    first = networks.save("one", LAYERS)
    with pytest.raises(SettingError, match="1 networks are kept already"):
        networks.save("two", LAYERS)
    networks.save("one", OTHER, over=first.id)


def test_a_folder_that_cannot_be_written_is_said(runs_root: Path) -> None:
    runs_root.parent.mkdir(exist_ok=True)
    runs_root.write_text("a file where the folder should be")
    with pytest.raises(SettingError, match="cannot be kept"):
        networks.save("x", LAYERS)
