"""The example run, which the Train page shows until there is one of the visitor's own."""

from __future__ import annotations

import streamlit as st

from mnist_core.runs import examples
from mnist_core.runs.run import Run
from pages.ui.shared import formatting
from pages.ui.train.monitor import show_curves


def show_example() -> None:
    """The curves of a run that comes with Digit Lab, labeled so."""
    run = Run(examples.CURVES)
    metrics, status = run.sampled_metrics(), run.status()
    spec, last = run.spec(), metrics.rows[-1]
    kind = formatting.escape_markdown(spec.kind)
    st.markdown(f"#### {kind} :gray-badge[example]")
    st.caption(
        f"This is an earlier run of {kind}. In {spec.settings.epochs:,} epochs and {status.train_seconds:.0f} seconds, "
        f"it learned to read {last['val_accuracy']:.1%} of the digits that it was not trained on. Press **Train**, and "
        "your run takes its place."
    )
    show_curves(run, metrics, status, live=True)
