"""Data sets and pen digits are regular files: a device, a pipe or a link to itself is an error that names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mnist_core.data.mnist import load_mnist
from mnist_core.errors import DataError
from mnist_core.handwriting.pen_digits import load_pen_digits


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
@pytest.mark.parametrize("special", ["/dev/zero", "pipe", "loop"])
def test_nothing_but_a_regular_file_is_opened(special: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(special) if special.startswith("/") else tmp_path / special
    if special == "pipe":
        os.mkfifo(path)
    elif special == "loop":
        path.symlink_to(path.name)
    monkeypatch.setenv("DIGITLAB_MNIST", str(path))
    with pytest.raises(DataError, match=f"{path}.*DIGITLAB_MNIST"):
        load_mnist("full")
    monkeypatch.setenv("DIGITLAB_PEN", str(path))
    with pytest.raises(DataError, match=f"{path}.*DIGITLAB_PEN"):
        load_pen_digits()
