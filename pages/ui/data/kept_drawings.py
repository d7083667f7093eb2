"""The drawings that people kept when a model had misread them: to look at, take home, delete, and teach."""

from __future__ import annotations

import streamlit as st

from mnist_core import owners
from mnist_core.handwriting.corrections import Correction, archive_corrections, delete_correction, list_corrections
from mnist_core.jobs.local import start_run
from mnist_core.training import fine_tune
from pages.ui.shared import caches, components, correction, state, visitor

PER_PAGE = 24
COLUMNS = 6


def show_kept_drawings() -> None:
    """The drawings, and how to teach them."""
    components.guarded(drawings)
    components.guarded(teach)


def drawings() -> None:
    """The drawings of "it was a 7"."""
    found = list_corrections()
    st.subheader(f"Kept drawings: {len(found):,}")
    if not found:
        st.info("None yet. Draw a digit, and where the answer is wrong, say under it what you drew.")
        st.page_link("pages/draw.py", label="Draw", icon=":material/draw:")
        return
    pages = -(-len(found) // PER_PAGE)
    page = st.number_input(f"Page, 1 to {pages}", 1, pages, key=state.KEPT_PAGE) if pages > 1 else 1
    shown = found[PER_PAGE * (page - 1) : PER_PAGE * page]
    for start in range(0, len(shown), COLUMNS):
        for column, drawing in zip(st.columns(COLUMNS), shown[start : start + COLUMNS], strict=False):
            with column:
                tile(drawing)
    take_home, remove = st.columns(2)
    take_home.download_button(
        "Download all", lambda: archive_corrections(found), "drawings.zip", "application/zip", width="stretch"
    )
    own = [drawing for drawing in found if owners.may_change(drawing.owner, visitor.visitor())]
    everyone = len(own) == len(found)
    with remove.popover("Delete all" if everyone else "Delete mine", width="stretch", disabled=not own):
        st.write(f"{len(own):,} drawings are deleted for good. Models that learned them are kept.")
        if st.button("Delete them", type="primary"):
            components.attempt(lambda: [delete(drawing) for drawing in own], True)
            st.rerun()


def delete(drawing: Correction) -> None:
    """For good. Raises NotYoursError where somebody else has kept it."""
    owners.require(drawing.owner, visitor.visitor(), "The drawing")
    delete_correction(drawing.name)


def tile(drawing: Correction) -> None:
    """One drawing, what it is, what it was read as, and a button to delete it."""
    said, read = correction.name(drawing.label), correction.name(drawing.predicted)
    components.strip([(drawing.image, said, f"read as {read}")], 84)
    own = owners.may_change(drawing.owner, visitor.visitor())
    if st.button("Delete", key=f"delete-{drawing.name}", disabled=not own):
        components.attempt(lambda: delete(drawing), True)
        st.rerun()


def teach() -> None:
    """Starts a run that teaches a model the kept drawings, and shows it."""
    st.subheader("Teach")
    st.write(
        "A short run goes on from a model with these drawings among digits of MNIST. What comes of it is a model of "
        "its own; beside it stand both accuracies on MNIST, so that you see what it forgot."
    )
    choice = components.model_menu("Model to teach", state.TAUGHT_MODEL)
    pressed = st.button("Teach", type="primary", disabled=not list_corrections())
    run = components.attempt(
        lambda: start_run(caches.backend(), fine_tune.make_fine_tune_spec(choice), visitor.me()), pressed
    )
    if run is not None:
        st.switch_page("pages/train.py", query_params={"run": run.id})
