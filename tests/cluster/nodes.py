"""A real Ray cluster on loopback: a head without cores, and two nodes, each a tree of processes that can be lost."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import wait_until

CORES = 2
START_SECONDS = 120.0
STORE_BYTES = 80_000_000  # of Ray's object store, which holds nothing here


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Node:
    """A `ray start --block` and everything that it has started.

    Args:
        arguments: of `ray start`.
        log: where its words go.
    """

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._log = log
        ray = Path(sys.executable).with_name("ray")
        environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "PATH": f"{ray.parent}{os.pathsep}{os.environ['PATH']}",
        }
        for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
            environment.pop(name, None)
        with log.open("wb") as output:
            self._process = psutil.Popen(
                [
                    str(ray),
                    "start",
                    "--block",
                    f"--object-store-memory={STORE_BYTES}",
                    "--disable-usage-stats",
                    "--dashboard-agent-listen-port=0",
                    *arguments,
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def await_start(self) -> None:
        """Until it says that it runs."""
        deadline = time.monotonic() + START_SECONDS
        while "runtime started" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"a node has not started: {self._log.read_text()[-3000:]}")
            time.sleep(0.1)

    @property
    def processes(self) -> list[psutil.Process]:
        """All there are now, workers and what they train with among them."""
        with contextlib.suppress(psutil.Error):
            return [self._process, *self._process.children(recursive=True)]
        return []

    def lose(self) -> None:
        """As if somebody had pulled the plug: nothing of it has a word to say."""
        found = self.processes
        for process in found:  # first none may start another, or be missed by its parent
            with contextlib.suppress(psutil.Error):
                process.suspend()
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=30)
        self._process.wait(30)


class RayCluster:
    """A head and some nodes of two cores each.

    Args:
        folder: of all that Ray writes; a short path.
        nodes: how many.

    Attributes:
        address: of its dashboard, for DIGITLAB_RAY_ADDRESS.
        nodes: a lost one stays among them.
    """

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder, dashboard = folder, free_port()
        self.address, self._gcs = f"http://127.0.0.1:{dashboard}", f"127.0.0.1:{free_port()}"
        head = [
            "--head",
            "--num-cpus=0",
            f"--port={self._gcs.partition(':')[2]}",
            f"--dashboard-port={dashboard}",
            f"--ray-client-server-port={free_port()}",
            f"--temp-dir={folder}",
            "--node-ip-address=127.0.0.1",
        ]
        self.nodes: list[Node] = []
        self._head_arguments = head
        try:
            self.start_head()
            for _ in range(nodes):
                self.join()
            wait_until(lambda: self.cores == nodes * CORES, "all nodes", 120)
        except BaseException:
            self.close()
            raise

    def start_head(self) -> None:
        """A head at the address; one that was lost is followed by another that knows nothing of it."""
        self.head = Node(self._head_arguments, self.folder / "head.txt")
        self.head.await_start()
        wait_until(lambda: self._get("/api/version"), "the dashboard", 120)

    def join(self) -> None:
        """One more node. One after another: two that start on one machine at once get in each other's way."""
        log = self.folder / f"node-{len(self.nodes)}.txt"
        arguments = [f"--address={self._gcs}", f"--num-cpus={CORES}", "--node-ip-address=127.0.0.1"]
        self.nodes.append(Node(arguments, log))
        self.nodes[-1].await_start()

    def _get(self, path: str) -> Any:
        with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(self.address + path, timeout=5) as answer:
            return json.load(answer)
        return None

    @property
    def cores(self) -> float:
        """Cores of the nodes that the head knows to be there; its figures are some seconds old."""
        with contextlib.suppress(TypeError, KeyError):
            status = self._get("/api/cluster_status")["data"]["clusterStatus"]
            return float(status["loadMetricsReport"]["usage"]["CPU"][1])
        return 0.0

    @property
    def jobs(self) -> dict[str, str]:
        """Of every job that was ever submitted: its name and how it stands, as Ray says."""
        return {job["submission_id"]: job["status"] for job in self._get("/api/jobs/") or []}

    def close(self) -> None:
        for node in (*self.nodes, self.head):
            node.lose()
