"""What a run trains: its settings, those that were changed, and its network."""

from __future__ import annotations

import streamlit as st

from mnist_core.runs.comparison import live_changes, settings_table
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from pages.ui.shared import formatting
from pages.ui.train.network_plan import network_rows

HIDDEN = ("network", "base")
"""Rows of the table of settings that are shown in another way."""


def show_run_settings(run: Run, spec: RunSpec) -> None:
    """An expander with the settings and the network of a run."""
    architecture = spec.settings.architecture
    rows = network_rows(architecture)
    layers = formatting.plural(len(rows), "layer")
    label = f"Settings and network of this run: {layers}, {architecture.parameters:,} parameters"
    with st.expander(label):
        settings = settings_table([spec], [live_changes(run, spec)])
        table = {row["setting"].replace("_", " "): row["values"][0] for row in settings if row["setting"] not in HIDDEN}
        left, right = st.columns(2)
        left.dataframe([{"setting": name, "value": value} for name, value in table.items()], hide_index=True)
        right.table(formatting.escape_table(rows))
