"""The cluster on one line: its capacity and queue, or why it cannot be reached and how to train here instead."""

from __future__ import annotations

import streamlit as st

from mnist_core.jobs import routing
from mnist_core.jobs.ray.backend import RayBackend
from pages.ui.shared import caches, formatting, guard, state

REDRAW_SECONDS = 3.0


def show_cluster_status() -> None:
    """The line, which updates itself. Shows nothing if no cluster is configured, and never waits for the cluster."""
    both = caches.cluster_backend()
    if both is not None:
        guard.render_fragment(lambda: _show_status(both.cluster), every=REDRAW_SECONDS)


def _show_status(cluster: RayBackend) -> None:
    if st.session_state.get(state.TRAIN_HERE):
        st.caption("New runs train on this machine, not on the cluster.")
        st.button(
            "Use the cluster again",
            on_click=_set_train_here,
            args=(False,),
            disabled=bool(cluster.trouble),
            help=formatting.escape_markdown(cluster.trouble) or None,
        )
    elif cluster.trouble:
        st.warning(formatting.escape_markdown(cluster.trouble))
        st.button(
            "Train on this machine instead",
            on_click=_set_train_here,
            args=(True,),
            icon=":material/computer:",
            help="Applies to what you start from now on, until you switch back. Other visitors are not affected.",
        )
    elif not cluster.has_answered:
        st.caption("Cluster: connecting …")
    else:
        st.caption(formatting.escape_markdown(routing.describe_capacity(cluster.capacity, cluster.waiting)))


def _set_train_here(here: bool) -> None:
    st.session_state[state.TRAIN_HERE] = here


def chosen_backend() -> str:
    """The job backend of what this session starts: `ray` or `local`."""
    return "ray" if caches.cluster_backend() is not None and not st.session_state.get(state.TRAIN_HERE) else "local"
