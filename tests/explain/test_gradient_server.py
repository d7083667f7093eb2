"""The client process for gradients: it answers many, survives what goes wrong, and ends when it should."""

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
def client() -> Iterator[GradientClient]:
    shared = GradientClient(2)
    yield shared
    shared.close()


def test_frames_arrive_as_they_were_sent() -> None:
    pipe = io.BytesIO()
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 4), np.uint8)}
    wire.write_frame(pipe, Frame({"do": "x", "digits": [1, 2]}, arrays))
    wire.write_frame(pipe, Frame({"then": 2}))
    pipe.seek(0)
    first, second = wire.read_frame(pipe), wire.read_frame(pipe)
    assert first is not None and second is not None and wire.read_frame(pipe) is None
    assert first.header == {"do": "x", "digits": [1, 2]} and second.header == {"then": 2}
    assert all((first.arrays[name] == arrays[name]).all() for name in arrays)
    assert first.arrays["a"].dtype == np.float32 and first.arrays["b"].shape == (0, 4)


def test_a_frame_that_is_cut_short_is_none() -> None:
    pipe = io.BytesIO()
    wire.write_frame(pipe, Frame({}, {"a": np.zeros(100)}))
    for length in (0, 5, 60, len(pipe.getvalue()) - 1):
        assert wire.read_frame(io.BytesIO(pipe.getvalue()[:length])) is None


def test_pickles_are_neither_sent_nor_read() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        wire.write_frame(io.BytesIO(), Frame({}, {"a": np.array([object()])}))
    content = io.BytesIO()
    np.save(content, np.array([{}]), allow_pickle=True)
    sent = b'{"arrays": {"a": %d}}\n' % len(content.getvalue()) + content.getvalue()
    with pytest.raises(ValueError, match="allow_pickle"):
        wire.read_frame(io.BytesIO(sent))
    with pytest.raises(ValueError, match="sizes of its arrays"):
        wire.read_frame(io.BytesIO(b'{"arrays": {"a": -1}}\n'))


@pytest.mark.slow
def test_attributions_of_the_shipped_model_are_complete(client: GradientClient) -> None:
    found = client.attribute("integrated", SHIPPED, IMAGE, [1, 7])
    assert found.maps.shape == (2, 28, 28) and client.ready
    for values, complete in zip(found.maps, found.completeness, strict=True):
        assert float(values.sum()) == pytest.approx(complete.attribution_sum, abs=1e-3)
    assert found.completeness[0].within_tolerance
    assert client.attribute("grad_cam", SHIPPED, IMAGE, [1], 17).maps.min() >= 0


@pytest.mark.slow
def test_concurrent_requests_get_their_own_responses(client: GradientClient, trained: Trained) -> None:
    """Differences of two logits, which can also be computed from the probabilities of LiteRT."""
    images = [np.roll(IMAGE, shift, axis=1) for shift in range(-4, 4)]
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(client.attribute, "integrated", trained.run.path, image, [1, 7]) for image in images]
        found = [future.result().completeness for future in futures]
    model = Classifier(trained.run.model)
    logs = np.log(model.probabilities(np.stack([np.zeros_like(IMAGE), *images])).astype(np.float64))
    rises = (logs[:, 1] - logs[:, 7])[1:] - (logs[:, 1] - logs[:, 7])[0]
    differences = [one.logit_difference - seven.logit_difference for one, seven in found]
    assert differences == pytest.approx(rises.tolist(), abs=0.01)


@pytest.mark.slow
def test_the_process_survives_requests_that_fail(client: GradientClient, trained: Trained, tmp_path: Path) -> None:
    folder = shutil.copytree(trained.run.path, tmp_path / "run")
    client.attribute("gradient", trained.run.path, IMAGE, [1])
    pid = client.pid
    (folder / "model.keras").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="model.keras"):
        client.attribute("gradient", folder, IMAGE, [1])
    shutil.copy(SHIPPED / "model.keras", folder / "model.keras")  # the weights of another network
    with pytest.raises(ModelError, match="model.keras"):
        client.attribute("gradient", folder, IMAGE, [1])
    with pytest.raises(ModelError, match="from 0 to 9"):
        client.attribute("gradient", trained.run.path, IMAGE, [10])
    assert client.attribute("gradient", trained.run.path, IMAGE, [1]).maps.any()
    assert client.pid == pid


def request_missing_model(client: GradientClient, folder: Path) -> int:
    """Sends a request that is refused before TensorFlow is loaded. Returns the ID of the process that refused it."""
    with pytest.raises(ModelError, match=f"{folder.name}.*is missing"):
        client.attribute("gradient", folder, IMAGE, [1])
    assert client.pid is not None
    return client.pid


@pytest.mark.slow
def test_a_crashed_process_is_replaced(tmp_path: Path) -> None:
    client = GradientClient(1)
    first = request_missing_model(client, tmp_path)
    assert client.ready
    psutil.Process(first).kill()
    wait_until(lambda: not client.ready, "the end of the process")
    assert request_missing_model(client, tmp_path) != first
    client.close()
    assert client.pid is None and not psutil.pid_exists(first)


@pytest.mark.slow
def test_a_process_that_ended_idly_is_replaced(tmp_path: Path) -> None:
    client = GradientClient(1, idle_seconds=0.2)
    first = request_missing_model(client, tmp_path)
    wait_until(lambda: not client.ready, "the end of the idle process")
    assert request_missing_model(client, tmp_path) != first
    client.close()


@pytest.mark.slow
def test_a_response_that_takes_too_long_is_an_error(tmp_path: Path) -> None:
    """Importing the package alone takes longer than this client waits."""
    client = GradientClient(1, start_seconds=0.05)
    with pytest.raises(ModelError, match="took too long"):
        client.attribute("gradient", tmp_path, IMAGE, [1])
    assert client.pid is None


@pytest.mark.slow
def test_the_process_ends_with_the_web_server(tmp_path: Path) -> None:
    server = (
        "import sys, time, numpy as np; from pathlib import Path\n"
        "from mnist_core.explain.gradient_client import GradientClient\n"
        "client = GradientClient(1)\n"
        "try: client.attribute('gradient', Path(sys.argv[1]), np.zeros((28, 28), np.uint8), [1])\n"
        "except Exception: print(client.pid, flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", server, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        orphan = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    wait_until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE, "the end of the process")
