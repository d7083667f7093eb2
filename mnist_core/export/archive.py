"""Exports a whole run as a zip, and imports a run from a zip that anybody may have made.

`pack_run` stores RUN_DIR/<file> as `<run id>/<file>`. `unpack_run` trusts nothing in the zip: `unzip` extracts only the
files of one run and bounds what comes out, `validate` checks the content of every file, `localize` removes what means
something else on this machine. A run is imported completely or not at all, and always gets a new id.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import IO

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError
from mnist_core.export import import_budget, validate
from mnist_core.export.localize import localize
from mnist_core.export.unzip import ARCHIVE_FILES, EVENTS, MAX_FILES, extract
from mnist_core.files.folders import move, scratch_folder
from mnist_core.files.read import open_file
from mnist_core.files.write_errors import explain_write_error
from mnist_core.locks import locked
from mnist_core.runs.disk_space import check_room, disk_bytes
from mnist_core.runs.run import Run
from mnist_core.runs.store import new_run_id


def pack_run(run: Run) -> bytes:
    """Packs a whole run as a zip for `unpack_run`. Raises RunError if its files cannot be read."""
    run.spec()
    content = io.BytesIO()
    try:
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in exported_files(run):
                with open_file(path) as file:
                    archive.writestr(f"{run.id}/{path.relative_to(run.path).as_posix()}", file.read())
    except OSError as error:
        raise RunError(f"The run {run.id} cannot be packed: {error}. It may have been deleted a moment ago.") from None
    return content.getvalue()


def exported_files(run: Run) -> list[Path]:
    """The files of a run that a zip contains."""
    events = sorted((run.path / "events").glob("*/*"))
    named = [path for path in events if EVENTS.fullmatch(path.relative_to(run.path).as_posix())][: MAX_FILES // 2]
    return [path for path in (*(run.path / name for name in ARCHIVE_FILES), *named) if path.is_file()]


def unpack_run(source: Path | IO[bytes], root: Path | None = None, owner: str = owners.NOBODY) -> Run:
    """Imports a run from a zip that was made here or elsewhere.

    Args:
        source: the zip: a path or a seekable file.
        root: folder of all runs; by default DIGITLAB_RUNS.
        owner: of the imported run, see `owners`. It counts against their budget, `import_budget`.

    Returns:
        The run, under a new id and marked as imported (`runs.imports`). If it was in training when it was packed, it
        is interrupted.

    Raises:
        RunError: the zip is broken, contains anything but a run, or is larger than a run can be; the owner's budget is
            used up; or the run cannot be written. Nothing is left behind.
    """
    root = root or runs_dir()
    try:
        check_room(owner, root)
        import_budget.check(owner, root)
        with scratch_folder(root, "import") as folder:
            imported = Run(folder / "run")
            run_id = extract(source, imported.path)
            validate.validate_run(imported)
            localize(imported, run_id)
            owners.write_owner(imported.path, owner)
            with locked(root):  # two imports at once, on one server or two, do not both fit
                import_budget.check(owner, root, disk_bytes(imported.path))
                return _move_into_place(imported, root)
    except OSError as error:
        raise RunError(f"The run cannot be imported. {explain_write_error(error, root)}") from None


def _move_into_place(imported: Run, root: Path) -> Run:
    """Moves the run to the folder of all runs, under a new id. One from the zip could be that of another run."""
    spec = imported.spec()
    while (target := root / new_run_id(spec)).exists():
        pass
    move(imported.path, target)
    return Run(target)
