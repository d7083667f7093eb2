"""A disk that fails: every write below a folder is counted, and the n-th one fails, is cut short, or kills the process.

    with FaultyDisk(runs_root, "full", at=17) as disk:
        ...                       # raises OSError at the 17th write, and at every later one: the disk stays full
    disk.writes                   # ["create status.json", "write status.json", ...]

A kill is played: from that write on, nothing that this process does reaches the disk, and `Killed` ends its threads. So
hundreds of kills take place in one process with TensorFlow loaded. Meanwhile `os.getpid` is the id of a child that does
nothing, and ends with the `with` block or the kill: the next process finds that the one before it is gone.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from mnist_core.errors import DigitLabError

FAULTS = ("full", "full for a moment", "input/output error", "short write", "kill")
"""What may happen at the n-th write. The disk is full from then on, or fails once."""
NEEDS_SPACE = ("create", "write", "mkdir")
"""Only these fail on a full disk: what frees space or moves a file still works."""


class Killed(BaseException):  # noqa: N818 - no error, as SystemExit is none
    """Ends the threads of a process that was killed."""


class FaultyDisk:
    """Makes one write below a folder fail.

    Args:
        folder: whose files are written.
        fault: one of FAULTS.
        at: which write fails, counted from 1; 0 for none.
        only: count only writes that begin with this, for example `move .state-`.

    Attributes:
        writes: every write so far, as its kind and the name of the file.
        hit: the write that failed; empty if it did not come to that.
        dead: True once the process was killed.
    """

    def __init__(self, folder: Path, fault: str = "full", at: int = 0, only: str = "") -> None:
        self._folder, self._fault, self._at = folder.resolve(), fault, at
        self._only, self._counted = only, 0
        self._lock = threading.Lock()
        self._originals: list[tuple[Any, str, Any]] = []
        self._process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        self.writes: list[str] = []
        self.hit, self.dead = "", False

    def __enter__(self) -> FaultyDisk:
        self._replace(os, "getpid", self._getpid(os.getpid))
        for module, name in ((io, "open"), (builtins, "open")):
            self._replace(module, name, self._opener(getattr(module, name)))
        for name, kind in (("replace", "move"), ("rename", "move"), ("mkdir", "mkdir")):
            self._replace(os, name, self._guarded(getattr(os, name), kind))
        for name in ("unlink", "remove", "rmdir"):
            self._replace(os, name, self._guarded(getattr(os, name), "delete"))
        self._replace(os, "open", self._guarded_open(os.open))
        self._replace(os, "fsync", self._guarded_fsync(os.fsync))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        for owner, name, original in reversed(self._originals):
            setattr(owner, name, original)
        self._end_process()
        return kind is Killed

    def _end_process(self) -> None:
        self._process.kill()
        self._process.wait()

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._originals.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def _getpid(self, original: Callable[[], int]) -> Callable[[], int]:
        """The child's id, but for libraries that would take another id for a fork."""
        return lambda: (
            original()
            if sys._getframe(1).f_globals["__name__"].startswith(("filelock", "multiprocessing", "psutil"))
            else self._process.pid
        )

    def _contains(self, path: Any) -> bool:
        return Path(os.fsdecode(path)).absolute().is_relative_to(self._folder)

    def step(self, kind: str, path: Any) -> str:
        """Counts one write. Raises what it is to raise; returns "half" if only half of it is to be written."""
        with self._lock:
            if self.dead:
                raise Killed
            self.writes.append(f"{kind} {Path(os.fsdecode(path)).name}")
            self._counted += self.writes[-1].startswith(self._only)
            full = self._fault in ("full", "short write") and self.hit and kind in NEEDS_SPACE
            if not full and (self._counted < self._at or not self._at or self.hit):
                return ""
            if self._fault != "input/output error" and self._fault != "kill" and kind not in NEEDS_SPACE:
                return ""  # the next write that needs space fails instead
            if not self.hit:
                self.hit = self.writes[-1]
                if self._fault == "short write" and kind == "write":
                    return "half"
            if self._fault == "kill":
                self.dead = True
                self._end_process()
                if kind == "write":
                    return "half"
                raise Killed
        number = errno.EIO if self._fault == "input/output error" else errno.ENOSPC
        raise OSError(number, os.strerror(number), os.fsdecode(path))

    def _guarded(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, dir_fd: int | None = None, **options: Any) -> Any:
            whole = path if dir_fd is None else _open_path(dir_fd) / os.fsdecode(path)
            if self._contains(whole):
                self.step(kind, whole)
            given = {} if dir_fd is None else {"dir_fd": dir_fd}
            return function(path, *arguments, **given, **options)

        return call

    def _guarded_open(self, function: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if flags & os.O_CREAT and self._contains(path) and not Path(path).exists():
                self.step("create", path)
            return function(path, flags, *arguments, **options)

        return call

    def _guarded_fsync(self, function: Callable[[int], None]) -> Callable[[int], None]:
        def call(number: Any) -> None:
            path = _open_path(number if isinstance(number, int) else number.fileno())
            if self._contains(path):
                self.step("flush", path)
            function(number)

        return call

    def _opener(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **options: Any) -> Any:
            if isinstance(file, int) or not set(mode) & set("wax+") or not self._contains(file):
                return original(file, mode, buffering, *rest, **options)
            if "r" not in mode:
                self.step("create", file)
            raw = _FaultyFile(self, os.fspath(file), mode.replace("b", "").replace("t", ""))
            if "b" in mode:
                if buffering == 0:
                    return raw
                return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return io.TextIOWrapper(io.BufferedWriter(raw), encoding=options.get("encoding") or "utf-8")

        return call


class _FaultyFile(io.FileIO):
    def __init__(self, disk: FaultyDisk, path: str, mode: str) -> None:
        super().__init__(path, mode)
        self._disk, self._path = disk, path

    def write(self, content: Any) -> int:
        if self._disk.step("write", self._path) != "half":
            return super().write(content)
        written = super().write(memoryview(content).cast("B")[: len(memoryview(content).cast("B")) // 2])
        if self._disk.dead:
            raise Killed
        return written

    def truncate(self, size: int | None = None) -> int:
        if self._disk.dead:
            raise Killed
        return super().truncate(size)


def _open_path(number: int) -> Path:
    """The path of an open file or folder."""
    return Path(f"/proc/self/fd/{number}").readlink()


def attempt(action: Callable[[], object]) -> str:
    """Does something on a disk that may fail. Returns how it failed, or nothing; other errors pass."""
    try:
        action()
    except (DigitLabError, OSError) as error:  # the command line and the pages show both in words
        return str(error)
    return ""


def temporaries(folder: Path) -> list[str]:
    """The half-written files and folders below a folder."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".*-*-*")]


def contents(folder: Path, ignored: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Name -> bytes of every file in a folder, but for those that are named."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in ignored)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
