"""Train and Sweep page where a cluster is named: its line, its being out of reach, and this machine instead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.errors import ClusterError
from mnist_core.jobs import routing
from mnist_core.jobs.local import LocalBackend
from mnist_core.jobs.ray import backend, client
from mnist_core.jobs.ray.backend import RayBackend
from mnist_core.jobs.ray.cluster import Capacity
from mnist_core.jobs.routing import RoutingBackend
from mnist_core.runs import claims
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run, list_runs
from mnist_core.sweeps import launch
from mnist_core.sweeps.presets import PRESETS
from mnist_core.sweeps.store import create_sweep, list_sweeps
from pages.ui.shared import caches, state
from pages.ui.sweep import form
from tests.jobs.ray.test_backend import Cluster
from tests.pages.support import button, error_text, open_page, page_text, unescaped
from tests.support import wait_until

GONE = "Ray at http://head:8265 cannot be reached. Start its head."


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, app: AppTest) -> Iterator[Cluster]:
    """What DIGITLAB_RAY_ADDRESS leads to."""
    found = Cluster()
    monkeypatch.setenv("DIGITLAB_RAY_ADDRESS", "http://head:8265")
    monkeypatch.setattr(client, "connect", lambda url: found)
    monkeypatch.setattr(backend, "POLL_SECONDS", 0.02)
    yield found
    if both := caches.cluster_backend():
        both.cluster.close()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs that are submitted to this machine's own queue; nobody trains them."""
    runs: list[Run] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda _, run: runs.append(run))
    return runs


def served() -> RayBackend:
    both = caches.cluster_backend()
    assert both is not None
    wait_until(lambda: both.cluster.has_answered, "the first answer")
    return both.cluster


@pytest.mark.parametrize("page", ["pages/train.py", "pages/sweep.py"])
def test_the_cluster_stands_on_the_page_in_one_line(app: AppTest, cloud: Cluster, page: str) -> None:
    cloud.there = Capacity((4.0, 4.0), (0.0, 0.0), busy=3.0, waiting=2)
    open_page(app, page)
    served()
    app.run()
    assert not app.exception and not app.error
    assert "Cluster: 2 nodes, 3 of 8 cores busy, 2 runs waiting" in page_text(app)


def test_a_page_never_waits_for_the_cluster(app: AppTest, cloud: Cluster) -> None:
    cloud.stuck.clear()
    began = time.monotonic()
    open_page(app, "pages/train.py")
    assert "Cluster: connecting" in page_text(app) and time.monotonic() - began < 25
    cloud.stuck.set()


def test_a_run_goes_to_the_cluster(app: AppTest, cloud: Cluster, here: list[Run]) -> None:
    open_page(app, "pages/train.py")
    cluster = served()
    button(app, "Train").click().run()
    (run,) = list_runs()
    wait_until(lambda: cloud.drivers, "the driver")
    assert cluster.holds(run) and not here and not app.error


def test_out_of_reach_it_is_said_and_one_click_trains_here(app: AppTest, cloud: Cluster, here: list[Run]) -> None:
    cloud.fails = ClusterError(GONE)
    open_page(app, "pages/train.py")
    cluster = served()
    app.run()
    assert [unescaped(warning.value) for warning in app.warning] == [GONE]
    button(app, "Train").click().run()
    assert error_text(app) == GONE and not list_runs(), "nothing is left behind"
    button(app, "Train on this machine instead").click().run()
    assert not app.warning
    button(app, "Train").click().run()
    assert len(here) == 1 and not app.error and not cloud.drivers
    assert button(app, "Use the cluster again").disabled
    cloud.fails = None
    wait_until(lambda: not cluster.trouble, "the cluster again")
    app.run()
    button(app, "Use the cluster again").click().run()
    button(app, "Train").click().run()
    wait_until(lambda: cloud.drivers, "the driver")
    assert len(here) == 1


def test_a_sweep_is_told_who_trains_it(app: AppTest, cloud: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (launch, form):
        monkeypatch.setattr(module, "launch_sweep", lambda made: None)
    open_page(app, "pages/sweep.py")
    served()
    button(app, "Start sweep").click().run()
    app.session_state[state.TRAIN_HERE] = True
    button(app, "Start sweep").click().run()
    assert sorted(made.plan().backend for made in list_sweeps()) == ["local", "ray"]


def test_a_sweep_that_lost_its_cluster_goes_on_here(
    app: AppTest, cloud: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (launch, form):
        monkeypatch.setattr(module, "launch_sweep", lambda made: None)
    made = create_sweep(replace(PRESETS["batch-size-and-learning-rate"].plan(), backend="ray"))
    made.files.write_status(stamp_status(Status("failed", GONE, step=3, steps=20)))
    assert made.backend_name(made.plan()) == "ray"
    cloud.fails = ClusterError(GONE)
    open_page(app, "pages/sweep.py")
    served()
    app.run()
    button(app, "Train on this machine instead").click().run()
    button(app, "Resume").click().run()
    assert made.backend_name(made.plan()) == "local" and made.status().state == "queued"
    made.update_control(backend="somewhere")
    assert made.backend_name(made.plan()) == "ray", "nonsense counts for nothing"


def test_each_run_is_asked_of_whoever_has_it(cloud: Cluster, here: list[Run]) -> None:
    both = RoutingBackend(routing.cluster_backend(), LocalBackend())
    try:
        far, near, marked = (create_run(make_spec("fast", {}, "sample")) for _ in range(3))
        both.submit(far)
        both.submit(near)
        both.on_this_machine.submit(near)
        assert here == [near] and claims.read_claim(near).number == 2, "taken from a worker that may live on elsewhere"
        assert (
            both.backend_of(far) is both.cluster
            and both.backend_of(near) is both.local
            and both.backend_of(marked) is both.local
        )
        both.on_this_machine.request_stop(far)
        assert far.status().state == "stopped" or far.control()["stop"] is True
    finally:
        both.cluster.close()


def test_without_a_cluster_there_is_no_line(app: AppTest) -> None:
    open_page(app, "pages/train.py")
    assert "Cluster" not in page_text(app) and caches.cluster_backend() is None
