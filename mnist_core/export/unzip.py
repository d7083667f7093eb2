"""Extracts the files of a run from a zip that anybody may have made, and bounds what comes out."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO

from mnist_core.errors import RunError
from mnist_core.files.folders import make_folder
from mnist_core.files.read import open_file
from mnist_core.files.write import create_file
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.store import is_run_id
from mnist_core.wording import plural

MEGABYTE = 1_000_000

ARCHIVE_FILES: dict[str, int] = {
    "spec.json": MEGABYTE,
    "status.json": MEGABYTE,
    "control.json": MEGABYTE,
    "label.json": MEGABYTE,
    "probes.json": MEGABYTE,
    "card.json": MEGABYTE,
    "wall.npz": MEGABYTE,
    "metrics.jsonl": 64 * MEGABYTE,
    "log.txt": 16 * MEGABYTE,
    "model.keras": 100 * MEGABYTE,
    "model.tflite": 100 * MEGABYTE,
}
"""Exported file -> its maximum size in bytes, generous for the largest network that can be trained.

The owner of a run and other files in its folder, such as snapshots/, are not exported.
"""

IGNORED_FILES = (CHECKPOINT_FILE.as_posix(),)
"""Files that earlier versions exported. They may be in a zip and are not extracted."""

EVENTS = re.compile(r"events/(train|validation)/events\.out\.tfevents\.[A-Za-z0-9._-]{1,150}")
"""Names of TensorBoard's files in a run."""

MAX_EVENTS_BYTES = 50 * MEGABYTE
"""Maximum size of one of TensorBoard's files."""

MAX_FILES = 64
MAX_BYTES = 400 * MEGABYTE
"""Maximum size of a run, unpacked."""
MAX_RATIO = 20
"""How many times the size of the zip its files may be together, if that is more than FREE_BYTES. A trained run has
1.2, one that has only reports 8."""
MAX_FILE_RATIO = 100
"""How many times its packed size a file may be, if it is larger than FREE_BYTES."""
FREE_BYTES = MEGABYTE

MAX_DIRECTORY_BYTES = 64 * 1024
"""Maximum size of the zip's list of files: 64 files need a tenth of it."""

CHUNK_BYTES = 1 << 18

_END_RECORD = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_FOLDERS = re.compile(r"[a-z0-9-]{1,80}/((checkpoint|events|events/train|events/validation)/)?")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, KeyError)


def extract(source: Path | IO[bytes], folder: Path) -> str:
    """Extracts the files of a run into a new folder.

    Args:
        source: the zip: a path or a seekable file.
        folder: does not exist yet.

    Returns:
        The id of the run in the zip. It is only a text.

    Raises:
        RunError: the zip is broken, contains anything but a run, or unpacks to more than a run can be.
        OSError: the files cannot be written.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_open_zip(source)) if isinstance(source, Path) else source
        size = _check_directory(file)
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            members, run_id = _file_entries(archive)
            _extract_files(archive, members, folder, max(MAX_RATIO * size, FREE_BYTES))
        except _BROKEN as error:
            why = str(error)[:200] or type(error).__name__  # zipfile quotes a name of any length
            raise RunError(f"The zip is damaged: {why}. Export the run again.") from None
    return run_id


def _open_zip(path: Path) -> IO[bytes]:
    try:
        return open_file(path)
    except OSError as error:
        raise RunError(f"The zip cannot be read: {error}.") from None


def _check_directory(file: IO[bytes]) -> int:
    """Refuses a zip with a long list of files before `zipfile` reads it. That of a run is short and has no comment.

    Returns the size of the zip.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    end = file.read(42)[-42:]
    if len(end) < 22 or end[-22:-18] != _END_RECORD or end[-2:] != b"\0\0":
        raise RunError("This is not a zip of a run, or it is incomplete. Export the run again.")
    length = int.from_bytes(end[-10:-6], "little")
    if end[:4] == _ZIP64_LOCATOR and len(end) == 42 or length > MAX_DIRECTORY_BYTES:
        raise RunError(f"The zip lists too many files. A run has at most {MAX_FILES}.")
    return size


def _file_entries(archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], str]:
    """Returns (name of a file in the run -> its entry, run id). Raises RunError if the zip contains anything else."""
    files = [info for info in archive.infolist() if not _is_folder(info)]
    if len(files) > MAX_FILES:
        raise RunError(f"The zip contains {len(files):,} files. A run has at most {MAX_FILES}.")
    members: dict[str, zipfile.ZipInfo] = {}
    run_ids = set()
    for info in files:
        run_id, _, name = info.orig_filename.partition("/")
        if not is_run_id(run_id) or not (_max_size(name) or name in IGNORED_FILES) or not _is_plain(info):
            raise RunError(
                f"The zip contains {info.orig_filename[:120]!r}, which is not a file of a run. "
                "Expected RUN_ID/spec.json and similar names. Nothing was imported."
            )
        if name in members:
            raise RunError(f"The zip contains {name} twice. Export the run again.")
        members[name] = info
        run_ids.add(run_id)
    if "spec.json" not in members or len(run_ids) != 1:
        raise RunError(
            f"The zip contains {plural(len(run_ids), 'run')} with {plural(len(members), 'file')}. Expected one run "
            "with its spec.json."
        )
    return {name: info for name, info in members.items() if name not in IGNORED_FILES}, run_ids.pop()


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """True for an entry of a run's folder, which other programs write. It is ignored: files create their folders."""
    return bool(_FOLDERS.fullmatch(info.orig_filename)) and info.file_size == 0


def _max_size(name: str) -> int:
    """The maximum size of a file in bytes; 0 if no file of a run has this name."""
    return MAX_EVENTS_BYTES if EVENTS.fullmatch(name) else ARCHIVE_FILES.get(name, 0)


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """True for a regular file, not encrypted, and compressed in one of the two usual ways."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    usual = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return kind in (0, stat.S_IFREG) and not info.flag_bits & 0x1 and usual


def _extract_files(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path, most_bytes: int
) -> None:
    """Extracts files and counts the bytes that come out, because the sizes in the zip can be wrong."""
    total, most_bytes = 0, min(most_bytes, MAX_BYTES)
    for name, info in members.items():
        path, most = folder / name, min(_max_size(name), max(FREE_BYTES, MAX_FILE_RATIO * info.compress_size))
        make_folder(path.parent)
        size = 0
        with archive.open(info) as packed, create_file(path) as file:
            while chunk := packed.read(CHUNK_BYTES):
                size, total = size + len(chunk), total + len(chunk)
                if size > most or total > most_bytes:
                    raise RunError(
                        f"{name} is too large. In a zip of this size, the limit is {most / 1e6:,.0f} MB for this file "
                        f"and {most_bytes / 1e6:,.0f} MB for all files. Nothing was imported."
                    )
                file.write(chunk)
