"""What a model card, card.json, says about how its model was trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_core.errors import ModelError, RunError
from mnist_core.files.json_reader import read_json
from mnist_core.networks.architecture import Architecture
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec


def spec_from_card(card: Mapping[str, Any], name: str) -> RunSpec:
    """Returns the spec of the run that trained a model. A card repeats it, with more about the data.

    Args:
        card: content of card.json.
        name: of the model, for the error.

    Raises:
        ModelError: the card does not contain a spec.
    """
    data = card.get("data")
    try:
        return RunSpec.from_json({**card, "data": data["asked"] if isinstance(data, dict) else "full"})
    except (RunError, KeyError) as error:
        raise ModelError(f"The card of {name} cannot be read ({error}). Choose another model.") from None


def load_spec(folder: Path) -> RunSpec:
    """Loads the spec of a run, or of the shipped model.

    Args:
        folder: contains spec.json, or only card.json.

    Raises:
        RunError, ModelError: the file cannot be read.
    """
    if (folder / "spec.json").exists():
        return Run(folder).spec()
    return spec_from_card(read_json(folder / "card.json"), str(folder))


def load_architecture(folder: Path) -> Architecture:
    """Loads the network of a run, or of the shipped model. The argument and the errors are those of `load_spec`."""
    return load_spec(folder).settings.architecture
