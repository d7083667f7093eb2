"""What a run trains: its settings, those that were changed, and its network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from mnist_core.networks.architecture import Architecture
from mnist_core.runs.comparison import live_changes, settings_table
from mnist_core.runs.reports import Report
from mnist_core.runs.spec import RunSpec
from pages.ui.shared import formatting, state
from pages.ui.train.network_plan import network_rows

HIDDEN = ("network", "base")
"""Rows of the table of settings that are shown in another way."""


def show_run_settings(spec: RunSpec, reports: Sequence[Report]) -> None:
    """An expander with the settings and the network of a run."""
    rows, parameters = _network(spec.settings.architecture)
    label = f"Settings and network of this run: {formatting.plural(len(rows), 'layer')}, {parameters:,} parameters"
    expander = st.expander(label, key=state.RUN_SETTINGS_OPEN, on_change="rerun")
    if not expander.open:
        return
    with expander:
        settings = settings_table([spec], [live_changes(reports)])
        table = {row["setting"].replace("_", " "): row["values"][0] for row in settings if row["setting"] not in HIDDEN}
        left, right = st.columns(2)
        left.dataframe([{"setting": name, "value": value} for name, value in table.items()], hide_index=True)
        right.table(formatting.escape_table(rows))


@lru_cache(maxsize=100)
def _network(architecture: Architecture) -> tuple[list[dict[str, str]], int]:
    """The table of a network's layers, and its number of parameters."""
    return network_rows(architecture), architecture.parameters
