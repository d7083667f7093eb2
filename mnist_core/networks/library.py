"""Networks that people built and gave a name: files in RUNS_DIR/networks, one each.

network = networks.save("deep and narrow", layers, owner=visitor.owner)
networks.everything()                    # the last one saved first
networks.named("deep and narrow")         # by its name, its id, or a file of Keras JSON
networks.rename(network.id, "deeper")
networks.delete(network.id)
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import ArchitectureError, SettingError
from mnist_core.files import read_json, write_json
from mnist_core.networks import architecture, keras_json
from mnist_core.networks.architecture import LAYERS_KEY, Architecture
from mnist_core.networks.layers import Layer

MAX_NETWORKS = 500
"""Kept at most, of all people together: a list of them still opens at once."""
MAX_NAME = 60  # characters
SCHEMA = 1

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


@dataclass(frozen=True)
class SavedNetwork:
    """A network with a name.

    Attributes:
        id: of its file: when it was first saved, and a random part.
        name: as people call it.
        layers: one that can be trained.
        input_size: side of its input image in pixels.
        owner: whose it is: see `owners`.
        saved: when it was last written, seconds since the epoch.
    """

    id: str
    name: str
    layers: tuple[Layer, ...]
    input_size: int = 28
    owner: str = owners.NOBODY
    saved: float = 0.0

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that train it, as overrides.apply_overrides takes them."""
        field_of_56 = {"uncentered": True, "drawings": "none"} if self.input_size == 56 else {}
        return {LAYERS_KEY: architecture.layers_to_json(self.layers), **field_of_56}

    def to_json(self) -> dict[str, Any]:
        """As it stands in its file."""
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
        """What `to_json` wrote. Raises KeyError, TypeError, ValueError or ArchitectureError where it is not that."""
        if value["schema"] != SCHEMA:
            raise ValueError(f"the schema {value['schema']!r}")
        found = Architecture(architecture.layers_from_json(value["layers"]), value["input_size"])
        owner, saved = owners.parse_owner(value.get("owner")), float(value["saved"])
        return cls(name, checked_name(value["name"]), found.layers, found.input_size, owner, saved)


def networks_dir() -> Path:
    """Where they are kept."""
    return runs_dir() / "networks"


def checked_name(name: object) -> str:
    """A name in one line. Raises SettingError where it is empty or too long."""
    text = "".join(char if char.isprintable() else " " for char in name) if isinstance(name, str) else ""
    text = " ".join(text.split())
    if not 1 <= len(text) <= MAX_NAME:
        raise SettingError(f"The name has {len(text):,} characters; expected 1 to {MAX_NAME}.")
    return text


def save_network(
    name: str, layers: Sequence[Layer], input_size: int = 28, owner: str = owners.NOBODY, over: str = ""
) -> SavedNetwork:
    """Keeps a network.

    Args:
        name: as people call it.
        layers: one that can be trained.
        input_size: side of its input image in pixels.
        owner: whose it is: Visitor.owner.
        over: empty, or the id of the network in whose place it is kept.

    Raises:
        SettingError: the name is none, there are MAX_NETWORKS already, or the folder cannot be written.
        ArchitectureError: the network cannot work.
    """
    stack = Architecture(tuple(layers), input_size).layers
    if not over and len(_files()) >= MAX_NETWORKS:
        raise SettingError(f"{MAX_NETWORKS} networks are kept already, and no more may be. Delete some first.")
    name_of_file = _path(over).stem if over else f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    network = SavedNetwork(name_of_file, checked_name(name), stack, input_size, owner, time.time())
    return _written(network)


def _written(network: SavedNetwork) -> SavedNetwork:
    try:
        networks_dir().mkdir(parents=True, exist_ok=True)
        write_json(_path(network.id), network.to_json())
    except OSError as error:
        raise SettingError(
            f"The network cannot be kept in {networks_dir()}: {error}. Mend that, or set DIGITLAB_RUNS."
        ) from None
    return network


def list_networks() -> list[SavedNetwork]:
    """All that are kept, the last one saved first. A file that cannot be read is left out."""
    found = [network for path in _files() if (network := _read(path)) is not None]
    return sorted(found, key=lambda network: -network.saved)


def find_network(network_id: str) -> SavedNetwork:
    """The network of this id. Raises SettingError where there is none, or its file cannot be read."""
    network = _read(_path(network_id))
    if network is None:
        raise SettingError(f"The network {network_id} is gone, or its file cannot be read. Choose another.")
    return network


def resolve_network(text: str) -> SavedNetwork:
    """A network as a command line names it: by the name or the id of a kept one, or by a file of Keras JSON.

    Raises:
        SettingError: there is none of this name, or more than one, or the file cannot be read.
        ArchitectureError: the file is no network of Digit Lab's.
    """
    if _ID.fullmatch(text):
        return find_network(text)
    if text.endswith(".json"):
        return _imported(Path(text))
    found = [network for network in list_networks() if network.name == text]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(network.id for network in found)
        raise SettingError(f"{len(found)} networks are called {text!r}. Give the id of one: {ids}.")
    names = ", ".join(repr(network.name) for network in list_networks()[:10]) or "none yet"
    raise SettingError(
        f"No kept network is called {text[:80]!r}. Kept: {names}. Or give a file that ends in .json, of Keras's "
        "`model.to_json()`."
    )


def _imported(path: Path) -> SavedNetwork:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise SettingError(f"The network {path} cannot be read: {error}. Give a file of `model.to_json()`.") from None
    found = keras_json.parse_keras_json(text)
    return SavedNetwork("", path.stem, found.layers, found.input_size)


def rename_network(network_id: str, name: str) -> SavedNetwork:
    """Gives a network another name. Raises SettingError as `save` and `find`."""
    network = find_network(network_id)
    return _written(
        SavedNetwork(network.id, checked_name(name), network.layers, network.input_size, network.owner, network.saved)
    )


def delete_network(network_id: str) -> None:
    """Deletes one, for good; runs that trained it keep their layers. One that is gone already is no error.

    Raises:
        SettingError: no network could have this id (it is never used as a path then), or it cannot be deleted.
    """
    try:
        _path(network_id).unlink(missing_ok=True)
    except OSError as error:
        raise SettingError(f"The network {network_id} cannot be deleted: {error}.") from None


def _path(network_id: str) -> Path:
    if not _ID.fullmatch(network_id):
        raise SettingError(f"{network_id[:80]!r} is not the id of a kept network.")
    return networks_dir() / f"{network_id}.json"


def _read(path: Path) -> SavedNetwork | None:
    try:
        return SavedNetwork.from_json(path.stem, read_json(path))
    except (KeyError, TypeError, ValueError, OverflowError, ArchitectureError, SettingError):
        return None


def _files() -> list[Path]:
    return (
        [path for path in networks_dir().glob("*.json") if _ID.fullmatch(path.stem)] if networks_dir().is_dir() else []
    )
