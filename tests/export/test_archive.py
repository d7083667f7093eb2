"""Runs as zips: an exported run is imported unchanged, and a zip of anything else leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_core.config import runs_dir
from mnist_core.errors import RunError
from mnist_core.export import unzip, validate, validate_json
from mnist_core.export.archive import exported_files, pack_run, unpack_run
from mnist_core.export.unzip import ARCHIVE_FILES
from mnist_core.runs.imports import read_import
from mnist_core.runs.labels import run_title
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, find_run
from tests.support import Trained, names_in

Files = dict[str, bytes]


def contents(run: Run) -> Files:
    """Name in the run -> bytes, of all exported files."""
    return {path.relative_to(run.path).as_posix(): path.read_bytes() for path in exported_files(run)}


def zipped(entries: Iterable[tuple[str | zipfile.ZipInfo, bytes]], how: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", how) as archive:
        warnings.simplefilter("ignore")  # a name that is there twice
        for name, content in entries:
            archive.writestr(name, content)
    return packed


def arrived(files: Files, run_id: str = "20260101-000000-fast-1234abcd") -> Run:
    return unpack_run(zipped((f"{run_id}/{name}", content) for name, content in files.items()))


def refused(source: Path | io.BytesIO, words: str, runs_root: Path) -> None:
    """The import raises an error with these words, and leaves nothing behind."""
    with pytest.raises(RunError, match=words):
        unpack_run(source)
    assert names_in(runs_root) == set()


@pytest.fixture
def files(trained: Trained) -> Files:
    return contents(trained.run)


def test_a_run_comes_back_as_it_was(trained: Trained, files: Files) -> None:
    assert {"spec.json", "metrics.jsonl", "model.keras", "model.tflite", "card.json", "log.txt"} < files.keys()
    assert "wall.npz" in files and "checkpoint/state.npz" not in files
    assert sum(name.startswith("events/") for name in files) == 2
    run = unpack_run(io.BytesIO(pack_run(trained.run)))
    assert run.id != trained.run.id and run.id.rsplit("-", 1)[0] == trained.run.id.rsplit("-", 1)[0]
    found, changed = contents(run), {"status.json", "card.json"}
    assert found.keys() == {*files, "label.json"} and run_title(run) == run_title(trained.run)
    assert {name for name in files if found[name] != files[name]} == changed
    assert run.status() == replace(trained.run.status(), pid=0, host="", message="Finished.")
    assert names_in(runs_dir()) == {run.id}
    without_sums = {**trained.run.card(), "data": {**trained.run.card()["data"]}}
    del without_sums["data"]["sha256"]
    assert run.card() == without_sums, "nobody has compared the images"


def test_snapshots_are_neither_exported_nor_imported(trained: Trained, files: Files, runs_root: Path) -> None:
    """They are many times the size of the model, and only to look back on. What brings some is not one of our zips."""
    assert (trained.run.path / "snapshots" / "0002.npz").exists()
    assert not any(name.startswith("snapshots") for name in files)
    assert not (unpack_run(io.BytesIO(pack_run(trained.run))).path / "snapshots").exists()
    shutil.rmtree(runs_root)
    for name in ("snapshots/0002.npz", "model.bin"):
        packed = zipped([("run-1/spec.json", files["spec.json"]), (f"run-1/{name}", b"PK")])
        refused(packed, "not a file of a run", runs_root)


def test_a_zip_can_be_given_by_its_path(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "run.zip").write_bytes(pack_run(trained.run))
    assert unpack_run(tmp_path / "run.zip").spec() == trained.run.spec()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes on this system")
def test_a_pipe_in_the_place_of_the_zip_is_refused_and_not_waited_for(tmp_path: Path, runs_root: Path) -> None:
    os.mkfifo(tmp_path / "run.zip")
    refused(tmp_path / "run.zip", "expected a file", runs_root)


def test_a_run_gets_a_new_id_each_time(trained: Trained) -> None:
    packed = pack_run(trained.run)
    found = [unpack_run(io.BytesIO(packed)).id for _ in range(3)]
    assert len({*found, trained.run.id}) == 4
    assert {run_id.rsplit("-", 1)[0] for run_id in found} == {trained.run.id.rsplit("-", 1)[0]}
    assert all(find_run(run_id).has_model for run_id in found)
    mark = read_import(find_run(found[0]).path)
    assert mark is not None and mark.run == trained.run.id and not mark.measured


@pytest.mark.parametrize("state", ["queued", "running", "paused", "stopping"])
def test_a_run_in_training_is_imported_as_interrupted(state: str) -> None:
    run = create_run(make_spec("fast"))
    run.write_status(stamp_status(Status(state, "Training.", epoch=1, epochs=3)))
    status = unpack_run(io.BytesIO(pack_run(run))).status()
    assert (status.state, status.pid, status.host, status.epoch) == ("interrupted", 0, "", 1)
    assert f"It was {state}" in status.message


def test_other_files_in_the_folder_are_not_exported() -> None:
    run = create_run(make_spec("fast"))
    for name in ("owner.json", ".env", "checkpoint.npz", "events/other/events.out.tfevents.1"):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("{}")
    assert set(contents(run)) == {"spec.json", "status.json"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes on this system")
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_not_exported_and_not_waited_for() -> None:
    run = create_run(make_spec("fast"))
    (run.path / "events/train/events.out.tfevents.1").mkdir(parents=True)
    for name in ("events/train/events.out.tfevents.2", "log.txt"):
        os.mkfifo(run.path / name)
    assert unpack_run(io.BytesIO(pack_run(run))).spec() == run.spec()


def test_entries_of_folders_are_ignored(files: Files) -> None:
    folders = [("run-1/", b""), ("run-1/checkpoint/", b"")]
    run = unpack_run(zipped([*folders, *((f"run-1/{name}", each) for name, each in files.items())]))
    assert run.has_model


def test_folders_of_killed_imports_are_deleted_after_a_day(files: Files, runs_root: Path) -> None:
    for name in (".import-4242-100000001", ".import-4242-100000002"):
        (runs_root / name / "run").mkdir(parents=True)
    os.utime(runs_root / ".import-4242-100000001", (0, 0))
    run = arrived(files)
    assert names_in(runs_root) == {".import-4242-100000002", run.id}


BAD_NAMES = [
    "/etc/cron.d/run",
    "../spec.json",
    "run/../../spec.json",
    "run/../spec.json",
    "C:/run/spec.json",
    "C:spec.json",
    "run\\spec.json",
    "run/checkpoint\\state.npz",
    "\\\\host\\share\\spec.json",
    "spec.json",
    "run//spec.json",
    "run/./spec.json",
    "run/SPEC.JSON",
    "run/spec.json ",
    "run/other.txt",
    "run/model.h5",
    "run/x/spec.json",
    "run/spec.json\0.txt",
    "RUN/card.json",
    ".bin/card.json",
    "-/card.json",
    "run/events/train/../../x",
    "run/events/train/events.out.tfevents.1/x",
    "run/" + "a" * 3000,
    "r" * 81 + "/card.json",
    "run/ѕpec.json",
]


def test_names_that_no_file_of_a_run_has_are_refused(files: Files, runs_root: Path, tmp_path: Path) -> None:
    spec_and_card = {name: files[name] for name in ("spec.json", "card.json")}
    for name in BAD_NAMES:
        info = zipfile.ZipInfo()
        info.filename = info.orig_filename = name
        entries = [(info, b"{}"), *((f"run/{each}", content) for each, content in spec_and_card.items())]
        refused(zipped(entries), "not a file of a run|twice|2 runs", runs_root)
        assert not (tmp_path / "spec.json").exists() and not (tmp_path.parent / "spec.json").exists()


def test_links_and_devices_are_refused(files: Files, runs_root: Path) -> None:
    for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR):
        link = zipfile.ZipInfo("run/log.txt")
        link.create_system, link.external_attr = 3, (kind | 0o777) << 16
        entries = [("run/spec.json", files["spec.json"]), (link, b"/etc/passwd")]
        refused(zipped(entries), "not a file of a run", runs_root)


def test_duplicate_files_several_runs_and_no_run_are_refused(files: Files, runs_root: Path) -> None:
    spec = ("run/spec.json", files["spec.json"])
    refused(zipped([spec, spec]), "spec.json twice", runs_root)
    refused(zipped([spec, ("other/card.json", b"{}")]), "2 runs", runs_root)
    refused(zipped([("run/card.json", b"{}")]), "with its spec.json", runs_root)
    refused(zipped([]), "0 runs", runs_root)


def test_a_file_that_is_too_large_is_refused(files: Files, runs_root: Path) -> None:
    files["log.txt"] = b"\0" * (ARCHIVE_FILES["log.txt"] + 1)  # sixteen megabytes in sixteen kilobytes
    refused(zipped((f"run/{name}", each) for name, each in files.items()), "log.txt", runs_root)


def test_all_files_together_are_bounded(files: Files, runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "MAX_BYTES", sum(map(len, files.values())) - 1)
    refused(zipped((f"run/{name}", each) for name, each in files.items()), "for all files", runs_root)
    monkeypatch.setattr(unzip, "MAX_BYTES", sum(map(len, files.values())))
    assert arrived(files).has_model


def test_a_wrong_size_in_the_header_is_refused(files: Files, runs_root: Path) -> None:
    files["log.txt"] = b"\0" * 10_000_000
    packed = bytearray(zipped((f"run/{name}", each) for name, each in files.items()).getvalue())
    true, claimed = (10_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert packed.count(true) == 2
    refused(io.BytesIO(bytes(packed).replace(true, claimed)), "zip is damaged", runs_root)


def test_many_files_are_refused_before_they_are_listed(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = zipped((f"run/{number}", b"") for number in range(65))
    refused(many, "65 files", runs_root)
    flood = zipped((f"run/{number}", b"") for number in range(2000))
    monkeypatch.setattr(zipfile, "ZipFile", None)  # it is not even asked
    refused(flood, "64", runs_root)


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(files: Files, runs_root: Path, how: int) -> None:
    refused(zipped([("run/spec.json", files["spec.json"])], how), "not a file of a run", runs_root)


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 100, b"PK\x05\x06" + b"\0" * 17])
def test_files_that_are_not_zips_are_refused(runs_root: Path, content: bytes) -> None:
    refused(io.BytesIO(content), "not a zip of a run", runs_root)


def npz(**arrays: Any) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def spec(change: Callable[[dict[str, Any]], object]) -> Callable[[Files], bytes]:
    def changed(files: Files) -> bytes:
        value = json.loads(files["spec.json"])
        change(value)
        return json.dumps(value).encode()

    return changed


def changed_keras(change: Callable[[dict[str, Any]], object], **others: bytes) -> Callable[[Files], bytes]:
    def changed(files: Files) -> bytes:
        with zipfile.ZipFile(io.BytesIO(files["model.keras"])) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"])
        change(config)
        return zipped({**members, **others, "config.json": json.dumps(config).encode()}.items()).getvalue()

    return changed


LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "registered_name": None,
    "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
}


class OpensFileWhenUnpickled:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (open, ("pickled-was-here", "w"))


INVALID_FILES: dict[str, tuple[str, Callable[[Files], bytes]]] = {
    "spec-nonsense": ("spec.json", lambda _: b"\xff\xfe"),
    "spec-newer": ("spec.json", spec(lambda value: value.update(schema=2))),
    "spec-recipe-path": ("spec.json", spec(lambda value: value.update(recipe="../../x"))),
    "spec-long": ("spec.json", spec(lambda value: value.update(data="x" * 10_000))),
    "spec-nan": ("spec.json", spec(lambda value: value.update(created=float("nan")))),
    "spec-override": ("spec.json", spec(lambda value: value.update(overrides={"<b>": 1}))),
    "spec-huge-network": (
        "spec.json",
        spec(
            lambda value: value["settings"]["layers"].insert(2, {"layer": "Conv2D", "filters": 10**9, "kernel_size": 3})
        ),
    ),
    "spec-deep": ("spec.json", lambda _: b"[" * 100_000),
    "status-list": ("status.json", lambda _: b"[1]"),
    "status-infinity": ("status.json", lambda _: b'{"heartbeat": 1e999}'),
    "metrics-text": ("metrics.jsonl", lambda files: files["metrics.jsonl"] + b'{"step": "<script>"}\n'),
    "metrics-nan": ("metrics.jsonl", lambda files: files["metrics.jsonl"] + b'{"step": 1, "loss": NaN}\n'),
    "metrics-changed": ("metrics.jsonl", lambda files: b'{"step": 1, "changed": {"learning_rate": "x"}}\n'),
    "metrics-stepless": ("metrics.jsonl", lambda _: b'{"loss": 1}\n'),
    "metrics-estimate": ("metrics.jsonl", lambda _: b'{"step": 1, "estimated_val_accuracy": 1.5}\n'),
    "metrics-broken": ("metrics.jsonl", lambda _: b"no json\n"),
    "card-of-another": ("card.json", lambda files: files["card.json"].replace(b'size": 256', b'size": 25')),
    "card-accuracy": ("card.json", lambda files: files["card.json"].replace(b'"test_accuracy"', b'"test_acc"')),
    "card-taught": ("card.json", lambda files: files["card.json"].replace(b'"taught": {}', b'"taught": "x"')),
    "card-deep": (
        "card.json",
        lambda files: files["card.json"].replace(b'"seed"', b'"deep": ' + b"[" * 900 + b"]" * 900 + b', "seed"'),
    ),
    "keras-lambda": ("model.keras", changed_keras(lambda value: value["config"]["layers"].append(LAMBDA))),
    "keras-other-module": ("model.keras", changed_keras(lambda value: value.update(module="os"))),
    "keras-registered": ("model.keras", changed_keras(lambda value: value.update(registered_name="x>y"))),
    "keras-classless": ("model.keras", changed_keras(lambda value: value.pop("class_name"))),
    "keras-more-files": ("model.keras", changed_keras(lambda _: None, **{"assets/x.py": b""})),
    "keras-no-zip": ("model.keras", lambda _: b"\x89HDF"),
    "wall-pickle": ("wall.npz", lambda _: npz(place=np.array([OpensFileWhenUnpickled()], object))),
    "wall-raw-pickle": ("wall.npz", lambda _: raw_pickle()),
    "wall-lies": ("wall.npz", lambda _: npz(place=np.zeros(9)).replace(b"(9,)", b"(8,)")),
    "wall-twice": ("wall.npz", lambda _: zipped([("a.npy", npy())] * 2).getvalue()),
    "wall-unclosed-header": ("wall.npz", lambda _: zipped([("a.npy", npy().replace(b"}", b" "))]).getvalue()),
    "wall-bomb": ("wall.npz", lambda _: zipped([("images.npy", npy(2_000_000))]).getvalue()),
    "tflite-nonsense": ("model.tflite", lambda _: b"no model"),
    "tflite-cut": ("model.tflite", lambda files: files["model.tflite"][:5000]),
    "tflite-flipped": ("model.tflite", lambda files: files["model.tflite"][:8] + b"\xff" * 5000),
}


def raw_pickle() -> bytes:
    return zipped([("place.npy", pickle.dumps(OpensFileWhenUnpickled()))]).getvalue()


def npy(length: int = 9) -> bytes:
    packed = io.BytesIO()
    np.save(packed, np.zeros(length, np.uint8))
    return packed.getvalue()


@pytest.mark.parametrize("which", list(INVALID_FILES))
def test_an_invalid_file_is_refused_by_its_name(
    files: Files, runs_root: Path, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, make_invalid = INVALID_FILES[which]
    invalid = {**files, name: make_invalid(files)}
    assert invalid[name] != files[name]
    refused(zipped((f"run/{each}", content) for each, content in invalid.items()), f"run's {name}", runs_root)
    assert not (tmp_path / "pickled-was-here").exists()


def test_reports_are_counted_and_measured_before_they_are_parsed(
    files: Files, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D3: 2.7 million lines took 14 seconds and 0.8 GB in every session that looked at the run."""
    count = files["metrics.jsonl"].count(b"\n")
    spec_and_reports = {name: files[name] for name in ("spec.json", "metrics.jsonl")}
    monkeypatch.setattr(validate_json, "MAX_REPORTS", count)
    assert len(arrived(spec_and_reports).metrics().rows) == count
    monkeypatch.setattr(validate_json, "MAX_REPORTS", count - 1)
    with pytest.raises(RunError, match=f"more than {count - 1} lines"):
        arrived(spec_and_reports)


def test_all_files_but_the_spec_are_optional(files: Files) -> None:
    """All but spec.json may be missing: a run that has just begun has little else."""
    for name in files.keys() - {"spec.json", "model.tflite"}:
        run = arrived({other: each for other, each in files.items() if other not in (name, "model.tflite")})
        assert run.status().final and not (run.path / name).exists() or name == "status.json"


@pytest.fixture(scope="module")
def packed(trained: Trained) -> bytes:
    """Without the models: a trial takes a second."""
    names = [name for name in contents(trained.run) if not name.startswith("model.")]
    return zipped((f"run/{name}", contents(trained.run)[name]) for name in names).getvalue()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_zips_only_raise_an_error(packed: bytes, runs_root: Path, data: st.DataObject) -> None:
    """Bytes changed anywhere, most of all in the headers; cut off; doubled."""
    content = bytearray(packed)
    ends = st.integers(max(0, len(content) - 1500), len(content) - 1)
    anywhere = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(ends | anywhere, st.integers(0, 255)), min_size=1, max_size=8)):
        content[place] = value
    cut = data.draw(st.none() | anywhere)
    before = names_in(runs_root)
    try:
        run = unpack_run(io.BytesIO(bytes(content[:cut])))
    except RunError as error:
        assert len(str(error)) < 1000
        assert names_in(runs_root) == before
    else:
        assert run.path.parent == runs_root and run.status().final and run.spec()
        assert names_in(runs_root) == before | {run.id}


def test_a_runs_folder_that_cannot_be_written_is_an_error(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="set DIGITLAB_RUNS"):
        unpack_run(zipped([("run/spec.json", files["spec.json"])]), tmp_path / "file")


def test_every_exported_file_but_the_log_is_checked() -> None:
    assert set(ARCHIVE_FILES) - set(validate.CHECKS) == {"log.txt"}  # text, shown as such
