"""Runs that travel: a whole run as a zip, and back from a zip of anybody's.

`pack` puts RUN_DIR/<file> into the archive as `<run id>/<file>`. `unpack` believes nothing of what it is given: only
the names of FILES are taken, each bounded in size, all of them counted while they are unpacked; then `inspection`
looks into every file. A run arrives whole or not at all.
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
"""What travels -> its largest size in bytes: generous for the largest network that can be trained. Who owns a run, and
what else lies in its folder, such as snapshots/, stays at home."""

EVENTS = re.compile(r"events/(train|validation)/events\.out\.tfevents\.[A-Za-z0-9._-]{1,150}")
EVENTS_SIZE = 50 * MEGABYTE  # of each
MAX_FILES = 64
MAX_BYTES = 1000 * MEGABYTE  # of a run, unpacked
MAX_DIRECTORY_BYTES = 64 * 1024  # bytes of the archive's list of files: 64 files need a tenth of it
CHUNK = 1 << 20

_END = b"PK\x05\x06"
_ZIP64 = b"PK\x06\x07"
_FOLDER = ".import-"
_LEFT_OVER = 24 * 3600  # seconds after which an unpacking cannot still go on
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, KeyError)


def pack_run(run: Run) -> bytes:
    """A whole run as a zip that `unpack` takes. Raises RunError where its files cannot be read."""
    run.spec()
    content = io.BytesIO()
    try:
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in _travelling(run):
                archive.writestr(f"{run.id}/{path.relative_to(run.path).as_posix()}", path.read_bytes())
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be packed: {error}. It may just have been deleted.") from None
    return content.getvalue()


def _travelling(run: Run) -> list[Path]:
    found = [run.path / name for name in ARCHIVE_FILES if (run.path / name).is_file()]
    events = sorted((run.path / "events").glob("*/*"))
    return (
        found + [path for path in events if EVENTS.fullmatch(path.relative_to(run.path).as_posix())][: MAX_FILES // 2]
    )


def unpack_run(source: Path | IO[bytes], root: Path | None = None) -> Run:
    """Takes in a run that was packed, here or elsewhere.

    Args:
        source: the zip: a path, or a file that can be sought in.
        root: where runs are kept.

    Returns:
        The run. It has another id where its own is taken; one that was being trained when it was packed has ended.

    Raises:
        RunError: it is no such zip, it holds what is not a run's, or is larger than a run can be; or it cannot be
            written. Nothing is left behind.
    """
    root = root or runs_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=root) as folder:
            run_id = _unpacked(source, Path(folder) / "run")
            arrived = Run(Path(folder) / "run")
            validate.validate_run(arrived)
            _end(arrived)
            return _placed(arrived, run_id, root)
    except OSError as error:
        raise RunError(f"The run cannot be taken in at {root}: {error}. Mend that, or set DIGITLAB_RUNS.") from None


def _sweep(root: Path) -> None:
    """Removes what an unpacking that was killed has left."""
    for path in root.glob(f"{_FOLDER}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT_OVER:
                shutil.rmtree(path, ignore_errors=True)


def _unpacked(source: Path | IO[bytes], folder: Path) -> str:
    """Writes the archive's files into a new folder. Returns the id that the run had."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        _check_directory(file)
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            members, run_id = _members(archive)
            _write(archive, members, folder)
        except _BROKEN as error:
            raise RunError(f"This is not a whole zip: {error or type(error).__name__}. Export the run again.") from None
    return run_id


def _check_directory(file: IO[bytes]) -> None:
    """Refuses an archive whose list of files is long, before `zipfile` reads it. A run's is short, without comment."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    end = file.read(42)[-42:]
    if len(end) < 22 or end[-22:-18] != _END or end[-2:] != b"\0\0":
        raise RunError("This is not a zip of a run, or it is cut short. Export the run again.")
    length = int.from_bytes(end[-10:-6], "little")
    if end[:4] == _ZIP64 and len(end) == 42 or length > MAX_DIRECTORY_BYTES:
        raise RunError(f"The zip lists more files than a run has: at most {MAX_FILES} were expected.")


def _members(archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], str]:
    """Name within the run -> its entry, and the run's id. Raises RunError for anything that is not a file of a run."""
    files = [info for info in archive.infolist() if not _is_folder(info)]
    if len(files) > MAX_FILES:
        raise RunError(f"The zip holds {len(files):,} files, and a run has at most {MAX_FILES}.")
    members: dict[str, zipfile.ZipInfo] = {}
    run_ids = set()
    for info in files:
        run_id, _, name = info.orig_filename.partition("/")
        if not is_run_id(run_id) or not _limit(name) or not _is_plain(info):
            raise RunError(
                f"The zip holds {info.orig_filename[:120]!r}, which is no file of a run: "
                "expected RUN/spec.json and the like. Nothing was unpacked."
            )
        if name in members:
            raise RunError(f"The zip holds {name} twice. Export the run again.")
        members[name] = info
        run_ids.add(run_id)
    if "spec.json" not in members or len(run_ids) != 1:
        raise RunError(
            f"The zip holds {len(run_ids)} runs with {len(members)} files; expected one, with its spec.json."
        )
    return members, run_ids.pop()


_RANDOM_PART = re.compile(r"-[0-9a-f]{8}$")
_FOLDERS = re.compile(r"[a-z0-9-]{1,80}/((checkpoint|events|events/train|events/validation)/)?")


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """An entry for a folder that a run has: other programs than ours write them. It is made where it is needed."""
    return bool(_FOLDERS.fullmatch(info.orig_filename)) and info.file_size == 0


def _limit(name: str) -> int:
    """The largest size of the file; 0 for a name that is no file of a run."""
    return EVENTS_SIZE if EVENTS.fullmatch(name) else ARCHIVE_FILES.get(name, 0)


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """A file, not a link or a device; not encrypted; packed in one of the two usual ways."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    usual = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return kind in (0, stat.S_IFREG) and not info.flag_bits & 0x1 and usual


def _write(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path) -> None:
    """Counts what comes out, whatever the archive says of sizes."""
    total = 0
    for name, info in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with archive.open(info) as packed, path.open("xb") as file:
            while chunk := packed.read(CHUNK):
                size, total = size + len(chunk), total + len(chunk)
                if size > _limit(name) or total > MAX_BYTES:
                    raise RunError(
                        f"{name} is larger than a run's can be: {min(_limit(name), MAX_BYTES) / 1e6:,.0f} MB at most, "
                        f"{MAX_BYTES / 1e6:,.0f} MB in all. Nothing was unpacked."
                    )
                file.write(chunk)


def _end(run: Run) -> None:
    """Nobody trains it here: one that was being trained has been interrupted."""
    status = run.status() if (run.path / "status.json").exists() else Status("interrupted", "It came without a status.")
    if not status.final:
        status = replace(status, state="interrupted", message=f"It was {status.state} when it was packed.")
    status = replace(status, pid=0, host="", seconds_left=None)
    write_json(run.path / "status.json", asdict(status))


def _placed(arrived: Run, run_id: str, root: Path) -> Run:
    """Moves it to its place; under another id where its own is taken."""
    stem = _RANDOM_PART.sub("", run_id)[:71].rstrip("-") or "run"
    for candidate in (run_id, *(f"{stem}-{secrets.token_hex(4)}" for _ in range(9))):
        target = root / candidate
        if target.exists():
            continue
        try:
            os.replace(arrived.path, target)
        except OSError:
            if target.exists():  # taken this moment
                continue
            raise
        return Run(target)
    raise RunError(f"No free id was found for {run_id}. Try again.")
