"""Files that are fetched at run time: whole or not at all, with progress, bounded in time, checked by their SHA-256."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mnist_core.errors import DownloadError

ANSWER_SECONDS = 8.0  # from the call to the first byte: name look-up and every address of the host included
SILENCE_SECONDS = 20.0  # between two bytes
DOWNLOAD_SECONDS = 900.0  # in all: 11.5 MB at 13 kB/s

Progress = Callable[[int, int], None]
"""(bytes done, bytes in all); the second is 0 where the server does not say. Called in the caller's own thread."""


def fetch(url: str, sha256: str | None, target: Path, progress: Progress | None = None) -> Path:
    """Fetches a file into a cache, whole or not at all; call it again to try again.

    Works in a thread that it can walk away from: neither a name look-up nor the many addresses of one host, tried in
    turn, obey the time-outs of `requests`.

    Args:
        url: where it is.
        sha256: of the file, in hexadecimal. None: whatever comes is taken, and the caller checks what is in it.
        target: where it goes. Its folder is made; another process may fetch the same file at the same time.
        progress: told how it goes on.

    Returns:
        `target`, where the file now is.

    Raises:
        DownloadError: it could not be fetched, with one clause that says why; `target` is as it was.
    """
    transfer = _Transfer()
    thread = threading.Thread(target=_fetch, args=(url, sha256, target, transfer), daemon=True)
    thread.start()
    try:
        _watch(thread, transfer, progress)
    finally:
        transfer.abandoned = True
    if transfer.error:
        raise DownloadError(_reason(transfer.error)) from transfer.error
    return target


@dataclass
class _Transfer:
    """pooch's progress-bar protocol. The thread that downloads writes it, the caller's thread reads it."""

    total: int | None = None  # bytes in all; pooch sets it when the server has answered, to 0 where that is unknown
    done: int = 0
    abandoned: bool = False
    error: Exception | None = None

    def update(self, count: int) -> None:
        if self.abandoned:
            raise InterruptedError("abandoned by the caller")
        done = self.done + count  # pooch counts whole chunks, so its last one is too long
        self.done = min(done, self.total) if self.total else done

    def reset(self) -> None:
        """pooch winds back only to fill the bar at the end; the caller must never see less than before."""

    def close(self) -> None:
        """Part of the protocol; there is nothing to close."""


def _watch(thread: threading.Thread, transfer: _Transfer, progress: Progress | None) -> None:
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


def _fetch(url: str, sha256: str | None, cache: Path, transfer: _Transfer) -> None:
    """Downloads into a folder beside the cached file, then swaps it in: other processes see the old file or the new."""
    try:
        import pooch

        pooch.get_logger().setLevel("WARNING")  # it would announce the temporary file
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent, prefix=".digitlab-") as folder, ExitStack() as answers:
            downloader = _downloader(transfer, answers)
            file = pooch.retrieve(url, sha256, fname=cache.name, path=folder, downloader=downloader)
            os.chmod(file, 0o644)  # pooch leaves 0600, which would shut out others who share this KERAS_HOME
            # On Windows pooch's own move copies over an existing file, and os.replace fails while another process reads
            # that file: most likely one that has just finished the same download, so leave its file alone.
            if not (cache.is_file() and pooch.file_hash(str(cache)) == sha256):
                os.replace(file, cache)
    except Exception as error:  # raised again in the caller's thread
        transfer.error = error


def _downloader(transfer: _Transfer, answers: ExitStack) -> Callable[..., None]:
    import pooch

    def close_at_the_end(answer: Any, **_: Any) -> None:
        answers.callback(answer.close)  # pooch itself leaves the connection of a failed download open

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
    from requests import exceptions

    reasons: list[tuple[type[Exception], str]] = [  # the first that fits, so the special before the general
        (exceptions.HTTPError, f"the server answered “{error}”"),
        (exceptions.ChunkedEncodingError, "the connection was cut before the file was complete"),
        (exceptions.Timeout, "no answer in time"),
        (exceptions.SSLError, f"the secure connection was refused, by a proxy or a wrong clock perhaps ({error})"),
        (exceptions.ConnectionError, "no network, or no connection to this server"),
        (exceptions.RequestException, str(error)),
        (OSError, f"the cache cannot be written ({error}); KERAS_HOME moves it"),
        (ValueError, "what came has the wrong SHA-256, so it is damaged or a sign-in page of the network"),
    ]
    return next((reason for kind, reason in reasons if isinstance(error, kind)), str(error))
