"""Addresses on this server from which a browser fetches models, to read drawings by itself.

An address contains a hash of the model, so a browser may cache the model: Streamlit sends media files without
Cache-Control and ETag, but `fetch(url, {cache: "force-cache"})` does.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit import runtime
from streamlit.url_util import make_url_path

from mnist_core.browser.model_files import read_browser_model
from mnist_core.training import fine_tune
from pages.ui.shared import caches


def model_url(choice: str) -> str:
    """Returns the address of a model's model.bin. It stays valid as long as each rerun of the page asks for it.

    Args:
        choice: of `model_menu.select_model`. As in the menu, it may be anybody's run.

    Raises:
        ModelError: the network is too large for a browser, or its model cannot be read.
        RunNotFoundError: the run is gone.
        RunError: its spec.json cannot be read.
    """
    return serve_model(_content(fine_tune.model_folder(choice) / "model.keras"), f"model {choice}")


def serve_model(content: bytes, place: str) -> str:
    """Returns the address of a model.bin, with the server's base path.

    Args:
        content: of the file.
        place: what the session uses it for. Another content in the same place takes the place of this one.
    """
    url = runtime.get_instance().media_file_mgr.add(content, "application/octet-stream", place)
    return make_url_path(str(st.get_option("server.baseUrlPath")), url)


@st.cache_resource(show_spinner=False, max_entries=8, hash_funcs=caches.FILE_VERSION)
def _content(keras_model: Path) -> bytes:
    return read_browser_model(keras_model.parent)
