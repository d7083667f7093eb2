"""The worker on the offline sample, in a process of its own and in this one: its files, its status, its failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core import worker
from mnist_core.data.mnist import SAMPLE, load_mnist
from mnist_core.data.splits import Split, split_mnist, uncenter_split
from mnist_core.drawing.strokes import PenDigit
from mnist_core.errors import DownloadError, ModelError
from mnist_core.export.archive import unpack_run
from mnist_core.export.formats import write_export
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.handwriting import mixture
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS
from mnist_core.models.classifier import Classifier
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.runs import heartbeat
from mnist_core.runs.run import BEST_MODEL, SWEEPS_FOLDER, TEST_SCORES, Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.store import create_run
from mnist_core.sweeps import final_test
from mnist_core.training import dataset, finish, inbox, loop, trainer
from mnist_core.training.loop import Report
from mnist_core.training.trainer import Trainer
from tests.support import ROOT, Trained, environment, wait_until

SMALL = (Rescaling(1 / 255), Flatten(), Dense(32, "relu"), Dense(10, "softmax"))


def start(run: Run, **changes: str) -> subprocess.Popen[bytes]:
    with run.log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "mnist_core.worker", str(run.path)],
            cwd=ROOT,
            env=environment(run.path.parent, **changes),
            stdout=output,
            stderr=output,
        )


def work(run: Run, **changes: str) -> int:
    """Trains the run to its end: the exit status."""
    process = start(run, **changes)
    try:
        return process.wait(180)
    finally:
        process.kill()
        process.wait()


def left(run: Run) -> set[str]:
    return {path.name for path in run.path.iterdir()}


BEFORE = {"spec.json", "status.json", "log.txt"}
BEGUN = BEFORE | {"wall.npz", "events", "snapshots"}
AFTER = BEGUN | {"checkpoint", "metrics.jsonl", "card.json", "model.keras", "model.bin", "model.tflite"}


# a finished run


def test_finished_run_has_all_its_files_and_no_others(trained: Trained) -> None:
    assert left(trained.run) == AFTER
    assert trained.run.has_model


def test_status_of_a_finished_run(trained: Trained) -> None:
    status, card = trained.run.status(), trained.run.card()
    assert (status.state, status.epoch, status.epochs, status.step, status.steps) == ("finished", 2, 2, 32, 32)
    assert status.message == f"Finished: {card['test_accuracy']:.2%} of the test images are right."
    assert status.final and status.progress == 1 and status.seconds_left is None
    assert status.data == SAMPLE
    assert 0 < status.train_seconds < status.heartbeat - status.started + 1
    assert status.images_per_second > 0


def test_reports_are_in_order(trained: Trained) -> None:
    seen = trained.run.metrics()
    rows, steps = seen.rows, [row["step"] for row in seen.rows]
    assert seen.broken == 0 and steps == sorted(set(steps)) and steps[-1] == 32
    assert [row["elapsed"] for row in rows] == sorted(row["elapsed"] for row in rows)
    assert sum(row["images"] for row in rows) == 8_000
    assert [row["step"] for row in rows if "val_loss" in row] == [16, 32]
    assert all(("val_loss" in row) == ("val_accuracy" in row) for row in rows)
    assert rows[0]["loss"] > rows[-1]["loss"] and rows[-1]["accuracy"] > 0.7


def test_card_has_all_keys(trained: Trained) -> None:
    card = trained.run.card()
    assert {
        "schema",
        "recipe",
        "overrides",
        "data",
        "split",
        "seed",
        "created",
        "settings",
        "parameters",
        "input_size",
        "epochs_trained",
        "test_accuracy",
        "test_loss",
        "test",
        "train_seconds",
        "images_per_second",
        "litert",
        "versions",
        "date",
        "pen",
        "base",
        "taught",
        "changed_while_training",
        "val_accuracy",
        "val_loss",
    } == set(card)
    assert (card["recipe"], card["overrides"], card["seed"], card["epochs_trained"]) == ("fast", {"epochs": 2}, 1, 2)
    assert (card["parameters"], card["input_size"]) == (107_482, 28)
    assert (card["data"]["asked"], card["data"]["name"]) == ("sample", "sample") and len(card["data"]["sha256"]) == 4
    assert np.array(card["test"]["confusion"]).shape == (10, 10) and np.sum(card["test"]["confusion"]) == 1000
    assert card["litert"]["max_difference"] < 1e-4 and card["litert"]["agreement"] == 1
    assert set(card["versions"]) == {"python", "tensorflow", "keras", "ai-edge-litert", "numpy"}


def test_accuracy_and_loss_in_the_card_are_those_of_the_converted_model(trained: Trained, sample: Any) -> None:
    """The converted model, from its file, on the test digits: the accuracy and loss of the card."""
    card, classifier = trained.run.card(), Classifier(trained.run.model)
    probabilities = classifier.probabilities(sample.x_test)
    assert card["test_accuracy"] > 0.85
    assert card["test_accuracy"] == (probabilities.argmax(1) == sample.y_test).mean()
    loss = -np.log(probabilities[np.arange(1000), sample.y_test].astype(float)).mean()
    assert card["test_loss"] == pytest.approx(loss, rel=1e-4)
    assert trained.run.metrics().rows[-1]["val_accuracy"] == card["test_accuracy"], (
        "this recipe validates on the test images"
    )


def test_keras_file_and_converted_model_agree(keras: Any, trained: Trained, sample: Any) -> None:
    model = keras.models.load_model(trained.run.path / "model.keras")
    images = sample.x_test[:100]
    expected = model.predict(images[..., None].astype(np.float32), verbose=0)
    np.testing.assert_allclose(Classifier(trained.run.model).probabilities(images), expected, atol=1e-4)


# runs that end before their time


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
def test_sigterm_stops_it_and_keeps_the_model() -> None:
    run = create_run(make_spec("fast", {"epochs": 1000}, "sample"))
    process = start(run)
    try:
        wait_until(lambda: len(run.metrics().rows) >= 3, "three reports", 120)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()
    status = run.status()
    assert status.state == "stopped" and status.message.startswith(f"Stopped in epoch {status.epoch + 1}: ")
    assert left(run) | {"checkpoint"} == AFTER and Classifier(run.model).input_size == 28
    assert 0 < status.step < status.steps == 16_000


@pytest.mark.usefixtures("keras", "signals")
def test_a_stop_before_the_first_batch_leaves_no_model() -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    run.update_control(stop=True)
    assert worker.main([str(run.path)]) == 0
    assert (run.status().state, run.status().step) == ("stopped", 0)
    assert run.status().message == "Stopped before the first batch: there is no model."
    assert left(run) == BEGUN - {"log.txt", "events"} | {"control.json"}


@pytest.mark.usefixtures("keras", "signals")
def test_a_diverging_training_fails_and_names_the_learning_rate(caplog: pytest.LogCaptureFixture) -> None:
    run = create_run(make_spec("singh-mlp", {"optimizer": "SGD", "learning_rate": 10.0}, "sample"))
    assert worker.main([str(run.path)]) == 1
    status = run.status()
    assert status.state == "failed" and "learning rate (it was 10" in status.message and "nan at step" in status.message
    assert not run.has_model and left(run) <= BEGUN | {"metrics.jsonl"}
    assert status.message in caplog.text


@pytest.mark.slow
def test_a_broken_spec_fails_and_names_the_file() -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    (run.path / "spec.json").write_text("{")
    assert work(run) == 1
    assert run.status().state == "failed" and f"{run.path / 'spec.json'} cannot be read" in run.status().message


@pytest.mark.slow
@pytest.mark.parametrize("how", ["named", "configured"])
def test_unusable_data_fails_and_names_the_file(tmp_path: Path, how: str) -> None:
    wrong = tmp_path / "wrong.npz"
    wrong.write_text("no archive")
    run = create_run(make_spec("fast", {}, str(wrong) if how == "named" else "full"))
    assert work(run, **({"DIGITLAB_MNIST": str(wrong)} if how == "configured" else {})) == 1
    message = run.status().message
    assert run.status().state == "failed" and f"{wrong} " in message and "cannot be used as MNIST" in message
    assert ("DIGITLAB_MNIST" in message) == (how == "configured")
    assert "Traceback" not in run.log.read_text()


def test_a_batch_larger_than_the_sample_is_refused_before_tensorflow_starts() -> None:
    run = create_run(make_spec("fast", {"batch_size": 5000}, "sample"))
    assert work(run) == 1
    assert "batch_size is 5,000, but there are only 4,000 training images" in run.status().message
    assert "oneDNN" not in run.log.read_text()


def test_wrong_usage_prints_the_usage() -> None:
    command = [sys.executable, "-m", "mnist_core.worker"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("Usage: ")


# in this process, which has TensorFlow already


@pytest.mark.slow
@pytest.mark.usefixtures("keras", "signals")
def test_averaged_weights_are_tested_and_saved(sample: Any) -> None:
    """Card, LiteRT file and Keras file agree with each other: all have the average and not the last weights."""
    settings = Settings(SMALL, 500, 3, learning_rate=0.01, uncentered=True, split="half-test", weight_averaging=0.9)
    run = create_run(RunSpec("lesson08-uncentered-mlp", settings, "sample"))
    assert worker.main([str(run.path)]) == 0, run.status().message
    parts = uncenter_split(split_mnist(sample, "half-test"))
    found = Classifier(run.model).probabilities(parts.x_test)
    card = run.card()
    assert (card["input_size"], np.sum(card["test"]["confusion"])) == (56, 500)
    assert card["test_accuracy"] == pytest.approx((found.argmax(1) == parts.y_test).mean(), abs=0.003)
    last = run.metrics().rows[-1]
    validated = Classifier(run.model).probabilities(parts.x_validation)
    assert last["val_accuracy"] == pytest.approx((validated.argmax(1) == parts.y_validation).mean(), abs=0.003)
    assert last["val_loss"] == pytest.approx(
        -np.log(np.maximum(validated[np.arange(500), parts.y_validation], 1e-7)).mean(), rel=0.01
    )


@pytest.mark.usefixtures("keras", "signals")
def test_no_trial_of_a_sweep_sees_the_test_images_and_the_best_retrained_model_sees_them_once(
    sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []
    predict = finish.predict
    monkeypatch.setattr(finish, "predict", lambda model, images: scored.append(len(images)) or predict(model, images))
    mark = {"sweep": "20260101-000000-12345678", "trial": 0, "part": "1"}
    run = create_run(RunSpec("fast", Settings(SMALL, 500, 1), "sample"), mark=mark)
    assert worker.main([str(run.path)]) == 0, run.status().message
    card, last = read_json(run.path / "card.json"), run.metrics().rows[-1]
    assert not any("wall" in row for row in run.metrics().rows), "no test digit is classified while it trains"
    assert not set(TEST_SCORES) & set(card) and scored == [len(sample.y_train) // 6 + 1], "only the validation images"
    assert card["val_accuracy"] == pytest.approx(last["val_accuracy"]) and "validation images" in run.status().message
    unpacked = unpack_run(write_export(run, "zip", run.path.parent / "run.zip", False)[0])
    assert unpacked.card()["val_accuracy"] == card["val_accuracy"], "it can be exported and imported"

    best = run.path.parent / SWEEPS_FOLDER / mark["sweep"] / BEST_MODEL
    best.parent.mkdir(parents=True)
    write_json(best, {"run": run.id})
    tested = final_test.score_on_test_images(run)
    found = Classifier(run.model).probabilities(sample.x_test).argmax(1)
    assert tested["test_accuracy"] == pytest.approx((found == sample.y_test).mean()) and run.card() == tested
    run.model.unlink()
    assert final_test.score_on_test_images(run) == tested, "not a second time"


@pytest.mark.usefixtures("keras", "signals")
def test_a_converted_model_that_disagrees_is_not_saved(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finish, "MAX_DIFFERENCE", -1.0)
    run = create_run(RunSpec("fast", Settings(SMALL, 500, 1), "sample"))
    assert worker.main([str(run.path)]) == 1
    assert run.status().state == "failed" and "-1 is allowed" in run.status().message
    assert not run.has_model and (run.path / "model.keras").is_file()
    assert left(run) == AFTER - {"log.txt", "card.json", "model.tflite"}


def pen_digits(writers: int, each: int) -> tuple[PenDigit, ...]:
    """Digits of invented hands under the names of people."""
    generator = np.random.default_rng(0)
    return tuple(replace(generate_digit(generator), writer=f"w{number % writers}") for number in range(writers * each))


@pytest.mark.usefixtures("keras", "signals")
@pytest.mark.parametrize(("outputs", "drawn"), [(10, 100), (11, 120)])
def test_pen_digits_are_split_by_writer_between_training_and_measuring(
    monkeypatch: pytest.MonkeyPatch, outputs: int, drawn: int
) -> None:
    """A network without an eleventh output gets nothing that is no digit."""
    monkeypatch.setitem(mixture.MIXTURES, "some", mixture.Mixture(60, 40, 20))
    monkeypatch.setattr(dataset, "load_pen_digits", lambda *_: pen_digits(8, 3))
    layers = (*SMALL[:-1], Dense(outputs, "softmax"))
    run = create_run(RunSpec("fast", Settings(layers, 500, 1, drawings="some", split="test-as-validation"), "sample"))
    assert worker.main([str(run.path)]) == 0, run.status().message
    assert sum(row["images"] for row in run.metrics().rows) == 4_000 + drawn
    assert run.status().data == f"{SAMPLE}; {drawn} drawings from 2 writers and digit forms"
    found = run.card()["pen"]
    assert len(found["trained_on_writers"]) == 2 and len(found["measured_on_writers"]) == 6
    assert not set(found["trained_on_writers"]) & set(found["measured_on_writers"])
    assert found["measured_on_digits"] == 18 and list(found["accuracy"]) == list(DRAWING_CONDITIONS)
    predicted = Classifier(run.model).probabilities(load_mnist("sample").x_test)
    assert predicted.shape == (1000, outputs)
    assert np.sum(run.card()["test"]["confusion"]) == (predicted.argmax(1) <= 9).sum()


@pytest.mark.usefixtures("keras", "signals")
def test_without_pen_digits_it_trains_on_digit_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any) -> Any:
        raise DownloadError("no network")

    monkeypatch.setitem(mixture.MIXTURES, "some", mixture.Mixture(60, 40, 20))
    monkeypatch.setattr(dataset, "load_pen_digits", nowhere)
    run = create_run(RunSpec("fast", Settings(SMALL, 500, 1, drawings="some"), "sample"))
    assert worker.main([str(run.path)]) == 0, run.status().message
    assert "40 drawings from digit forms" in run.status().data
    assert run.card()["pen"]["missing"] == "no network" and run.card()["pen"]["accuracy"] == {}


@pytest.mark.usefixtures("signals")
def test_every_failure_is_written_to_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, words in (
        (MemoryError(), "ran out of memory"),
        (KeyError("x" * 2000), "KeyError: "),
        (ModelError("in its own words"), "in its own words"),
    ):
        run = create_run(make_spec("fast", {}, "sample"))
        monkeypatch.setattr(dataset, "load_mnist", lambda *_, error=error: (_ for _ in ()).throw(error))
        assert worker.main([str(run.path)]) == 1
        assert run.status().state == "failed" and words in run.status().message and len(run.status().message) < 700


@pytest.mark.slow
@pytest.mark.usefixtures("signals")
def test_images_per_second_ignore_the_first_report_which_builds_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a short run would show a fraction of its speed. 10 images a second at first, then 1,000, at last 2,000."""
    run = create_run(make_spec("fast", {}, "sample"))
    speeds = (10, 1_000, 1_000, 2_000, *[2_000] * 8)
    reports = [Report(1 + step, 0, 1.0, 0.5, 0.01, speed, 1.0) for step, speed in enumerate(speeds)]
    monkeypatch.setattr(loop, "train", lambda *_: iter(reports))
    monkeypatch.setattr(trainer, "make_predictor", lambda _: lambda images: np.zeros((len(images), 10), np.float32))
    monkeypatch.setattr(trainer, "inference_weights", lambda _: [np.zeros(3, np.float32)])
    images = np.zeros((4_000, 28, 28), np.uint8)
    labels = np.zeros(4_000, np.uint8)
    split = Split(images, labels, images, labels, images, labels)
    ending = Trainer(run, heartbeat.Heartbeat(run), lambda: False, run.spec(), None, split).train()
    assert ending == ("finished", "Finished")
    assert [row["images_per_second"] for row in run.metrics().rows][:4] == [10, 1_000, 1_000, 1_200]
    assert (run.status().step, run.status().steps) == (12, 16)
    assert run.status().seconds_left is not None and run.status().seconds_left < 1


def test_the_heartbeat_continues_without_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.01)
    run = create_run(make_spec("fast", {}, "sample"))
    beating = heartbeat.Heartbeat(run)
    beating.update(state="running", message="Reading.", step=3)
    first = read_json(run.path / "status.json")
    with beating.beating():
        wait_until(lambda: run.status().heartbeat > first["heartbeat"] + 0.05, "a later heartbeat")
    after = read_json(run.path / "status.json")
    assert {**after, "heartbeat": 0} == {**first, "heartbeat": 0} and after["pid"] == os.getpid()
    still = run.status()
    time.sleep(0.05)
    assert run.status() == still, "no beat after the end"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["no-run"], ["a", "b"]])
def test_wrong_arguments_are_answered_with_the_usage(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert worker.main(arguments) == 2 and "Usage: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_stop_is_requested_by_file_or_by_signal(signals: None) -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    stop_requested = worker.StopRequest(run)
    assert not stop_requested()
    for wish in ("no", 1, None, {}):
        run.update_control(stop=wish)
        assert not stop_requested(), "nothing but true"
    run.update_control(stop=True)
    assert stop_requested()
    run.update_control(stop=False)
    assert not stop_requested()
    signal.raise_signal(signal.SIGINT)
    assert stop_requested()


def test_a_stop_is_requested_once_the_time_is_up(signals: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    stop_requested, started = worker.StopRequest(run, hours=2), time.monotonic()
    assert not stop_requested() and not stop_requested.reason
    monkeypatch.setattr(worker.time, "monotonic", lambda: started + 7201)
    assert stop_requested() and "2 hours" in stop_requested.reason


def test_download_progress_is_throttled() -> None:
    messages: list[tuple[str, float]] = []
    progress = dataset.throttled_progress("MNIST", lambda message, share=0.0: messages.append((message, share)))
    for done in range(0, 11_490_000, 100_000):
        progress(done, 11_490_434)
    assert messages == [("Downloading MNIST: 0.0 of 11.5 MB.", 0.0)], "a hundred calls within half a second"


def test_spec_of_the_trained_run_can_be_trained_again(trained: Trained) -> None:
    spec = trained.run.spec()
    assert spec.settings == replace(RECIPES["fast"].settings, epochs=2)
    assert json.loads((trained.run.path / "card.json").read_text())["settings"] == spec.to_json()["settings"]


def test_a_process_of_the_cluster_is_ready_for_the_next_run(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, ready = create_run(RunSpec("fast", RECIPES["fast"].settings)), []
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(worker, "begin_attempt", lambda *_: True)
    monkeypatch.setattr(worker, "lower_priority", lambda: None)
    monkeypatch.setattr(worker, "redirect_output", lambda file: file.close())
    monkeypatch.setattr(worker, "train_run", lambda _: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    monkeypatch.setattr(inbox, "reset_keras", lambda: ready.append(True))
    assert worker.train_on_cluster(str(run.path), "job") == ""
    assert ready and signal.getsignal(signal.SIGTERM) == before
