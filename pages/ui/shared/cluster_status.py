"""The cluster in one line: what there is of it and what waits; or why it is out of reach, and this machine instead."""

from __future__ import annotations

import streamlit as st

from mnist_core.jobs import routing
from mnist_core.jobs.ray.backend import RayBackend
from pages.ui.shared import caches, guard, state

REDRAW_SECONDS = 3.0


def show_cluster_status() -> None:
    """The line, redrawn by itself; nothing where no cluster is named. What it says was found out before it is asked."""
    both = caches.cluster_backend()
    if both is not None:
        guard.render_fragment(lambda: _show(both.cluster), every=REDRAW_SECONDS)


def _show(cluster: RayBackend) -> None:
    here = bool(st.session_state.get(state.TRAIN_HERE))
    if here:
        st.caption("What you start now is trained on this machine, not on the cluster.")
        st.button(
            "Use the cluster again",
            on_click=_choose,
            args=(False,),
            disabled=bool(cluster.trouble),
            help=cluster.trouble or None,
        )
    elif cluster.trouble:
        st.warning(cluster.trouble)
        st.button(
            "Train on this machine instead",
            on_click=_choose,
            args=(True,),
            icon=":material/computer:",
            help="What you start from now on, until you choose otherwise. Others are not affected.",
        )
    elif not cluster.has_answered:
        st.caption("Cluster: asked how it is.")
    else:
        st.caption(routing.describe_capacity(cluster.capacity, cluster.waiting))


def _choose(here: bool) -> None:
    st.session_state[state.TRAIN_HERE] = here


def chosen_backend() -> str:
    """The backend of what this session starts, one of BACKENDS."""
    return "ray" if caches.cluster_backend() is not None and not st.session_state.get(state.TRAIN_HERE) else "local"
