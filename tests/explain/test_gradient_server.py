"""The helper process for gradients: it answers many, survives what goes wrong, and ends when it should."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from mnist_core.errors import ModelError
from mnist_core.explain import wire
from mnist_core.explain.gradient_client import GradientClient
from mnist_core.explain.wire import Frame
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from tests.support import ROOT, Trained, wait_until

SHIPPED = DEFAULT_MODEL.parent
IMAGE = np.zeros((28, 28), np.uint8)
IMAGE[6:22, 13:16] = 255


@pytest.fixture(scope="module")
def helper() -> Iterator[GradientClient]:
    made = GradientClient(2)
    yield made
    made.close()


def process(helper: GradientClient) -> subprocess.Popen[bytes]:
    assert helper._process is not None
    return helper._process


# messages


def test_what_is_sent_arrives() -> None:
    pipe = io.BytesIO()
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 4), np.uint8)}
    wire.write_frame(pipe, Frame({"do": "x", "digits": [1, 2]}, arrays))
    wire.write_frame(pipe, Frame({"then": 2}))
    pipe.seek(0)
    first, second = wire.read_frame(pipe), wire.read_frame(pipe)
    assert first is not None and second is not None and wire.read_frame(pipe) is None
    assert first.said == {"do": "x", "digits": [1, 2]} and second.said == {"then": 2}
    assert all((first.arrays[name] == arrays[name]).all() for name in arrays)
    assert first.arrays["a"].dtype == np.float32 and first.arrays["b"].shape == (0, 4)


def test_a_message_that_is_cut_short_is_none() -> None:
    pipe = io.BytesIO()
    wire.write_frame(pipe, Frame({}, {"a": np.zeros(100)}))
    for length in (0, 5, 60, len(pipe.getvalue()) - 1):
        assert wire.read_frame(io.BytesIO(pipe.getvalue()[:length])) is None


def test_no_pickle_passes() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        wire.write_frame(io.BytesIO(), Frame({}, {"a": np.array([object()])}))
    content = io.BytesIO()
    np.save(content, np.array([{}]), allow_pickle=True)
    sent = b'{"arrays": {"a": %d}}\n' % len(content.getvalue()) + content.getvalue()
    with pytest.raises(ValueError, match="allow_pickle"):
        wire.read_frame(io.BytesIO(sent))
    with pytest.raises(ValueError, match="sizes of its arrays"):
        wire.read_frame(io.BytesIO(b'{"arrays": {"a": -1}}\n'))


# the process


def test_it_answers_for_the_shipped_model(helper: GradientClient) -> None:
    found = helper.explain("integrated", SHIPPED, IMAGE, [1, 7])
    assert found.maps.shape == (2, 28, 28) and helper.ready
    for values, complete in zip(found.maps, found.complete, strict=True):
        assert float(values.sum()) == pytest.approx(complete.total, abs=1e-3)
    assert found.complete[0].holds
    assert helper.explain("grad_cam", SHIPPED, IMAGE, [1], 17).maps.min() >= 0


def test_it_answers_for_a_run_and_for_many_at_once(helper: GradientClient, trained: Trained) -> None:
    """What each is told is its own: a logit's difference, which the probabilities of LiteRT tell as well."""
    images = [np.roll(IMAGE, shift, axis=1) for shift in range(-4, 4)]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(helper.explain, "integrated", trained.run.path, image, [1, 7]) for image in images]
        found = [each.result().complete for each in asked]
    model = Classifier(trained.run.model)
    logs = np.log(model.probabilities(np.stack([np.zeros_like(IMAGE), *images])).astype(np.float64))
    rises = (logs[:, 1] - logs[:, 7])[1:] - (logs[:, 1] - logs[:, 7])[0]
    assert [one.difference - seven.difference for one, seven in found] == pytest.approx(rises.tolist(), abs=0.01)


def test_what_is_wrong_with_a_model_is_said_and_it_goes_on(
    helper: GradientClient, trained: Trained, tmp_path: Path
) -> None:
    folder = shutil.copytree(trained.run.path, tmp_path / "run")
    (folder / "model.keras").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="model.keras cannot be used"):
        helper.explain("gradient", folder, IMAGE, [1])
    before = process(helper).pid
    (folder / "model.keras").unlink()
    with pytest.raises(ModelError, match="is missing"):
        helper.explain("gradient", folder, IMAGE, [1])
    with pytest.raises(ModelError, match="from 0 to 9"):
        helper.explain("gradient", trained.run.path, IMAGE, [10])
    assert helper.explain("gradient", trained.run.path, IMAGE, [1]).maps.any()
    assert process(helper).pid == before


def test_a_model_of_another_network_is_refused(helper: GradientClient, trained: Trained, tmp_path: Path) -> None:
    folder = shutil.copytree(trained.run.path, tmp_path / "run")
    shutil.copy(SHIPPED / "model.keras", folder / "model.keras")
    with pytest.raises(ModelError, match="cannot be used"):
        helper.explain("gradient", folder, IMAGE, [1])


def test_after_a_crash_another_is_started(helper: GradientClient) -> None:
    helper.explain("gradient", SHIPPED, IMAGE, [1])
    first = process(helper)
    first.kill()
    first.wait()
    assert not helper.ready
    assert helper.explain("gradient", SHIPPED, IMAGE, [1]).maps.any()
    assert process(helper).pid != first.pid


def test_a_request_that_is_lost_is_told() -> None:
    """It takes seconds to load TensorFlow, and is given a moment."""
    helper = GradientClient(1, start_seconds=0.05)
    with pytest.raises(ModelError, match="started again when next asked"):
        helper.explain("gradient", SHIPPED, IMAGE, [1])
    assert helper._process is None


def test_it_ends_when_nobody_asks_and_when_its_server_is_gone() -> None:
    idle = subprocess.Popen(
        [sys.executable, "-m", "mnist_core.explain.gradient_server", "0.1"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with idle:
        assert idle.wait(timeout=60) == 0
    server = (
        "import sys, time; from mnist_core.explain.gradient_client import GradientClient; h = GradientClient(1); "
        "print(h._started().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", server], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        orphan = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    wait_until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE, "the helper's end")


def test_one_that_ended_idly_is_started_again_without_a_word() -> None:
    helper = GradientClient(1, idle_seconds=0.1)
    ended = helper._started()
    ended.wait(timeout=60)
    helper._idle = 600.0
    assert helper.explain("gradient", SHIPPED, IMAGE, [1]).maps.any()
    assert process(helper).pid != ended.pid
    helper.close()
