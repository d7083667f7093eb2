"""Limits of the files that Streamlit holds in memory: of one session, and of all.

Streamlit keeps what a browser uploads until the browser takes it back or its session ends, and lets a browser upload
any number of files, whether a page asks for them or not. It has no setting for that, so its store is extended here.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

FILES_EACH = 3
"""Files that a session may hold: no page has more places for them."""
BYTES_IN_ALL = 300_000_000
"""Size of the files of all sessions."""


class BoundedFileManager(MemoryUploadedFileManager):
    """A store in which a session's next file takes the place of its oldest."""

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Adds a file. Raises HTTPException, which the browser shows at the file, if all sessions hold too much."""
        with self._lock:
            held = list(self.file_storage.get(session_id, {}))
        for oldest in held[: max(0, len(held) + 1 - FILES_EACH)]:
            self.remove_file(session_id, oldest)
        if self._total_bytes + len(file.data) > BYTES_IN_ALL:
            raise HTTPException(503, "Too many files are being uploaded. Try again in a minute.")
        super().add_file(session_id, file)


def limit_uploads() -> None:
    """Gives the server's store of uploaded files the limits, before a browser can upload any. Call it on every page."""
    if runtime.exists():  # not in AppTest
        store = runtime.get_instance().uploaded_file_mgr
        if type(store) is MemoryUploadedFileManager:
            store.__class__ = BoundedFileManager  # the server holds this object and offers no way to replace it
