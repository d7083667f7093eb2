"""Creates folders complete or not at all, and moves, copies and deletes what is in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_core.files.leftovers import delete_leftovers, temporary_path
from mnist_core.files.write import create_file


def make_folder(path: Path) -> None:
    """Creates a folder and those above it. Does nothing if it exists."""
    path.mkdir(parents=True, exist_ok=True)


def make_subfolder(path: Path) -> None:
    """Creates a folder in one that exists. Does nothing if it exists itself.

    Raises:
        FileNotFoundError: the folder above it is gone. What was deleted stays deleted.
    """
    path.mkdir(exist_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Creates a folder complete or not at all: yields a temporary folder, and moves it to `path` at the end.

    Raises:
        OSError: `path` is a folder with files, or something cannot be written. Nothing is left behind.
    """
    with scratch_folder(path.parent, path.name) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def scratch_folder(parent: Path, name: str = "scratch") -> Iterator[Path]:
    """Creates a folder for the time of the `with` block. If the process is killed, the next call deletes it.

    Args:
        parent: folder to create it in.
        name: part of its name.
    """
    make_folder(parent)
    delete_leftovers(parent)
    temporary = temporary_path(parent / name)
    try:
        temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def copy_files(source: Path, folder: Path) -> None:
    """Copies the content of a folder into another one, which exists."""
    for directory, _, names in os.walk(source):
        target = folder / Path(directory).relative_to(source)
        make_folder(target)
        for name in names:
            with (Path(directory) / name).open("rb") as original, create_file(target / name) as copy:
                shutil.copyfileobj(original, copy)


def move(source: Path, target: Path) -> None:
    """Moves a file or folder within a disk, atomically. A file at the target is replaced."""
    source.replace(target)


def delete_file(path: Path) -> None:
    """Deletes a file. It is no error if there is none."""
    path.unlink(missing_ok=True)


def delete_folder(path: Path) -> None:
    """Deletes a folder with its content, as far as possible."""
    shutil.rmtree(path, ignore_errors=True)
