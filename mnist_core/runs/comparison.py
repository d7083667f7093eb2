"""What a run changed in its recipe, and the settings of several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.networks.keras_model import layer_source
from mnist_core.networks.layers import format_shape
from mnist_core.recipes.overrides import setting_rules
from mnist_core.runs.reports import Report
from mnist_core.runs.spec import RunSpec

LiveChanges = Mapping[str, Sequence[float]]
"""Setting -> its values, one after the other, that the user gave it while the run trained."""
LIVE_SETTINGS = ("learning_rate", "epochs")
"""Settings that can be changed while a run trains."""
SHOWN_CHANGES = 4
"""Values of one setting that are named; of more, the first and the last ones."""


def live_changes(reports: Sequence[Report]) -> LiveChanges:
    """What the user changed while a run trained, as its worker applied it.

    Args:
        reports: of the run, as `check_report` returns them.
    """
    changes = [report["changed"] for report in reports if "changed" in report]
    by_setting = {name: [change[name] for change in changes if name in change] for name in LIVE_SETTINGS}
    return {name: values for name, values in by_setting.items() if values}


def describe_changes(spec: RunSpec, live: LiveChanges | None = None) -> str:
    """What differs from the recipe: `epochs 3, dropout 0.2, learning_rate 0.0003 while training, seed 7`.

    Args:
        spec: of the run.
        live: as `live_changes` returns them.
    """
    parts = ["fine-tuned"] if spec.base else []
    parts += describe_overrides(spec)
    parts += describe_live_changes(live or {})
    parts += [f"seed {spec.seed}"] if spec.seed else []
    return ", ".join(parts)


def describe_live_changes(live: LiveChanges) -> list[str]:
    """What was changed during the training, `learning_rate 0.1, then 0.0003 while training` each."""
    return [f"{name} {_values_text(values)} while training" for name, values in live.items()]


def _values_text(values: Sequence[float]) -> str:
    """The values of a setting one after the other: `0.1, then 0.0003`."""
    texts = [f"{value:g}" for value in values]
    if len(texts) > SHOWN_CHANGES:
        texts = [texts[0], "…", *texts[2 - SHOWN_CHANGES :]]
    return ", then ".join(texts)


def describe_overrides(spec: RunSpec) -> list[str]:
    """The settings that differ from the recipe, `epochs 3` each. A network that the user built comes first."""
    parts = []
    if LAYERS_KEY in spec.overrides:
        parts.append(f"custom network of {len(spec.settings.layers)} layers, trained as {spec.recipe}")
    return parts + [f"{name} {_to_text(value)}" for name, value in spec.overrides.items() if name != LAYERS_KEY]


def describe_network(spec: RunSpec) -> str:
    """The network in one line: number of layers and parameters, then each layer and its output shape."""
    network = spec.settings.architecture
    layers = " → ".join(
        f"{layer_source(layer)} {format_shape(row.output_shape)}"
        for layer, row in zip(network.layers, network.summary(), strict=True)
    )
    return f"{len(network.layers)} layers, {network.parameters:,} parameters: {layers}"


def settings_table(specs: Sequence[RunSpec], live: Sequence[LiveChanges] = ()) -> list[dict[str, Any]]:
    """Puts the settings of several runs side by side.

    Args:
        specs: of the runs.
        live: of each run, as `live_changes` returns them; by default there are none.

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
    changes = live or [{}] * len(specs)
    rows += [
        (name, [_setting_text(spec, changed, name) for spec, changed in zip(specs, changes, strict=True)])
        for name in setting_rules()
    ]
    return [{"setting": name, "differs": len(set(values)) > 1, "values": values} for name, values in rows]


def _setting_text(spec: RunSpec, live: LiveChanges, name: str) -> str:
    """The value of a setting, and those that it was changed to during the training: `0.003, then 0.001`."""
    text = _to_text(getattr(spec.settings, name))
    return f"{text}, then {_values_text(live[name])}" if name in live else text


def _to_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
