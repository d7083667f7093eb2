"""The library of saved networks: one JSON file each in RUNS_DIR/networks.

network = save_network("deep and narrow", layers, owner=visitor.owner)
list_networks()                           # the last one saved first
resolve_network("deep and narrow")        # by name, id, or path of a Keras JSON file
rename_network(network.id, "deeper")
delete_network(network.id)
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.config import max_networks_each, runs_dir
from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.files.folders import delete_file, make_folder
from mnist_core.files.json_reader import read_json
from mnist_core.files.read import read_file
from mnist_core.files.write import write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.locks import locked
from mnist_core.networks import architecture, keras_json_parser
from mnist_core.networks.architecture import LAYERS_KEY, Architecture
from mnist_core.networks.layers import Layer
from mnist_core.wording import plural

MAX_NETWORKS = 500
"""Limit for all owners together. A list of this length still opens at once."""
NAMED = 3
"""Networks that an error names."""
MAX_NAME_LENGTH = 60
"""In characters."""
SCHEMA = 1

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class SavedNetwork:
    """A network in the library.

    Attributes:
        id: name of its file: the time when it was first saved, and a random part.
        name: chosen by its owner; need not be unique.
        layers: from input to output; they can be trained.
        input_size: side of its square input image in pixels.
        owner: see `owners`.
        saved: time of the last save, seconds since the epoch.
    """

    id: str
    name: str
    layers: tuple[Layer, ...]
    input_size: int = 28
    owner: str = owners.NOBODY
    saved: float = 0.0

    @property
    def overrides(self) -> dict[str, Any]:
        """The overrides with which a recipe trains this network."""
        uncentered = {"uncentered": True, "drawings": "none"} if self.input_size == 56 else {}
        return {LAYERS_KEY: architecture.layers_to_json(self.layers), **uncentered}

    def to_json(self) -> dict[str, Any]:
        """Returns the content of its file."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "layers": architecture.layers_to_json(self.layers),
            "input_size": self.input_size,
            "owner": self.owner,
            "saved": self.saved,
        }

    @classmethod
    def from_json(cls, name: str, value: Any) -> SavedNetwork:
        """Parses the result of `to_json`.

        Raises:
            KeyError, TypeError, ValueError, ArchitectureError: the value is not a saved network.
        """
        if value["schema"] != SCHEMA:
            raise ValueError(f"unknown schema {value['schema']!r}")
        network = Architecture(architecture.layers_from_json(value["layers"]), value["input_size"])
        owner, saved = owners.parse_owner(value.get("owner")), float(value["saved"])
        return cls(name, checked_name(value["name"]), network.layers, network.input_size, owner, saved)


def networks_dir() -> Path:
    """Returns the folder of the library."""
    return runs_dir() / "networks"


def checked_name(name: object) -> str:
    """Returns a name as one line. Raises SettingError if it is empty or too long."""
    text = "".join(char if char.isprintable() else " " for char in name) if isinstance(name, str) else ""
    text = " ".join(text.split())
    if not 1 <= len(text) <= MAX_NAME_LENGTH:
        raise SettingError(f"The name has {len(text):,} characters; expected 1 to {MAX_NAME_LENGTH}.")
    return text


def save_network(
    name: str, layers: Sequence[Layer], input_size: int = 28, owner: str = owners.NOBODY, replace_id: str = ""
) -> SavedNetwork:
    """Saves a network.

    Args:
        name: 1 to 60 characters; need not be unique.
        layers: a network that can be trained.
        input_size: side of its square input image in pixels.
        owner: Visitor.owner.
        replace_id: empty, or the id of the saved network to replace.

    Raises:
        SettingError: the name is invalid, the library is full, the owner has saved as many as one may, or the folder
            cannot be written.
        ArchitectureError: the network cannot be trained.
    """
    checked = Architecture(tuple(layers), input_size).layers
    network_id = _path(replace_id).stem if replace_id else f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    network = SavedNetwork(network_id, checked_name(name), checked, input_size, owner, time.time())
    try:
        make_folder(networks_dir())
        with locked(runs_dir()):  # two browser tabs at once do not both fit
            if not _path(network_id).exists():
                _check_room(owner)
            return _write(network)
    except OSError as error:
        raise SettingError(f"The network cannot be saved. {explain_write_error(error, networks_dir())}") from None


def _check_room(owner: str) -> None:
    """Checks that the owner may save another network. NOBODY, the command line, has no limit of its own."""
    if len(_files()) >= MAX_NETWORKS:
        raise SettingError(f"The library is full: the limit is {MAX_NETWORKS} networks. Delete some first.")
    mine = [network for network in list_networks() if network.owner == owner]
    if owner != owners.NOBODY and len(mine) >= max_networks_each():
        oldest = ", ".join(repr(network.name) for network in mine[-NAMED:])
        raise SettingError(
            f"You have saved {plural(len(mine), 'network')}; the limit for one person is {max_networks_each()}. Delete "
            f"some that you no longer need under Saved networks, or overwrite one. The oldest: {oldest}."
        )


def _write(network: SavedNetwork) -> SavedNetwork:
    try:
        make_folder(networks_dir())
        write_json(_path(network.id), network.to_json())
    except OSError as error:
        raise SettingError(f"The network cannot be saved. {explain_write_error(error, networks_dir())}") from None
    return network


def list_networks() -> list[SavedNetwork]:
    """Lists all saved networks, the last one saved first. Skips files that cannot be read."""
    networks = [network for path in _files() if (network := _read(path)) is not None]
    return sorted(networks, key=lambda network: -network.saved)


def find_network(network_id: str) -> SavedNetwork:
    """Returns the network with this id. Raises SettingError if there is none, or its file cannot be read."""
    network = _read(_path(network_id))
    if network is None:
        raise SettingError(f"The network {network_id} was deleted, or its file cannot be read. Choose another.")
    return network


def resolve_network(text: str) -> SavedNetwork:
    """Finds a network by its name, its id, or the path of a Keras JSON file, which must end in `.json`.

    Raises:
        SettingError: no network or several networks have this name, or the file cannot be read.
        ArchitectureError: the file contains a network that Digit Lab cannot build.
    """
    if _ID.fullmatch(text):
        return find_network(text)
    if text.endswith(".json"):
        return _import_file(Path(text))
    networks = list_networks()
    matches = [network for network in networks if network.name == text]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(network.id for network in matches)
        raise SettingError(f"{len(matches)} networks are called {text!r}. Give the id of one: {ids}.")
    names = ", ".join(repr(network.name) for network in networks[:10]) or "none yet"
    raise SettingError(
        f"No saved network is called {text[:80]!r}. Saved: {names}. Or give a .json file that contains the result of "
        "Keras's `model.to_json()`."
    )


def _import_file(path: Path) -> SavedNetwork:
    try:
        text = read_file(path).decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise SettingError(
            f"The network {path} cannot be read: {error}. Give a file with Keras's `model.to_json()`."
        ) from None
    parsed = keras_json_parser.parse_keras_json(text)
    return SavedNetwork("", path.stem, parsed.layers, parsed.input_size)


def rename_network(network_id: str, name: str) -> SavedNetwork:
    """Renames a network. Raises SettingError if the name is invalid or the network cannot be read or written."""
    return _write(replace(find_network(network_id), name=checked_name(name)))


def delete_network(network_id: str) -> None:
    """Deletes a network for good. Runs that trained it keep their layers. Deleting it twice is not an error.

    Raises:
        SettingError: the id is malformed, or the file cannot be deleted.
    """
    try:
        delete_file(_path(network_id))
    except OSError as error:
        raise SettingError(
            f"The network {network_id} cannot be deleted. {explain_write_error(error, networks_dir())}"
        ) from None


def _path(network_id: str) -> Path:
    if not _ID.fullmatch(network_id):
        raise SettingError(f"{network_id[:80]!r} is not the id of a saved network.")
    return networks_dir() / f"{network_id}.json"


def _read(path: Path) -> SavedNetwork | None:
    try:
        return SavedNetwork.from_json(path.stem, read_json(path))
    except (KeyError, TypeError, ValueError, OverflowError, ArchitectureError, SettingError):
        return None


def _files() -> list[Path]:
    if not networks_dir().is_dir():
        return []
    return [path for path in networks_dir().glob("*.json") if _ID.fullmatch(path.stem)]
