"""Taking a run home, in every format there is, and bringing in one that was taken home elsewhere."""

from __future__ import annotations

from functools import partial
from typing import IO

import streamlit as st

from mnist_core import owners
from mnist_core.export import formats, keras_script
from mnist_core.export.archive import unpack_run
from mnist_core.runs.run import Run
from pages.ui.shared import caches, guard, visitor

MODELS = ("keras", "tflite")  # there once a training has ended
COLUMNS = 4


def show_export(run: Run) -> None:
    """A button for each format. Nothing is computed before one is pressed."""
    reported, alone = bool(run.metrics().rows), keras_script.stands_alone(run)
    for place, (name, how) in enumerate(formats.FORMATS.items()):
        if place % COLUMNS == 0:
            columns = st.columns(COLUMNS)
        packed = name == "script" and not alone
        columns[place % COLUMNS].download_button(
            how.title,
            partial(keras_script.script_zip, run) if packed else partial(formats.export_run, run, name),
            f"{run.id}-script.zip" if packed else formats.export_filename(run, name),
            "application/zip" if packed else how.mime,
            key=f"take_{name}_{run.id}",
            on_click="ignore",
            disabled=not _is_there(run, name, reported),
            width="stretch",
        )
    if not alone:
        st.caption("The script comes as a zip, with the images that it reads beside it.")


def _is_there(run: Run, name: str, reported: bool) -> bool:
    if name in MODELS:
        return (run.path / f"model.{name}").is_file()
    if name == "script":
        return not run.spec().base  # what was taught did not begin from scratch
    return reported or name == "zip"


def show_import() -> Run | None:
    """A place for a zip of a run. Returns the run that has just been brought in, which is this visitor's; else None."""
    with st.form("bring_in", clear_on_submit=True, border=False):
        uploaded = st.file_uploader("A run as a zip, as it was exported here or elsewhere", ["zip"])
        pressed = st.form_submit_button("Bring it in")
    if pressed and uploaded is None:
        st.info("Choose a zip first.")
    run: Run | None = guard.try_action(lambda: _taken_in(uploaded), pressed and uploaded is not None)
    if run is not None:
        caches.clear_run_caches()
        st.success(f"Brought in as {run.id}.")
    return run


def _taken_in(file: IO[bytes]) -> Run:
    run = unpack_run(file)
    owners.write_owner(run.path, visitor.owner_id())
    return run
