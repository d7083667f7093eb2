"""Downloads files: whole or not at all, with progress, within a time limit, checked by their SHA-256."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mnist_core.errors import DownloadError
from mnist_core.files.folders import move, scratch_folder

ANSWER_SECONDS = 8.0
"""Longest wait for the first byte, with the name lookup and all addresses of the host."""
SILENCE_SECONDS = 20.0
"""Longest wait between two bytes."""
DOWNLOAD_SECONDS = 900.0
"""Longest download in all: 11.5 MB at 13 kB/s."""

Progress = Callable[[int, int], None]
"""Takes the bytes done and the bytes in all, or 0 if the server does not say. Called in the caller's own thread."""


def fetch(url: str, sha256: str | None, target: Path, progress: Progress | None = None) -> Path:
    """Downloads a file into a cache, whole or not at all. It may be called again after a failure.

    The download runs in a thread that can be abandoned, because the timeouts of `requests` cover neither the name
    lookup nor the several addresses of one host that are tried in turn.

    Args:
        url: what to download.
        sha256: of the file, in hexadecimal. None accepts any content, which the caller then has to check.
        target: where to save it. Its folder is created. Several processes may download the same file at once.
        progress: called ten times a second while the download is running.

    Returns:
        `target`.

    Raises:
        DownloadError: the download failed, with one clause that says why; `target` is as it was.
    """
    transfer = _Transfer()
    thread = threading.Thread(target=_download, args=(url, sha256, target, transfer), daemon=True)
    thread.start()
    try:
        _wait(thread, transfer, progress)
    finally:
        transfer.abandoned = True
    if transfer.error:
        raise DownloadError(_reason(transfer.error)) from transfer.error
    return target


@dataclass
class _Transfer:
    """The state of a download, in the form of a progress bar of pooch. Written by its thread, read by the caller's."""

    total: int | None = None  # bytes in all; pooch sets it when the server has answered, to 0 if that is unknown
    done: int = 0
    abandoned: bool = False
    error: Exception | None = None

    def update(self, count: int) -> None:
        if self.abandoned:
            raise InterruptedError("abandoned by the caller")
        done = self.done + count  # pooch counts whole chunks, so its last one is too long
        self.done = min(done, self.total) if self.total else done

    def reset(self) -> None:
        """Does nothing: pooch resets only to fill the bar at the end, and progress must never go backward."""

    def close(self) -> None:
        """Does nothing: there is nothing to close."""


def _wait(thread: threading.Thread, transfer: _Transfer, progress: Progress | None) -> None:
    """Waits for the thread, reports progress, and raises a DownloadError when time is up."""
    started = time.monotonic()
    while True:
        thread.join(0.1)
        if progress and transfer.total is not None:
            progress(transfer.done, transfer.total)
        if not thread.is_alive():
            return
        what, limit = ("no answer", ANSWER_SECONDS) if transfer.total is None else ("incomplete", DOWNLOAD_SECONDS)
        if time.monotonic() - started > limit:
            raise DownloadError(f"{what} after {limit:g} seconds")


def _download(url: str, sha256: str | None, cache: Path, transfer: _Transfer) -> None:
    """Downloads into a temporary folder and moves the file into place: others see the old file or the new one."""
    try:
        import pooch

        pooch.get_logger().setLevel("WARNING")  # it would announce the temporary file
        with scratch_folder(cache.parent, "digitlab") as folder, ExitStack() as responses:
            downloader = _downloader(transfer, responses)
            file = Path(pooch.retrieve(url, sha256, fname=cache.name, path=folder, downloader=downloader))
            file.chmod(0o644)  # pooch leaves 0600, which would shut out others who share this KERAS_HOME
            # On Windows pooch's own move copies over an existing file, and replacing fails while another process reads
            # that file: most likely one that has just finished the same download, so leave its file alone.
            if not (cache.is_file() and pooch.file_hash(str(cache)) == sha256):
                move(file, cache)
    except Exception as error:  # raised again in the caller's thread
        transfer.error = error


def _downloader(transfer: _Transfer, responses: ExitStack) -> Callable[..., None]:
    import pooch

    def close_at_the_end(response: Any, **_: Any) -> None:
        responses.callback(response.close)  # pooch leaves the connection of a failed download open

    return cast(
        Callable[..., None],
        pooch.HTTPDownloader(
            progressbar=transfer,
            chunk_size=1 << 16,
            timeout=(ANSWER_SECONDS, SILENCE_SECONDS),
            hooks={"response": close_at_the_end},
        ),
    )


def _reason(error: Exception) -> str:
    """Says in one clause why a download failed."""
    from requests import exceptions

    reasons: list[tuple[type[Exception], str]] = [  # the first match counts, so subclasses come first
        (exceptions.HTTPError, f"the server answered “{error}”"),
        (exceptions.ChunkedEncodingError, "the connection was cut before the file was complete"),
        (exceptions.Timeout, "no answer in time"),
        (
            exceptions.SSLError,
            f"the secure connection was refused, perhaps because of a proxy or a wrong clock ({error})",
        ),
        (exceptions.ConnectionError, "no network, or no connection to this server"),
        (exceptions.RequestException, str(error)),
        (OSError, f"the cache cannot be written ({error}); KERAS_HOME moves it"),
        (ValueError, "the file has the wrong SHA-256: it is damaged, or the network sent a sign-in page instead"),
    ]
    return next((reason for kind, reason in reasons if isinstance(error, kind)), str(error))
