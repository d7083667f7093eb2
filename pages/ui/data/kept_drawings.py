"""The view of kept drawings: look at them, download or delete them, and fine-tune a model on them."""

from __future__ import annotations

import streamlit as st

from mnist_core import owners
from mnist_core.handwriting.corrections import Correction, archive_corrections, delete_correction, list_corrections
from mnist_core.jobs.lifecycle import start_run
from mnist_core.training import fine_tune
from pages.ui.shared import caches, correction, feedback, formatting, guard, model_menu, state, thumbnails, visitor

PER_PAGE = 24
COLUMNS = 6


def show_kept_drawings() -> None:
    """The drawings, and below them fine-tuning. Either works if the other fails."""
    guard.render(show_drawings)
    guard.render(show_fine_tuning)


def show_drawings() -> None:
    """The drawings, page by page, and buttons to download or delete all of them."""
    drawings = list_corrections()
    st.subheader(f"Kept drawings: {len(drawings):,}")
    if not drawings:
        st.info("None yet. Draw a digit, and if the prediction is wrong, say below it what you drew.")
        st.page_link("pages/draw.py", label="Draw", icon=":material/draw:")
        return
    pages = -(-len(drawings) // PER_PAGE)
    page = st.number_input(f"Page (1 to {pages})", 1, pages, key=state.CORRECTIONS_PAGE) if pages > 1 else 1
    on_page = drawings[PER_PAGE * (page - 1) : PER_PAGE * page]
    for start in range(0, len(on_page), COLUMNS):
        for column, drawing in zip(st.columns(COLUMNS), on_page[start : start + COLUMNS], strict=False):
            with column:
                show_drawing(drawing)
    download, delete = st.columns(2)
    download.download_button(
        "Download all", lambda: archive_corrections(drawings), "drawings.zip", "application/zip", width="stretch"
    )
    mine = [drawing for drawing in drawings if owners.may_change(drawing.owner, visitor.current_visitor())]
    label = "Delete all" if len(mine) == len(drawings) else "Delete mine"
    with delete.popover(label, width="stretch", disabled=not mine):
        count = formatting.plural(len(mine), "drawing")
        st.write(f"This deletes {count} permanently. Models that were fine-tuned on them stay.")
        if guard.try_action(lambda: delete_drawings(mine), st.button("Delete them", type="primary")):
            st.rerun()


def delete_drawings(drawings: list[Correction]) -> bool:
    """Deletes drawings permanently. Raises NotOwnerError at the first that another visitor owns. Returns True."""
    for drawing in drawings:
        owners.check_may_change(drawing.owner, visitor.current_visitor(), "The drawing")
        delete_correction(drawing.name)
    feedback.confirm(f"{formatting.plural(len(drawings), 'drawing')} deleted.", ":material/delete:")
    return True


def show_drawing(drawing: Correction) -> None:
    """One drawing, its label, what it was classified as, and a button to delete it."""
    label, predicted = correction.label_name(drawing.label), correction.label_name(drawing.predicted)
    thumbnails.show_strip([(drawing.image, label, f"classified as {predicted}")], 84)
    mine = owners.may_change(drawing.owner, visitor.current_visitor())
    pressed = st.button("Delete", key=f"delete-{drawing.name}", disabled=not mine)
    if guard.try_action(lambda: delete_drawings([drawing]), pressed):
        st.rerun()


def show_fine_tuning() -> None:
    """A menu of models, and a button that fine-tunes the chosen one on the drawings and opens the run."""
    st.subheader("Fine-tune")
    st.write(
        "A short run that continues a model on these drawings, mixed with digits of MNIST. It makes a new model and "
        "shows its accuracy on MNIST before and after, so that you see what it has forgotten."
    )
    choice = model_menu.select_model("Model to fine-tune", state.FINE_TUNED_MODEL)
    pressed = st.button("Fine-tune", type="primary", disabled=not list_corrections())
    run = guard.try_action(
        lambda: start_run(caches.backend(), fine_tune.make_fine_tune_spec(choice), visitor.owner_id()), pressed
    )
    if run is not None:
        st.switch_page("pages/train.py", query_params={"run": run.id})
