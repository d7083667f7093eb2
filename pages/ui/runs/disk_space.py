"""The disk space that runs take when it becomes scarce, and the oldest runs, which one click deletes."""

from __future__ import annotations

import streamlit as st

from mnist_core.config import runs_dir, runs_mb, runs_mb_each
from mnist_core.runs.disk_space import MEGABYTE, Measured, deletable_runs
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from pages.ui.runs import trash
from pages.ui.shared import caches, formatting, visitor

SCARCE = 0.8
"""Share of a limit above which this is shown."""
WANTED = 0.6
"""Share of the limit that is in use after the offered runs are deleted."""


def show_disk_space() -> None:
    """Shows the space that runs take, and offers some for deletion. Shows nothing while there is enough space."""
    usage = caches.disk_usage(runs_dir())
    mine, each = usage.of(visitor.owner_id()), runs_mb_each() * MEGABYTE
    total, most = usage.total, runs_mb() * MEGABYTE
    is_scarce = total >= SCARCE * most
    if mine < SCARCE * each and not is_scarce:
        return
    everybodys = is_scarce and visitor.current_visitor().is_admin
    excess = int(max(mine - WANTED * each, total - WANTED * most if is_scarce else 0))
    offered = deletable_runs(usage, None if everybodys else visitor.owner_id(), excess)
    with st.expander("Disk space", icon=":material/hard_drive:", expanded=mine >= each or total >= most):
        st.write(
            f"Your runs use {mine / MEGABYTE:,.0f} of {each / MEGABYTE:,.0f} MB; all runs, including the trash, use "
            f"{total / MEGABYTE:,.0f} of {most / MEGABYTE:,.0f} MB. At the limit, no run can be started."
        )
        _show_offer(offered, "Everybody's" if everybodys else "Your")


def _show_offer(offered: list[Measured], whose: str) -> None:
    """The runs, and the button that deletes them."""
    if not offered:
        st.caption("No run can be deleted here: each one is starred or has not ended.")
        return
    runs = [Run(measured.path) for measured in offered]
    st.caption(f"{whose} oldest runs that have ended and are not starred:")
    st.dataframe(
        [
            {"name": run_title(run), "created": formatting.run_time(run.id), "MB": measured.size / MEGABYTE}
            for run, measured in zip(runs, offered, strict=True)
        ],
        column_config={"MB": st.column_config.NumberColumn(format="%.1f")},
        hide_index=True,
    )
    size = sum(measured.size for measured in offered) / MEGABYTE
    st.button(
        f"Delete {'this run' if len(runs) == 1 else f'these {len(runs)} runs'} ({size:,.1f} MB)",
        key="delete_oldest",
        icon=":material/delete:",
        on_click=trash.delete_runs,
        args=(runs,),
    )
    st.caption(
        "Deleted runs stay in the trash for a day, or until their space is needed. Starred runs are never listed here."
    )
