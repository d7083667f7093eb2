"""Exporting a run in every format, and importing one from a zip."""

from __future__ import annotations

from functools import partial

import streamlit as st

from mnist_core.browser.model_files import check_size
from mnist_core.errors import ModelError
from mnist_core.export import formats, keras_files
from mnist_core.export.archive import unpack_run
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from pages.ui.shared import caches, feedback, formatting, guard, visitor

COLUMNS = 4

WEB_PAGE = (
    "The web page has a canvas and reads what is drawn on it, in any browser, even offline. Send it to someone, or "
    "put it on any web host."
)


def show_export(run: Run) -> None:
    """A download button for each format. Nothing is computed before a click."""
    stands_alone = keras_files.stands_alone(run)
    too_large = _why_no_web_page(run)
    for index, (name, export_format) in enumerate(formats.FORMATS.items()):
        if index % COLUMNS == 0:
            columns = st.columns(COLUMNS)
        zipped = name == "script" and not stands_alone
        columns[index % COLUMNS].download_button(
            export_format.title,
            partial(keras_files.script_zip, run) if zipped else partial(formats.export_run, run, name),
            f"{run.id}-script.zip" if zipped else formats.export_filename(run, name),
            "application/zip" if zipped else export_format.mime,
            key=f"export_{name}_{run.id}",
            on_click="ignore",
            disabled=not _is_available(run, name) or (name == "html" and bool(too_large)),
            width="stretch",
        )
    st.caption(formatting.escape_markdown(too_large) if too_large else WEB_PAGE)
    if not stands_alone:
        st.caption("The script comes in a zip, together with the images that it reads.")


def _why_no_web_page(run: Run) -> str:
    """Says why the model cannot be exported as a web page; empty if it can."""
    try:
        check_size(run.spec().settings.architecture)
    except ModelError as error:
        return f"There is no web page of this model. {error}"
    return ""


def _is_available(run: Run, name: str) -> bool:
    if name in formats.MODEL_FILES:
        return (run.path / formats.MODEL_FILES[name]).is_file()
    if name == "script":
        return not run.spec().base  # a script cannot start from the weights of another run
    return run.has_reports or name == "zip"


def show_import() -> Run | None:
    """A form that takes the zip of a run. Returns the run, now owned by this visitor, right after the import."""
    with st.form("import_run", clear_on_submit=True, border=False):
        uploaded = st.file_uploader("A run that was exported as a zip", ["zip"])
        pressed = st.form_submit_button("Import")
    if pressed and uploaded is None:
        st.info("Choose a zip file first.")
    if not pressed or uploaded is None:
        return None
    run: Run | None = guard.try_action(lambda: unpack_run(uploaded, owner=visitor.owner_id()), True)
    if run is not None:
        caches.clear_run_caches()
        st.success(formatting.escape_markdown(f"Imported as {run.id}."))
        feedback.confirm(f"{run_title(run)} is imported and listed among your runs.")
    return run
