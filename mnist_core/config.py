"""Every environment variable that the app reads, with its type and default.

Each function reads its variable when it is called, so a test or a notebook can change it at any time. `click`'s types
do the parsing: the command line uses them already, and pydantic-settings would add 0.1 s to the start of every command.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, TypeVar

import click
import psutil

from mnist_core.errors import SettingError
from mnist_core.processes import cpu_count

T = TypeVar("T")

DEFAULT_MAX_QUEUED = 20
"""Default of `max_queued`."""
DEFAULT_MAX_QUEUED_EACH = 3
"""Default of `max_queued_each`."""
DEFAULT_MAX_SWEEPS = 10
"""Default of `max_sweeps`."""
DEFAULT_MAX_SWEEPS_EACH = 2
"""Default of `max_sweeps_each`."""
DEFAULT_WORKER_HOURS = 24.0
"""Default of `worker_hours`."""
DEFAULT_IMPORT_MB = 2000
"""Default of `import_mb`."""
DEFAULT_RUNS_MB = 50_000
"""Default of `runs_mb`."""
DEFAULT_RUNS_MB_EACH = 5_000
"""Default of `runs_mb_each`."""
DEFAULT_NETWORKS_EACH = 50
"""Default of `max_networks_each`."""
DEFAULT_DRAWINGS_EACH = 200
"""Default of `max_drawings_each`."""
DEFAULT_RAY_CPUS = 2.0
"""Default of `ray_cpus`."""

_RAY_ADDRESS = re.compile(r"https?://[^/\s:]+(:[0-9]{1,5})?/?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?/?")


def mnist_path() -> Path | None:
    """DIGITLAB_MNIST: the full MNIST, an `.npz` with Keras's four keys or a folder of the four idx files."""
    return _path("DIGITLAB_MNIST")


def pen_path() -> Path | None:
    """DIGITLAB_PEN: pen digits, as JSON lines or in one of UCI's formats."""
    return _path("DIGITLAB_PEN")


def runs_dir() -> Path:
    """DIGITLAB_RUNS: the folder for runs, sweeps, networks and drawings. Default: `runs` in the working directory."""
    return _path("DIGITLAB_RUNS") or Path("runs")


def keras_home() -> Path:
    """KERAS_HOME: Keras's own folder, where downloaded data is cached. Default: `~/.keras`."""
    return _path("KERAS_HOME") or Path("~/.keras").expanduser()


def max_running() -> int:
    """DIGITLAB_MAX_RUNNING: runs that train at the same time. Default: one for every two cores."""
    return _parse("DIGITLAB_MAX_RUNNING", click.IntRange(1), "a whole number of 1 or more", max(1, cpu_count() // 2))


def max_queued() -> int:
    """DIGITLAB_MAX_QUEUED: runs that may wait. Default: 20."""
    return _parse("DIGITLAB_MAX_QUEUED", click.IntRange(1), "a whole number of 1 or more", DEFAULT_MAX_QUEUED)


def max_queued_each() -> int:
    """DIGITLAB_MAX_QUEUED_EACH: runs of one owner that may wait. Default: 3."""
    return _parse("DIGITLAB_MAX_QUEUED_EACH", click.IntRange(1), "a whole number of 1 or more", DEFAULT_MAX_QUEUED_EACH)


def import_mb() -> int:
    """DIGITLAB_IMPORT_MB: disk space that the imported runs of one owner may take, in MB. Default: 2000."""
    return _parse("DIGITLAB_IMPORT_MB", click.IntRange(1), "a whole number of 1 or more", DEFAULT_IMPORT_MB)


def runs_mb() -> int:
    """DIGITLAB_RUNS_MB: disk space that all runs and the trash may take, in MB. Default: 50000."""
    return _parse("DIGITLAB_RUNS_MB", click.IntRange(1), "a whole number of 1 or more", DEFAULT_RUNS_MB)


def runs_mb_each() -> int:
    """DIGITLAB_RUNS_MB_EACH: disk space that the runs of one owner may take, in MB. Default: 5000."""
    return _parse("DIGITLAB_RUNS_MB_EACH", click.IntRange(1), "a whole number of 1 or more", DEFAULT_RUNS_MB_EACH)


def max_networks_each() -> int:
    """DIGITLAB_MAX_NETWORKS_EACH: networks that one owner may save. Default: 50."""
    return _parse("DIGITLAB_MAX_NETWORKS_EACH", click.IntRange(1), "a whole number of 1 or more", DEFAULT_NETWORKS_EACH)


def max_drawings_each() -> int:
    """DIGITLAB_MAX_DRAWINGS_EACH: drawings that one owner may keep. Default: 200."""
    return _parse("DIGITLAB_MAX_DRAWINGS_EACH", click.IntRange(1), "a whole number of 1 or more", DEFAULT_DRAWINGS_EACH)


def max_sweeps() -> int:
    """DIGITLAB_MAX_SWEEPS: sweeps that may run at the same time. Default: 10."""
    return _parse("DIGITLAB_MAX_SWEEPS", click.IntRange(1), "a whole number of 1 or more", DEFAULT_MAX_SWEEPS)


def max_sweeps_each() -> int:
    """DIGITLAB_MAX_SWEEPS_EACH: sweeps of one owner that may run at the same time. Default: 2."""
    return _parse("DIGITLAB_MAX_SWEEPS_EACH", click.IntRange(1), "a whole number of 1 or more", DEFAULT_MAX_SWEEPS_EACH)


def warm_worker() -> bool:
    """DIGITLAB_WARM: 1 keeps one worker ready with TensorFlow loaded, 0 does not. Default: 1."""
    return _parse("DIGITLAB_WARM", click.Choice(["0", "1"]), "0 or 1", "1") == "1"


def worker_memory_mb() -> int:
    """DIGITLAB_WORKER_MEMORY_MB: memory that one training, or one helper process, may use. Default: half of all."""
    half = psutil.virtual_memory().total >> 21
    return _parse("DIGITLAB_WORKER_MEMORY_MB", click.IntRange(1), "a whole number of 1 or more", half)


def worker_hours() -> float:
    """DIGITLAB_WORKER_HOURS: after this time a training is stopped and its model is kept. Default: 24."""
    expected = "a number above 0, at most 9999"
    return _parse("DIGITLAB_WORKER_HOURS", click.FloatRange(0, 9999, min_open=True), expected, DEFAULT_WORKER_HOURS)


def admin_token() -> str:
    """DIGITLAB_ADMIN_TOKEN: the administrator's password. Default: empty, and nobody is an administrator."""
    return _text("DIGITLAB_ADMIN_TOKEN")


def admins() -> frozenset[str]:
    """DIGITLAB_ADMINS: people who are administrators when they sign in, separated by commas. Default: nobody.

    Each is a verified e-mail address, or the 64 digits that owner.json of the person's runs contains.
    """
    return frozenset(filter(None, (name.strip() for name in _text("DIGITLAB_ADMINS").casefold().split(","))))


def ray_address() -> str:
    """DIGITLAB_RAY_ADDRESS: the Ray dashboard, as `http://HEAD:8265`. Default: empty, runs train on this machine."""
    text = _text("DIGITLAB_RAY_ADDRESS")
    url = text if "://" in text or not text else f"http://{text}"
    if url and not _RAY_ADDRESS.fullmatch(url):
        raise _invalid("DIGITLAB_RAY_ADDRESS", text, "the address of the cluster's dashboard, http://HEAD:8265")
    return url.rstrip("/")


def ray_cpus() -> float:
    """DIGITLAB_RAY_CPUS: cores that a run gets on the cluster. Default: 2."""
    return _parse("DIGITLAB_RAY_CPUS", click.FloatRange(0.1, 9999), "a number from 0.1 to 9999", DEFAULT_RAY_CPUS)


def ray_gpus() -> float | None:
    """DIGITLAB_RAY_GPUS: GPUs that a run gets on the cluster. Default: None, a share where every node has one."""
    return _parse("DIGITLAB_RAY_GPUS", click.FloatRange(0, 9999), "a number from 0 to 9999", None)


def _text(name: str) -> str:
    return os.environ.get(name, "").strip()


def _path(name: str) -> Path | None:
    text = _text(name)
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError:
        user = text.partition("/")[0]
        raise SettingError(f"{name} is {text!r}, but this computer has no user {user}. Give a whole path.") from None


def _parse(name: str, kind: click.ParamType[Any], expected: str, default: T) -> T:
    text = _text(name)
    if not text:
        return default
    try:
        value: T = kind.convert(text, None, None)
    except click.BadParameter:
        raise _invalid(name, text, expected) from None
    if value != value:  # NaN passes click's range check
        raise _invalid(name, text, expected)
    return value


def _invalid(name: str, text: str, expected: str) -> SettingError:
    return SettingError(f"{name} is {text!r}, expected {expected}. Correct or unset it.")
