"""What a run changed in its recipe, and the settings of several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.networks.layers import format_shape
from mnist_core.recipes.overrides import setting_rules
from mnist_core.runs.spec import RunSpec


def describe_changes(spec: RunSpec) -> str:
    """What differs from the recipe: `epochs 3, dropout 0.2, seed 7`."""
    parts = ["fine-tuned"] if spec.base else []
    parts += describe_overrides(spec)
    parts += [f"seed {spec.seed}"] if spec.seed else []
    return ", ".join(parts)


def describe_overrides(spec: RunSpec) -> list[str]:
    """The settings that differ from the recipe, `epochs 3` each. A network that the user built comes first."""
    parts = []
    if LAYERS_KEY in spec.overrides:
        parts.append(f"custom network of {len(spec.settings.layers)} layers, trained as {spec.recipe}")
    return parts + [f"{name} {_to_text(value)}" for name, value in spec.overrides.items() if name != LAYERS_KEY]


def describe_network(spec: RunSpec) -> str:
    """The network in one line: number of layers and parameters, then each layer's name and output shape."""
    rows = spec.settings.architecture.summary()
    layers = " → ".join(f"{row.layer} {format_shape(row.output_shape)}" for row in rows)
    return f"{len(rows)} layers, {spec.settings.architecture.parameters:,} parameters: {layers}"


def settings_table(specs: Sequence[RunSpec]) -> list[dict[str, Any]]:
    """Puts the settings of several runs side by side.

    Returns:
        One row per setting: `setting` is its name, `differs` is whether the runs disagree, and `values` holds one
        text per run.
    """
    rows: list[tuple[str, list[str]]] = [
        ("recipe", [spec.recipe for spec in specs]),
        ("data", [spec.data for spec in specs]),
        ("seed", [str(spec.seed) for spec in specs]),
        ("base", [spec.base or "new weights" for spec in specs]),
        ("network", [describe_network(spec) for spec in specs]),
    ]
    rows += [(name, [_to_text(getattr(spec.settings, name)) for spec in specs]) for name in setting_rules()]
    return [{"setting": name, "differs": len(set(values)) > 1, "values": values} for name, values in rows]


def _to_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
