"""Zips of the small run of tests/compatibility, with one thing changed."""

from __future__ import annotations

import io
import json
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.compatibility.test_older_files import FILES, RUN

ID = "20260101-000000-own-12345678"
DATE = (2026, 11, 26, 0, 0, 0)
"""In every zip, so that the same attack is the same file."""

Files = dict[str, bytes]
Entry = tuple[str | zipfile.ZipInfo, bytes]


def healthy_files() -> Files:
    """The files of a run of two epochs with a small network, as an older version wrote it."""
    kept = ("spec.json", "status.json", "card.json", "metrics.jsonl", "model.keras", "model.tflite", "wall.npz")
    with zipfile.ZipFile(FILES) as archive:
        return {name: archive.read(f"{RUN}/{name}") for name in kept}


def files_without_models() -> Files:
    """Its files that are no models: enough for most attacks."""
    return {name: content for name, content in healthy_files().items() if not name.startswith("model.")}


def zipped(entries: Iterable[Entry], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these entries, however odd their names."""
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", how) as archive:
        warnings.simplefilter("ignore")  # a name that is there twice
        for name, content in entries:
            info = name if isinstance(name, zipfile.ZipInfo) else entry(name)
            if info.compress_type == zipfile.ZIP_STORED:
                info.compress_type = how
            archive.writestr(info, content)
    return packed.getvalue()


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    """An entry whose name is taken as it is."""
    info = zipfile.ZipInfo("x", DATE)
    info.filename = info.orig_filename = name
    info.create_system, info.external_attr = 3, mode << 16
    return info


def run_zip(files: Mapping[str, bytes], run_id: str = ID, more: Iterable[Entry] = ()) -> bytes:
    """The zip of a run, and further entries."""
    return zipped([*((f"{run_id}/{name}", content) for name, content in files.items()), *more])


def with_file(name: str, content: bytes) -> bytes:
    """The healthy run with another file; without its models, unless that is one."""
    files = healthy_files() if name.startswith("model.") else files_without_models()
    return run_zip({**files, name: content})


def with_json(change: Callable[[dict[str, Any]], object], *names: str, models: bool = False) -> bytes:
    """The healthy run with a change of some of its JSON files."""
    files = healthy_files() if models else files_without_models()
    for name in names:
        value = json.loads(files[name])
        change(value)
        files[name] = json.dumps(value).encode()
    return run_zip(files)
