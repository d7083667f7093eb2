"""Exports a whole run as a zip, and imports a run from a zip that anybody may have made.

`pack_run` stores RUN_DIR/<file> as `<run id>/<file>`. `unpack_run` trusts nothing in the zip: it accepts only the names
in ARCHIVE_FILES, limits and counts the size of each file while it unpacks, and then `validate` checks the content of
every file. A run is imported completely or not at all.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from mnist_core.config import runs_dir
from mnist_core.errors import RunError
from mnist_core.export import validate
from mnist_core.files import write_json
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status
from mnist_core.runs.store import is_run_id

MEGABYTE = 1_000_000

ARCHIVE_FILES: dict[str, int] = {
    "spec.json": MEGABYTE,
    "status.json": MEGABYTE,
    "control.json": MEGABYTE,
    "label.json": MEGABYTE,
    "probes.json": MEGABYTE,
    "card.json": MEGABYTE,
    "wall.npz": MEGABYTE,
    "metrics.jsonl": 200 * MEGABYTE,
    "log.txt": 50 * MEGABYTE,
    "model.keras": 120 * MEGABYTE,
    "model.tflite": 120 * MEGABYTE,
    "checkpoint/state.npz": 800 * MEGABYTE,
}
"""Exported file -> its maximum size in bytes, generous for the largest network that can be trained.

The owner of a run and other files in its folder, such as snapshots/, are not exported.
"""

EVENTS = re.compile(r"events/(train|validation)/events\.out\.tfevents\.[A-Za-z0-9._-]{1,150}")
"""Names of TensorBoard's files in a run."""

MAX_EVENTS_BYTES = 50 * MEGABYTE
"""Maximum size of one of TensorBoard's files."""

MAX_FILES = 64
MAX_BYTES = 1000 * MEGABYTE
"""Maximum size of a run, unpacked."""

MAX_DIRECTORY_BYTES = 64 * 1024
"""Maximum size of the zip's list of files: 64 files need a tenth of it."""

CHUNK_BYTES = 1 << 20

_END_RECORD = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_FOLDER_PREFIX = ".import-"
_STALE_SECONDS = 24 * 3600
"""After this time, an unpacking cannot still be running."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, KeyError)


def pack_run(run: Run) -> bytes:
    """Packs a whole run as a zip for `unpack_run`. Raises RunError if its files cannot be read."""
    run.spec()
    content = io.BytesIO()
    try:
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in exported_files(run):
                archive.writestr(f"{run.id}/{path.relative_to(run.path).as_posix()}", path.read_bytes())
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be packed: {error}. It may have been deleted a moment ago.") from None
    return content.getvalue()


def exported_files(run: Run) -> list[Path]:
    """The files of a run that a zip contains."""
    files = [run.path / name for name in ARCHIVE_FILES if (run.path / name).is_file()]
    events = sorted((run.path / "events").glob("*/*"))
    return (
        files + [path for path in events if EVENTS.fullmatch(path.relative_to(run.path).as_posix())][: MAX_FILES // 2]
    )


def unpack_run(source: Path | IO[bytes], root: Path | None = None) -> Run:
    """Imports a run from a zip that was made here or elsewhere.

    Args:
        source: the zip: a path or a seekable file.
        root: folder of all runs; by default DIGITLAB_RUNS.

    Returns:
        The run. It gets another id if its own is taken. If it was in training when it was packed, it is interrupted.

    Raises:
        RunError: the zip is broken, contains anything but a run, or is larger than a run can be; or the run cannot be
            written. Nothing is left behind.
    """
    root = root or runs_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _delete_stale_folders(root)
        with tempfile.TemporaryDirectory(prefix=_FOLDER_PREFIX, dir=root) as folder:
            run_id = _extract(source, Path(folder) / "run")
            imported = Run(Path(folder) / "run")
            validate.validate_run(imported)
            _mark_interrupted(imported)
            return _move_into_place(imported, run_id, root)
    except OSError as error:
        raise RunError(
            f"The run cannot be imported to {root}: {error}. Fix the permissions, or set DIGITLAB_RUNS to "
            "another folder."
        ) from None


def _delete_stale_folders(root: Path) -> None:
    """Deletes what unpackings that were killed have left behind."""
    for path in root.glob(f"{_FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _extract(source: Path | IO[bytes], folder: Path) -> str:
    """Extracts the zip into a new folder. Returns the run's id in the zip."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        _check_directory(file)
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            members, run_id = _file_entries(archive)
            _extract_files(archive, members, folder)
        except _BROKEN as error:
            raise RunError(f"The zip is damaged: {error or type(error).__name__}. Export the run again.") from None
    return run_id


def _check_directory(file: IO[bytes]) -> None:
    """Refuses a zip with a long list of files before `zipfile` reads it. That of a run is short and has no comment."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    end = file.read(42)[-42:]
    if len(end) < 22 or end[-22:-18] != _END_RECORD or end[-2:] != b"\0\0":
        raise RunError("This is not a zip of a run, or it is incomplete. Export the run again.")
    length = int.from_bytes(end[-10:-6], "little")
    if end[:4] == _ZIP64_LOCATOR and len(end) == 42 or length > MAX_DIRECTORY_BYTES:
        raise RunError(f"The zip lists more files than a run has, which is {MAX_FILES} at most.")


def _file_entries(archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], str]:
    """Returns (name of a file in the run -> its entry, run id). Raises RunError if the zip contains anything else."""
    files = [info for info in archive.infolist() if not _is_folder(info)]
    if len(files) > MAX_FILES:
        raise RunError(f"The zip contains {len(files):,} files, and a run has at most {MAX_FILES}.")
    members: dict[str, zipfile.ZipInfo] = {}
    run_ids = set()
    for info in files:
        run_id, _, name = info.orig_filename.partition("/")
        if not is_run_id(run_id) or not _max_size(name) or not _is_plain(info):
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
            f"The zip contains {len(run_ids)} runs with {len(members)} files. Expected one run with its spec.json."
        )
    return members, run_ids.pop()


_RANDOM_PART = re.compile(r"-[0-9a-f]{8}$")
_FOLDERS = re.compile(r"[a-z0-9-]{1,80}/((checkpoint|events|events/train|events/validation)/)?")


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


def _extract_files(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path) -> None:
    """Extracts files and counts the bytes that come out, because the sizes in the zip can be wrong."""
    total = 0
    for name, info in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with archive.open(info) as packed, path.open("xb") as file:
            while chunk := packed.read(CHUNK_BYTES):
                size, total = size + len(chunk), total + len(chunk)
                if size > _max_size(name) or total > MAX_BYTES:
                    raise RunError(
                        f"{name} is larger than in any run, where it has {_max_size(name) / 1e6:,.0f} MB at most, and "
                        f"{MAX_BYTES / 1e6:,.0f} MB with all other files. Nothing was imported."
                    )
                file.write(chunk)


def _mark_interrupted(run: Run) -> None:
    """A run that was in training when it was packed is not in training here."""
    status = (
        run.status()
        if (run.path / "status.json").exists()
        else Status("interrupted", "It was imported without a status.")
    )
    if not status.final:
        status = replace(status, state="interrupted", message=f"It was {status.state} when it was exported.")
    status = replace(status, pid=0, host="", seconds_left=None)
    write_json(run.path / "status.json", asdict(status))


def _move_into_place(imported: Run, run_id: str, root: Path) -> Run:
    """Moves the run to the folder of all runs, under another id if its own is taken."""
    stem = _RANDOM_PART.sub("", run_id)[:71].rstrip("-") or "run"
    for candidate in (run_id, *(f"{stem}-{secrets.token_hex(4)}" for _ in range(9))):
        target = root / candidate
        if target.exists():
            continue
        try:
            imported.path.replace(target)
        except OSError:
            if target.exists():  # taken a moment ago
                continue
            raise
        return Run(target)
    raise RunError(f"No free run id was found for {run_id}. Try again.")
