"""A browser gets a model's address, which changes with the model and serves its model.bin."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit import runtime
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from mnist_core.browser.model_files import read_browser_model
from mnist_core.errors import ModelError, RunNotFoundError
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks.layers import Dense, Flatten
from mnist_core.recipes.settings import Settings
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run
from pages.ui.shared.browser_model import model_url, serve_model
from pages.ui.shared.model_menu import SHIPPED


class Server:
    """Stands for the server, with Streamlit's store of media files."""

    def __init__(self) -> None:
        self.media_file_mgr = MediaFileManager(MemoryMediaFileStorage("/media"))

    def get(self, url: str) -> bytes | None:
        """What the server answers to a request for this address."""
        found = self.media_file_mgr.read_file(Path(url).name)
        return found and found.content


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(runtime, "get_instance", lambda: server)
    return server


def test_the_shipped_model_has_one_address(server: Server) -> None:
    url = model_url(SHIPPED)
    assert url.startswith("/media/") and url == model_url(SHIPPED)
    assert server.get(url) == read_browser_model(DEFAULT_MODEL.parent)


def test_another_model_in_the_same_place_has_another_address(server: Server) -> None:
    first, second = serve_model(b"one", "live"), serve_model(b"two", "live")
    server.media_file_mgr.remove_orphaned_files()  # as at the end of each rerun
    assert first != second and server.get(first) is None and server.get(second) == b"two"


def test_a_server_below_a_path(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.get_option", lambda _: "lab/digits")
    assert model_url(SHIPPED).startswith("/lab/digits/media/")


@pytest.mark.usefixtures("server")
def test_models_that_a_browser_cannot_read() -> None:
    with pytest.raises(RunNotFoundError):
        model_url("20260101-000000-fast-1234abcd")
    layers = (Flatten(), Dense(8000), Dense(10, "softmax"))
    large = create_run(RunSpec("fast", Settings(layers, 100, 1), "sample"))
    with pytest.raises(ModelError, match="on the server only"):
        model_url(large.id)
