"""Exporting and importing a run on the pages, through AppTest."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core import owners
from mnist_core.export import formats, keras_files
from mnist_core.export.archive import pack_run
from mnist_core.networks.architecture import layers_to_json
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.owners import Visitor
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run, find_run
from pages.ui.shared import state
from tests.pages.support import error_text
from tests.support import Trained

SHOW = """
from pages.ui.shared import export
from mnist_core.runs.store import find_run
export.show_export(find_run({run_id!r}))
"""
IMPORT = """
import streamlit as st
from pages.ui.shared import export
run = export.show_import()
st.session_state["imported"] = run and run.id
"""


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each download button, in order. A click calls `data`."""
    found: list[dict[str, Any]] = []
    original = st.delta_generator.DeltaGenerator.download_button

    def listening(self: Any, label: str, data: Any, file_name: str, mime: str, **options: Any) -> Any:
        found.append({"label": label, "data": data, "file_name": file_name, "mime": mime, **options})
        return original(self, label, data, file_name, mime, **options)

    monkeypatch.setattr(st.delta_generator.DeltaGenerator, "download_button", listening)
    return found


def shown(run: Run) -> None:
    app = AppTest.from_string(SHOW.format(run_id=run.id), default_timeout=30).run()
    assert not app.exception


def test_every_format_has_a_button_that_downloads_it(
    trained: Trained, runs_root: Path, offered: list[dict[str, Any]]
) -> None:
    run = Run(shutil.copytree(trained.run.path, runs_root / trained.run.id))
    shown(run)
    assert [each["label"] for each in offered] == [how.title for how in formats.FORMATS.values()]
    assert not any(each["disabled"] for each in offered)
    files = {each["file_name"]: each["data"] for each in offered}
    assert files[f"{run.id}.tflite"]() == run.model.read_bytes()
    assert files[f"{run.id}.csv"]() == formats.metrics_csv(run)
    with zipfile.ZipFile(io.BytesIO(files[f"{run.id}-script.zip"]())) as packed:  # the sample is next to the script
        assert {name: packed.read(name) for name in packed.namelist()} == keras_files.script_files(run)


def test_nothing_is_computed_before_a_click(
    trained: Trained, runs_root: Path, offered: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bytes:
        raise AssertionError("nobody has clicked")

    run = Run(shutil.copytree(trained.run.path, runs_root / trained.run.id))
    for name, how in formats.FORMATS.items():
        monkeypatch.setitem(formats.FORMATS, name, replace(how, encode=refuse))
    monkeypatch.setattr(keras_files, "script_zip", refuse)
    shown(run)
    with pytest.raises(AssertionError, match="nobody"):
        offered[0]["data"]()


def test_missing_formats_are_disabled(offered: list[dict[str, Any]]) -> None:
    shown(create_run(make_spec("fast")))
    enabled = {each["file_name"].rpartition(".")[2] for each in offered if not each["disabled"]}
    assert enabled == {"py", "zip"}


def test_a_network_that_is_too_large_for_a_browser_has_no_web_page(
    runs_root: Path, offered: list[dict[str, Any]]
) -> None:
    layers = [Rescaling(1 / 255), Flatten(), Dense(6000), Dense(10, "softmax")]
    run = create_run(make_spec("fast", {"layers": layers_to_json(layers)}))
    (run.path / "model.keras").write_bytes(b"a model")
    app = AppTest.from_string(SHOW.format(run_id=run.id), default_timeout=30).run()
    (page,) = [each for each in offered if each["file_name"].endswith(".html")]
    assert page["disabled"] and any("4,770,010 parameters" in each.value for each in app.caption)


def press_import(app: AppTest) -> AppTest:
    app.run()
    return next(button for button in app.button if button.label == "Import").click().run()


@pytest.mark.parametrize("good", [True, False])
def test_a_zip_is_imported_or_refused(
    trained: Trained, runs_root: Path, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    content = pack_run(trained.run)
    monkeypatch.setattr(st, "file_uploader", lambda *_, **__: io.BytesIO(content if good else content[:-100]))
    app = press_import(AppTest.from_string(IMPORT, default_timeout=60))
    assert not app.exception
    if good:
        imported = app.session_state["imported"]
        assert imported in app.success[0].value and find_run(imported).spec() == trained.run.spec()
        assert owners.read_owner(find_run(imported).path) == Visitor(*app.session_state[state.VISITOR]).owner
    else:
        assert "incomplete" in error_text(app) and app.session_state["imported"] is None
        assert list(runs_root.iterdir()) == []


def test_import_without_a_file_asks_for_one() -> None:
    app = press_import(AppTest.from_string(IMPORT, default_timeout=30))
    assert "Choose a zip" in app.info[0].value and not app.error
