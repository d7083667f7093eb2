"""What one person may store on a server: networks, drawings, runs, uploads. Others are not affected."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from mnist_core import config, owners
from mnist_core.config import runs_dir
from mnist_core.drawing.uploads import MAX_SIDE, decode_upload
from mnist_core.errors import DrawingError, RunError, SettingError
from mnist_core.handwriting.corrections import list_corrections, save_correction
from mnist_core.jobs.lifecycle import prepare_resume
from mnist_core.jobs.local import LocalBackend
from mnist_core.networks.layers import Dense, Flatten
from mnist_core.networks.library import list_networks, rename_network, save_network
from mnist_core.owners import Visitor
from mnist_core.runs import disk_space
from mnist_core.runs.disk_space import check_room, deletable_runs, measure_usage
from mnist_core.runs.labels import update_label
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run, list_runs
from mnist_core.runs.trash import move_to_trash, trashed_runs
from mnist_core.sweeps.launch import resume_sweep
from mnist_core.sweeps.plan import make_plan
from mnist_core.sweeps.store import create_sweep, trial_mark
from mnist_core.sweeps.trial_runs import TrialRuns
from pages.ui.shared import upload_limits
from pages.ui.shared.upload_limits import BoundedFileManager
from tests.cli.calling import call_error

MINE, OTHER = Visitor("a" * 43), Visitor("b" * 43)
LAYERS = (Flatten(), Dense(10, "softmax"))
DIGIT = np.zeros((28, 28), np.uint8)


def save_a_network(owner: str = MINE.owner) -> None:
    save_network("a net", LAYERS, owner=owner)


def keep_a_drawing(owner: str = MINE.owner) -> None:
    save_correction(DIGIT, 7, 1, owner=owner)


def stored() -> int:
    return len(list_networks()) + len(list_corrections())


CASES = [
    (save_a_network, "DIGITLAB_MAX_NETWORKS_EACH", SettingError),
    (keep_a_drawing, "DIGITLAB_MAX_DRAWINGS_EACH", DrawingError),
]


@pytest.mark.parametrize(("store", "setting", "error"), CASES)
def test_one_person_cannot_use_up_what_all_may_store(
    store: Callable[..., None], setting: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, "2")
    store()
    store()
    with pytest.raises(error, match=r"2 .*limit"):
        store()
    store(OTHER.owner)
    for _ in range(3):
        store(owners.NOBODY)  # the command line
    assert stored() == 6


@pytest.mark.parametrize(("store", "setting", "error"), CASES)
def test_tabs_that_store_at_once_do_not_exceed_the_limit(
    store: Callable[..., None], setting: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, "3")
    together, refused = threading.Barrier(8), []

    def store_one() -> None:
        together.wait()
        try:
            store()
        except error as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=store_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored() == 3 and len(refused) == 5


def test_by_default_a_person_may_store_50_networks_and_200_drawings() -> None:
    assert (config.max_networks_each(), config.max_drawings_each()) == (50, 200)
    assert (config.runs_mb_each(), config.runs_mb()) == (5_000, 50_000)


def test_a_network_is_overwritten_and_renamed_although_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_MAX_NETWORKS_EACH", "1")
    save_a_network()
    [network] = list_networks()
    save_network("other", LAYERS, owner=MINE.owner, replace_id=network.id)
    rename_network(network.id, "third")
    assert [each.name for each in list_networks()] == ["third"]


def make_run(owner: str, state: str = "finished", megabytes: float = 1) -> Run:
    """A run that takes some space."""
    run = create_run(make_spec("fast"), None, owner)
    (run.path / "log.txt").write_bytes(os.urandom(int(1_000_000 * megabytes)))
    write_stamped_status(run, Status(state))
    return run


def ids(measured: list[disk_space.Measured]) -> set[str]:
    return {each.path.name for each in measured}


def test_disk_space_is_counted_for_each_person_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in (MINE.owner, MINE.owner, OTHER.owner, owners.NOBODY):
        make_run(owner)
    usage = measure_usage()
    assert usage.of(MINE.owner) == pytest.approx(2e6, rel=0.05) and usage.total == pytest.approx(4e6, rel=0.05)
    monkeypatch.setenv("DIGITLAB_RUNS_MB_EACH", "2")
    with pytest.raises(RunError, match=r"2 MB.*2 MB.*Runs page"):
        check_room(MINE.owner)
    check_room(OTHER.owner)
    check_room(owners.NOBODY)
    monkeypatch.setenv("DIGITLAB_RUNS_MB", "4")
    for owner in (OTHER.owner, owners.NOBODY):
        with pytest.raises(RunError, match="DIGITLAB_RUNS_MB"):
            check_room(owner)


def test_without_room_nothing_is_resumed_and_a_running_sweep_starts_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had a run or a sweep could otherwise go on for ever."""
    mine, other = make_run(MINE.owner, "interrupted"), make_run(OTHER.owner, "interrupted", megabytes=0.01)
    sweep = create_sweep(make_plan("fast", ["learning_rate=0.01,0.1"], trials=2, data="sample"), owner=MINE.owner)
    sweep.files.write_status(Status("stopped"))
    trials = TrialRuns(LocalBackend(warm=False), runs_dir(), MINE.owner)
    monkeypatch.setenv("DIGITLAB_RUNS_MB_EACH", "1")
    starts: list[Callable[[], object]] = [
        lambda: prepare_resume(mine),
        lambda: resume_sweep(sweep),
        lambda: trials.start(make_spec("fast"), trial_mark(sweep, 0)),
    ]
    for start in starts:
        with pytest.raises(RunError, match=r"1 MB.*Runs page"):
            start()
    assert (mine.recorded_state, sweep.status().state, len(list_runs())) == ("interrupted", "stopped", 2)
    prepare_resume(other)


@pytest.mark.parametrize("command", ["train", "rate", "reproduce"])
def test_without_room_the_command_line_trains_nothing(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_run(owners.NOBODY)
    monkeypatch.setenv("DIGITLAB_RUNS_MB", "1")
    assert "DIGITLAB_RUNS_MB" in call_error(command, "--data", "sample")
    assert [run.id for run in list_runs()] == [made.id]


def test_the_owners_own_trash_makes_room_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = [make_run(MINE.owner) for _ in range(3)], make_run(OTHER.owner)
    for run in (*mine[:2], other):
        move_to_trash(run)
    monkeypatch.setenv("DIGITLAB_RUNS_MB_EACH", "3")
    check_room(MINE.owner)
    assert len(trashed_runs()) == 2, "the oldest of mine is gone: there is room for another run"
    assert other.id in trashed_runs() and mine[2].path.exists()
    monkeypatch.setenv("DIGITLAB_RUNS_MB", "1")
    with pytest.raises(RunError):
        check_room(MINE.owner)
    assert len(trashed_runs()) == 2, "nothing is deleted where that would not help"


def test_the_oldest_ended_runs_without_a_star_are_offered() -> None:
    old, starred, running, other, new = (
        make_run(MINE.owner),
        make_run(MINE.owner),
        make_run(MINE.owner, "queued"),
        make_run(OTHER.owner),
        make_run(MINE.owner),
    )
    for number, run in enumerate((old, starred, running, other, new)):
        run.path.rename(run.path.with_name(f"2026010{number + 1}{run.id[8:]}"))
    named = {run.id[:8]: run for run in list_runs()}
    update_label(named["20260102"], starred=True)
    usage = measure_usage()
    offered = deletable_runs(usage, MINE.owner, 1)
    assert ids(offered) == {named["20260101"].id}
    assert ids(deletable_runs(usage, MINE.owner, 10**9)) == {named["20260101"].id, named["20260105"].id}
    everybodys = {named[f"2026010{number}"].id for number in (1, 4, 5)}
    assert ids(deletable_runs(usage, None, 10**9)) == everybodys
    assert len(list_runs()) == 5, "offered, not deleted"


def test_runs_that_have_not_changed_are_not_walked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(MINE.owner, megabytes=0.01) for _ in range(3)]
    measure_usage()
    walked: list[Path] = []
    measure = disk_space.disk_bytes
    monkeypatch.setattr(disk_space, "disk_bytes", lambda folder: walked.append(folder) or measure(folder))
    measure_usage()
    assert walked == []
    write_stamped_status(runs[1], Status("stopped"))
    measure_usage()
    assert walked == [runs[1].path]


def uploaded(name: str, size: int = 1000) -> UploadedFileRec:
    return UploadedFileRec(file_id=name, name=f"{name}.png", type="image/png", data=bytes(size))


def test_a_session_holds_few_uploads_and_all_together_a_bounded_number_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = BoundedFileManager("/upload")
    for number in range(40):
        store.add_file("mine", uploaded(str(number)))
    assert [file.file_id for file in store.get_files("mine", list(map(str, range(40))))] == ["37", "38", "39"]
    monkeypatch.setattr(upload_limits, "BYTES_IN_ALL", 10_000)
    store.add_file("other", uploaded("a", 7000))
    with pytest.raises(HTTPException) as refused:
        store.add_file("third", uploaded("a"))
    assert refused.value.status_code == 503
    store.remove_session_files("other")
    store.add_file("third", uploaded("a"))


def test_a_large_picture_is_kept_small() -> None:
    content = io.BytesIO()
    Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (3000, 20))).save(content, "PNG", compress_level=1)
    pixels = decode_upload(content.getvalue())
    assert max(pixels.shape) == MAX_SIDE and pixels.shape == (1200, 2048)
    assert pixels.mean() == pytest.approx(127.5, abs=1), "of the same brightness"
