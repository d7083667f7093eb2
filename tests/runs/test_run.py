"""The run directory: what is written is read back, and what crashes, versions and people leave behind is survived."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.config import runs_dir
from mnist_core.errors import ArchitectureError, RunError, RunNotFoundError, SettingError
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs import run as run_module
from mnist_core.runs import status as status_module
from mnist_core.runs import store as store_module
from mnist_core.runs.run import Metrics, Run, write_json
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.status import FINAL_STATES, STATES, Status, stamp_status
from mnist_core.runs.store import create_run, find_run, list_runs
from tests.support import ROOT, wait_until

DEEP = "[" * 100_000


@pytest.fixture
def run() -> Run:
    return create_run(make_spec("fast", {"epochs": 3}, "sample", 7))


def write(run: Run, name: str, content: bytes | str) -> None:
    (run.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def test_runs_dir_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, runs_root: Path) -> None:
    assert runs_dir() == runs_root
    monkeypatch.setenv("DIGITLAB_RUNS", "~/digits")
    assert runs_dir() == Path.home() / "digits"
    for unset in ("", None):
        monkeypatch.setenv("DIGITLAB_RUNS", unset) if unset is not None else monkeypatch.delenv("DIGITLAB_RUNS")
        assert runs_dir() == Path("runs")


# spec.json


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_spec_reads_back_as_written(recipe: str) -> None:
    changes = {"learning_rate": 0.5, "dropout": 0.2, "uncentered": True, "drawings": "none"}
    spec = make_spec(recipe, changes, "/some/mnist.npz", 2**31 - 1)
    assert create_run(spec).spec() == spec


def test_spec_says_what_it_trains(run: Run) -> None:
    value = json.loads((run.path / "spec.json").read_text())
    assert value["schema"] == 1 and value["recipe"] == "fast" and value["overrides"] == {"epochs": 3}
    assert value["data"] == "sample" and value["seed"] == 7 and value["split"] == "test-as-validation"
    assert value["settings"]["epochs"] == 3 and value["settings"]["layers"][-1]["units"] == 10
    assert abs(value["created"] - time.time()) < 60


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("fasst",), SettingError, "no recipe 'fasst'"),
        (("fast", {"epochs": 0}), SettingError, "epochs is 0"),
        (("fast", {"epoch": 1}), SettingError, "no setting 'epoch'"),
        (("fast", {}, "sample", -1), SettingError, "seed is -1, expected a whole number from 0 to 2,147,483,647"),
        (("fast", {}, "sample", 2**31), SettingError, "seed is 2147483648"),
        (("fast", {}, "sample", True), SettingError, "seed is True"),
        (("fast", {}, "sample", 1.0), SettingError, "seed is 1.0"),
    ],
)
def test_make_spec_refuses(arguments: tuple[Any, ...], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make_spec(*arguments)


def broken(change: Any) -> bytes:
    value = make_spec("fast").to_json()
    change(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Expecting value"),
        (b"not JSON", "Expecting value"),
        (b"\xff\xfe\xfd", "decode"),
        (DEEP.encode(), "levels deep"),
        (b"[]", "not a JSON object with 'settings'"),
        (b"{}", "not a JSON object with 'settings'"),
        (b'{"settings": []}', "not a JSON object with 'settings'"),
        (broken(lambda value: value.update(schema=2)), "its schema is 2; this version of Digit Lab reads 1"),
        (broken(lambda value: value.pop("schema")), "its schema is None"),
        (broken(lambda value: value.pop("recipe")), "it lacks 'recipe'"),
        (broken(lambda value: value.pop("seed")), "it lacks 'seed'"),
        (broken(lambda value: value.pop("created")), "it lacks 'created'"),
        (broken(lambda value: value.update(seed="0")), "seed is '0'"),
        (broken(lambda value: value.update(created="yesterday")), "yesterday"),
        (broken(lambda value: value.update(created=None)), "created is None, expected a number"),
        (broken(lambda value: value.update(created=10**400)), "created is 1000"),
        (broken(lambda value: value.update(overrides=[1])), "cannot be read"),
        (broken(lambda value: value["settings"].pop("batch_size")), "batch_size"),
        (broken(lambda value: value["settings"].update(epochs="3")), "epochs is '3'"),
        (broken(lambda value: value["settings"].update(learning_rate=10**400)), "learning_rate is 1000"),
        (broken(lambda value: value["settings"].update(momentous=0.9)), "momentous"),
        (broken(lambda value: value["settings"].update(layers=None)), "Expected a list of layers"),
        (broken(lambda value: value["settings"].update(layers=[])), "1 to 100 layers"),
        (broken(lambda value: value["settings"]["layers"].append({"layer": "Magic"})), "'Magic' is not a layer"),
        (broken(lambda value: value["settings"]["layers"].append({"layer": [1]})), "is not a layer"),
        (broken(lambda value: value["settings"]["layers"].pop()), "does not output probabilities"),
    ],
)
def test_broken_spec_says_which_file_and_why(run: Run, content: bytes, words: str) -> None:
    write(run, "spec.json", content)
    with pytest.raises(RunError, match=words) as error:
        run.spec()
    assert str(run.path / "spec.json") in str(error.value) and "delete the run's folder" in str(error.value)


def test_missing_spec_says_so(run: Run) -> None:
    (run.path / "spec.json").unlink()
    with pytest.raises(RunError, match="is missing"):
        run.spec()


NEW_SETTINGS = (
    "warm_up",
    "decay_factor",
    "decay_epochs",
    "momentum",
    "nesterov",
    "weight_decay",
    "gradient_clipping",
    "loss",
)


@pytest.mark.parametrize("recipe", RECIPES)
def test_spec_from_before_there_were_more_settings_is_read(recipe: str) -> None:
    """What it trained is what their defaults say."""
    spec = make_spec(recipe, {"optimizer": "SGD", "label_smoothing": 0.1})
    stored = spec.to_json()
    for name in NEW_SETTINGS:
        del stored["settings"][name]
    assert RunSpec.from_json(stored) == spec and spec.settings.momentum == 0.9


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_no_value_of_a_setting_gets_past_the_check(value: Any) -> None:
    for name in ("epochs", "layers", "optimizer", "learning_rate", "uncentered"):
        stored = make_spec("fast").to_json()
        stored["settings"][name] = value
        try:
            spec = RunSpec.from_json(stored)
        except RunError:
            continue
        assert getattr(spec.settings, name) == value, "what is accepted is kept"


# status.json


def test_new_run_waits_and_belongs_to_this_process(run: Run) -> None:
    status = run.status()
    assert (status.state, status.pid, status.host, status.epochs) == ("queued", os.getpid(), socket.gethostname(), 3)
    assert not status.final and status.progress == 0 and abs(status.heartbeat - time.time()) < 60


@pytest.mark.parametrize("state", STATES)
def test_a_status_reads_back_as_written(run: Run, state: str) -> None:
    status = stamp_status(Status(state, "so far", 1, 3, 5, 10, 1.5, 0, 99.5, 12.5, 3.25, data="sample"))
    run.write_status(status)
    assert run.status() == status
    assert status.final == (state in FINAL_STATES) and status.progress == 0.5


def test_progress_stays_within_bounds() -> None:
    assert Status(step=30, steps=20).progress == 1 and Status(step=3, steps=0).progress == 0
    assert Status(prepared=0.25).progress == 0.25 and Status(step=5, steps=20, prepared=1.0).progress == 0.25


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every heartbeat is stale."""
    monkeypatch.setattr(status_module, "STALE_SECONDS", -1.0)


@pytest.mark.parametrize("state", [state for state in STATES if state not in FINAL_STATES])
def test_stale_heartbeat_of_a_dead_process_is_an_interruption(run: Run, state: str) -> None:
    left = replace(
        stamp_status(Status(state, "Training.", 2, 3, seconds_left=5.0)), heartbeat=time.time() - 60, pid=dead_pid()
    )
    run.write_status(left)
    found = run.status()
    assert (found.state, found.seconds_left) == ("interrupted", None)
    words = "server ended before its turn" if state == "queued" else "Its process is gone after 2 of 3 epochs."
    assert words in found.message


def test_fresh_heartbeat_of_a_dead_process_may_still_say_how_it_ended(run: Run) -> None:
    run.write_status(replace(stamp_status(Status("running")), pid=dead_pid()))
    assert run.status().state == "running"
    assert run.status(grace=0).state == "interrupted"
    run.write_status(replace(stamp_status(Status("running")), host="elsewhere"))
    assert run.status(grace=0).state == "running", "another machine's processes cannot be looked up"


@pytest.mark.parametrize("state", FINAL_STATES)
def test_what_has_ended_stays_as_it_ended(run: Run, state: str) -> None:
    run.write_status(Status(state, "over", heartbeat=1.0, pid=dead_pid(), host=socket.gethostname()))
    assert run.status().state == state and run.status().message == "over"


def test_a_heartbeat_in_the_future_counts_as_stale(run: Run) -> None:
    """The clock was put back: a dead worker must not seem alive until the clock has caught up."""
    future = replace(stamp_status(Status("running", epochs=3)), heartbeat=time.time() + 3600, pid=dead_pid())
    run.write_status(future)
    assert run.status().state == "interrupted"
    run.write_status(replace(future, host="another"))
    assert run.status().state == "running", "another machine's clock may be ahead"


def test_on_machines_with_other_clocks_a_change_that_was_seen_counts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    an_hour_ago = time.time() - 3600
    run.write_status(replace(stamp_status(Status("running", epochs=3)), heartbeat=an_hour_ago, host="another"))
    status = run.path / "status.json"
    os.utime(status, (an_hour_ago, an_hour_ago))
    assert run.status().state == "interrupted", "nothing has been seen yet"
    os.utime(status, (an_hour_ago + 1, an_hour_ago + 1))
    assert [run.status().state for _ in range(2)] == ["running"] * 2
    monkeypatch.setattr(status_module, "STALE_SECONDS", 0.0)
    assert run.status().state == "interrupted", "it has not changed since"


@pytest.mark.usefixtures("impatient")
def test_stale_heartbeat_of_a_living_process_stays_as_it_was(run: Run) -> None:
    run.write_status(stamp_status(Status("running")))
    assert run.status().state == "running"


@pytest.mark.usefixtures("impatient")
def test_a_later_process_with_the_same_number_is_not_the_worker(run: Run) -> None:
    """Since boots and clocks differ, and for what earlier versions wrote, when only the heartbeat says when it was."""
    status, start = stamp_status(Status("running")), psutil.Process().create_time()
    pid, boot, started = status.process.split(" ")
    run.write_status(status)
    assert run.status().state == "running"
    run.write_status(replace(status, heartbeat=start - 10**7))
    assert run.status().state == "running", "the clock was set"
    for process in (f"{pid} {boot} {float(started) - 5}", f"{pid} another-boot {started}", f"{pid} what", ""):
        run.write_status(replace(status, heartbeat=start - 5, process=process))
        assert run.status().state == "interrupted", process


@pytest.mark.usefixtures("impatient")
def test_another_machine_cannot_be_asked(run: Run) -> None:
    run.write_status(replace(stamp_status(Status("running")), host="elsewhere"))
    assert run.status().state == "interrupted"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no zombies")
@pytest.mark.usefixtures("impatient")
def test_an_ended_process_that_nobody_waited_for_is_gone(run: Run) -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    try:
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, "the end of the process")
        run.write_status(replace(stamp_status(Status("running")), pid=process.pid, heartbeat=time.time() + 1))
        assert run.status(grace=0).state == "interrupted"
    finally:
        process.wait()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", DEEP.encode(), b"\xff", b"{}"])
def test_status_that_was_never_written_is_an_interruption(run: Run, content: bytes | None) -> None:
    (run.path / "status.json").unlink()
    if content is not None:
        write(run, "status.json", content)
    assert run.status().state == "interrupted"


@pytest.mark.parametrize(
    "change",
    [
        {"state": "dancing"},
        {"state": None},
        {"state": ["running"]},
        {"state": {}},
        {"message": 3},
        {"epoch": "1"},
        {"epoch": None},
        {"epoch": 10**15},
        {"epochs": -1},
        {"step": 0.5},
        {"started": 1e300},
        {"message": "x" * 10_001},
        {"steps": [1]},
        {"heartbeat": "now"},
        {"pid": "x"},
        {"pid": None},
        {"host": 5},
        {"seconds_left": "soon"},
        {"images_per_second": {}},
        {"data": None},
    ],
)
def test_status_of_wrong_kinds_is_a_failure_that_says_so(run: Run, change: dict[str, Any]) -> None:
    write(run, "status.json", json.dumps({**asdict(stamp_status(Status("running"))), **change}))
    status, (name,) = run.status(), change
    assert status == Status("failed", status.message)
    assert f"Its status.json cannot be used: {name} is {change[name]!r}"[:200] in status.message


@pytest.mark.parametrize("number", [10**30, float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("name", ["images_per_second", "seconds_left", "train_seconds", "prepared"])
def test_a_number_that_is_only_shown_is_left_out(run: Run, name: str, number: float) -> None:
    write(run, "status.json", json.dumps({**asdict(stamp_status(Status("running"))), name: number}))
    assert run.status().state == "running" and getattr(run.status(), name) == getattr(Status(), name)


@pytest.mark.parametrize("number", [10**30, float("nan"), float("inf"), 10**400])
def test_a_number_that_nothing_can_show_makes_the_status_a_failure_that_names_it(run: Run, number: float) -> None:
    write(run, "status.json", json.dumps({**asdict(stamp_status(Status("running"))), "epoch": number}))
    assert run.status().state == "failed" and "epoch is None, expected a whole number" in run.status().message


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("pid", [1.5, -1, 0, 10**30, 2**31, True, float("nan"), float("inf")])
def test_any_process_id_in_status_json_is_handled(run: Run, pid: float) -> None:
    write(run, "status.json", json.dumps({**asdict(stamp_status(Status("running"))), "pid": pid}))
    assert run.status().state in ("interrupted", "failed", "running")


def test_status_of_a_newer_version_is_read_as_far_as_known(run: Run) -> None:
    write(run, "status.json", json.dumps({**asdict(stamp_status(Status("running"))), "temperature": 40}))
    assert run.status().state == "running"


# metrics.jsonl


def test_reports_read_back_as_written(run: Run) -> None:
    assert run.metrics() == Metrics()
    rows = tuple({"step": step, "loss": 1 / step} for step in range(1, 20))
    for row in rows:
        run.append_metrics(row)
    assert run.metrics().rows == rows and run.metrics().broken == 0
    assert run.metrics().offset == (run.path / "metrics.jsonl").stat().st_size


def test_only_new_reports_are_read(run: Run) -> None:
    run.append_metrics({"step": 1})
    seen = run.metrics()
    run.append_metrics({"step": 2})
    content = (run.path / "metrics.jsonl").read_bytes()
    write(run, "metrics.jsonl", b"#" * seen.offset + content[seen.offset :])  # what was seen is not read again
    assert run.metrics(seen).rows == ({"step": 1}, {"step": 2})
    assert run.metrics(run.metrics(seen)) == run.metrics(seen)


def test_a_line_cut_short_waits_until_it_is_whole(run: Run) -> None:
    write(run, "metrics.jsonl", b'{"step": 1}\n{"step": 2, "lo')
    seen = run.metrics()
    assert (seen.rows, seen.broken) == (({"step": 1},), 0)
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'ss": 0.5}\n')
    assert run.metrics(seen).rows == ({"step": 1}, {"step": 2, "loss": 0.5}) == run.metrics().rows


def test_garbage_lines_are_counted(run: Run) -> None:
    write(run, "metrics.jsonl", b'{"step": 1}\nooops\n[]\n' + DEEP.encode() + b'\n{"step": 2}\n')
    seen = run.metrics()
    assert (seen.rows, seen.broken) == (({"step": 1}, {"step": 2}), 3)
    run.append_metrics({"step": 3})
    assert (len(run.metrics(seen).rows), run.metrics(seen).broken) == (3, 3)


def test_metrics_are_numbers(run: Run) -> None:
    with pytest.raises(ValueError, match="JSON"):
        run.append_metrics({"loss": float("nan")})
    assert run.metrics() == Metrics()


APPENDER = """
import sys
from pathlib import Path
from mnist_core.runs.run import Run
for step in range(1, 301):
    Run(Path(sys.argv[1])).append_metrics({"step": step, "padding": "x" * (step % 50)})
"""


@pytest.mark.slow
def test_a_tail_beside_a_writer_loses_and_repeats_nothing(run: Run) -> None:
    writer = subprocess.Popen([sys.executable, "-c", APPENDER, str(run.path)], cwd=ROOT)
    seen = Metrics()

    def read() -> bool:
        nonlocal seen
        seen = run.metrics(seen)
        return len(seen.rows) >= 300

    try:
        wait_until(read, "300 reports")
    finally:
        assert writer.wait(30) == 0
    assert [row["step"] for row in seen.rows] == list(range(1, 301)) and seen.broken == 0


# control.json and card.json


def test_requests_add_up_in_control_json(run: Run) -> None:
    assert run.control() == {}
    run.update_control(pause=True)
    run.update_control(stop=True, pause=False)
    assert run.control() == {"pause": False, "stop": True}
    write(run, "control.json", b"{oops")
    assert run.control() == {}
    run.update_control(stop=True)
    assert run.control() == {"stop": True}


def test_a_run_has_a_model_once_the_card_is_there(run: Run) -> None:
    assert run.card() == {} and not run.has_model
    run.model.write_bytes(b"model")
    assert not run.has_model, "the card comes last: without it the model may not be whole"
    run.write_card({"test_accuracy": 0.5})
    assert run.has_model and run.card() == {"test_accuracy": 0.5}
    run.model.unlink()
    assert not run.has_model


# the folder of runs


def test_run_ids_are_recognized(run: Run) -> None:
    assert find_run(run.id) == run
    assert run.id.startswith(time.strftime("%Y")) and "-fast-" in run.id


class Untouchable:
    """In the place of the folder of runs: whoever makes a path of it fails the test."""

    def __truediv__(self, name: str) -> Path:
        pytest.fail(f"{name!r} was used as a path")


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        ".",
        "..",
        "../secret",
        "a/../b",
        "/etc/passwd",
        "a\\b",
        "A",
        "Fast",
        "-a",
        "a b",
        "a\n",
        "a\0",
        "é",
        "a.b",
        "~",
        "x" * 81,
        "x" * 200,
        "run_1",
        "%2e%2e",
    ],
)
def test_an_invalid_run_id_never_becomes_a_path(run_id: str) -> None:
    with pytest.raises(
        RunNotFoundError, match="is not a run id: those are lower-case letters, digits and hyphens"
    ) as error:
        find_run(run_id, Untouchable())  # type: ignore[arg-type]
    assert len(str(error.value)) < 300


def test_a_missing_run_is_an_error_with_its_id(run: Run, runs_root: Path) -> None:
    with pytest.raises(RunNotFoundError, match=f"no run 'x{{80}}' in {runs_root}"):
        find_run("x" * 80)
    (runs_root / "file").write_text("")
    with pytest.raises(RunNotFoundError, match="no run 'file'"):
        find_run("file")


def test_list_is_newest_first_and_of_runs_only(runs_root: Path) -> None:
    assert list_runs() == []
    created = [
        replace(make_spec(recipe), created=1.7e9 + day * 86_400)
        for day, recipe in enumerate(("fast", "best", "canvas"))
    ]
    made = [create_run(spec) for spec in created]
    (runs_root / "notes.txt").write_text("mine")
    (runs_root / "Backup").mkdir()
    (runs_root / "no-spec").mkdir()
    assert list_runs() == made[::-1]


def test_runs_of_the_same_second_get_their_own_folders() -> None:
    spec = make_spec("fast")
    assert len({create_run(spec).id for _ in range(20)}) == 20


def test_a_run_is_listed_once_it_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page lists runs all the time: whenever one can be listed, it has to be readable."""
    listed: list[int] = []
    written = write_json

    def spy(path: Path, value: Any, **options: Any) -> None:
        written(path, value, **options)
        listed.append(len(list_runs()))

    for module in (run_module, store_module):
        monkeypatch.setattr(module, "write_json", spy)
    create_run(make_spec("fast"))
    assert listed == [0, 0], "status.json and spec.json"
    assert [run.status().state for run in list_runs()] == ["queued"]


def test_a_run_that_could_not_be_created_leaves_no_folder(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full after the first file."""
    files = []

    def full(path: Path, value: Any, **options: Any) -> None:
        if files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        files.append(path)

    monkeypatch.setattr(run_module, "write_json", full)
    monkeypatch.setattr(store_module, "write_json", full)
    with pytest.raises(RunError, match=f"{re.escape(str(runs_root))} is full"):
        create_run(make_spec("fast"))
    assert not list(runs_root.iterdir())


def test_a_run_that_cannot_be_written_is_an_error_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file.*DIGITLAB_RUNS"):
        create_run(make_spec("fast"), tmp_path / "file")


def test_architecture_errors_reach_the_caller() -> None:
    with pytest.raises(ArchitectureError, match="1 to 100 layers"):
        RunSpec("fast", replace(RECIPES["fast"].settings, layers=()))
