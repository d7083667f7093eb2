"""The shipped model in a real browser, with our engine, LiteRT.js and TensorFlow.js: the table of docs/performance.md.

    python benchmarks/browser_engines.py [--count N] [--rounds N]

Needs Chromium. The others' packages come from npm, in the versions below, into a temporary folder; without npm only our
engine is measured. All files come from this machine: the time until the first answer has no network in it. Engines on a
graphics card are not measured: few class rooms have one.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import live
import numpy as np
import results
from playwright.sync_api import Browser, sync_playwright

from mnist_core.browser.bundle import FOLDER
from mnist_core.browser.model_files import read_browser_model
from mnist_core.data.mnist import load_mnist
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier

PACKAGES = (
    "@litertjs/core@2.5.3",
    "@tensorflow/tfjs-core@4.22.0",
    "@tensorflow/tfjs-layers@4.22.0",
    "@tensorflow/tfjs-backend-cpu@4.22.0",
    "@tensorflow/tfjs-backend-wasm@4.22.0",
)
OURS = ("ours", "ours without WebAssembly")
THEIRS = ("LiteRT.js", "TensorFlow.js, wasm", "TensorFlow.js, cpu")
SCRIPT = Path(__file__).parent / "peers" / "browser_engines.js"
WORKER = "/npm/@litertjs/core/wasm/engines.js"
"""In a worker, LiteRT.js looks for its WebAssembly next to the worker's own script."""
IMAGES = 30
HEAD = (
    "| | engine, kB (gzip) | model, MB | one HTML file, MB | first answer, s "
    "| ms in a page: fastest, median, 95th percentile | ms in a Web Worker | difference |"
)
BASE64 = 4 / 3
"""Binary files are so much larger in a self-contained page."""


class Server(http.server.ThreadingHTTPServer):
    """Serves the files of the engines, and records which a page has fetched.

    Attributes:
        files: path -> content.
        packages: the folder node_modules.
        fetched: paths since it was last cleared.
    """

    def __init__(self, files: dict[str, bytes], packages: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.packages = files, packages
        self.fetched: set[str] = set()

    def content(self, path: str) -> bytes | None:
        """The content of a file, None if there is no such file."""
        if path in self.files:
            return self.files[path]
        folders = {"/browser/": FOLDER, "/npm/": self.packages}
        for prefix, folder in folders.items():
            file = folder / path.removeprefix(prefix)
            if path.startswith(prefix) and file.is_file():
                # A browser cannot import by the name of a package.
                own = b'"@litertjs/wasm-utils"', b'"/npm/@litertjs/wasm-utils/dist/index.js"'
                return file.read_bytes().replace(*own) if path.endswith(".js") else file.read_bytes()
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET."""

    server: Server
    types = {".js": "text/javascript", ".wasm": "application/wasm", "/": "text/html"}

    def do_GET(self) -> None:
        """See BaseHTTPRequestHandler."""
        content = self.server.content(self.path)
        self.server.fetched.add(self.path)
        self.send_response(404 if content is None else 200)
        kinds = (kind for end, kind in self.types.items() if self.path.endswith(end))
        self.send_header("Content-Type", next(kinds, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


@contextmanager
def serving(images: np.ndarray) -> Iterator[tuple[Server, tuple[str, ...]]]:
    """A server with all engines, and the names of the engines that it has."""
    files = {
        "/": b"<!doctype html><body><script src=/engines.js></script>",
        "/engines.js": SCRIPT.read_bytes(),
        WORKER: SCRIPT.read_bytes(),
        "/images": images.tobytes(),
        "/model.tflite": one_image(DEFAULT_MODEL.read_bytes()),
        "/model.bin": read_browser_model(DEFAULT_MODEL.parent),
    }
    with tempfile.TemporaryDirectory() as folder:
        engines: tuple[str, ...] = OURS
        if shutil.which("npm"):
            install = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder)
            subprocess.run([*install, *PACKAGES], check=True, stdout=subprocess.DEVNULL)
            engines += THEIRS
        server = Server(files, Path(folder) / "node_modules")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server, engines
        server.shutdown()


def one_image(model: bytes) -> bytes:
    """A model.tflite that takes one image at a time: LiteRT.js refuses ours, which take any number.

    In a FlatBuffer, a shape is a vector of int32 after its length, and the number of images that is not known is -1.
    """
    for length in (2, 4):
        dimensions = length.to_bytes(4, "little")
        model = model.replace(dimensions + b"\xff" * 4, dimensions + b"\1\0\0\0")
    return model


def measured(browser: Browser, server: Server, engine: str, count: int, in_worker: bool) -> dict[str, Any]:
    """What `measure` of the script returns, in a fresh page with an empty cache."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    server.fetched.clear()
    found: dict[str, Any] = page.evaluate(
        "([name, count, worker]) => measure(name, count, worker)", [engine, count, in_worker]
    )
    context.close()
    return found


def sizes(server: Server) -> dict[str, float]:
    """What the page has fetched: kB of the engine, raw and compressed, MB of the model and of a self-contained page."""
    contents = {path: server.content(path) or b"" for path in server.fetched - {WORKER, "/images"}}
    engine = {path: content for path, content in contents.items() if not path.startswith("/model.")}
    model = sum(len(content) for path, content in contents.items() if path not in engine)
    page = sum(len(content) * (1 if path.endswith(".js") else BASE64) for path, content in contents.items())
    return {
        "engine": sum(map(len, engine.values())) / 1e3,
        "compressed": sum(len(gzip.compress(content)) for content in engine.values()) / 1e3,
        "model": model / 1e6,
        "page": page / 1e6,
    }


@click.command()
@click.option("--count", default=40, show_default=True, help="Answers of each engine in each round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds; each starts every engine in a fresh page.")
def main(count: int, rounds: int) -> None:
    """Measures the engines in turn, so that all of them see the machine as busy as the others."""
    images = load_mnist("full").x_test[:IMAGES]
    expected = Classifier(DEFAULT_MODEL).probabilities(images)
    with serving(images) as (server, engines), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=live.executable(), args=["--no-sandbox"])
        found: dict[str, dict[bool, list[dict[str, Any]]]] = {name: {False: [], True: []} for name in engines}
        loaded: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for name in engines:
                for in_worker in (False, True):
                    found[name][in_worker].append(measured(browser, server, name, count, in_worker))
                loaded[name] = sizes(server)
        browser.close()
    rows = [row(name, loaded[name], found[name], expected) for name in engines]
    print("", HEAD, "|" + "---|" * HEAD.count(" | "), *rows, sep="\n")


def row(name: str, loaded: dict[str, float], found: dict[bool, list[dict[str, Any]]], expected: np.ndarray) -> str:
    """Collects the figures of an engine. Returns its line of the table."""
    figure = functools.partial(figure_of, name)
    first = [each["first"] for each in found[False]]
    outputs = np.array(found[False][0]["outputs"])
    difference = float(np.abs(outputs - expected).max())
    figure("scripts and WebAssembly before the first stroke", [loaded["engine"]], "kB", "≤ 100")
    figure("the same, compressed", [loaded["compressed"]], "kB")
    figure("a self-contained page with the model", [loaded["page"]], "MB", "≤ 2.5")
    figure("from nothing to the first answer", first, "s")
    times = {}
    for in_worker, place in ((False, "in a page"), (True, "in a Web Worker")):
        milliseconds = [each for run in found[in_worker] for each in run["milliseconds"]]
        percentile = float(np.percentile(milliseconds, 95))
        figure(f"an answer {place}", milliseconds, "ms", "≤ 80")
        figure(f"an answer {place}, 95th percentile", [percentile], "ms")
        times[in_worker] = f"{min(milliseconds):.1f}, {statistics.median(milliseconds):.0f}, {percentile:.0f}"
    figure("largest difference of a probability to LiteRT", [difference], "")
    size = f"{loaded['engine']:.0f} ({loaded['compressed']:.0f}) | {loaded['model']:.2f} | {loaded['page']:.2f}"
    return f"| {name} | {size} | {statistics.median(first):.2f} | {times[False]} | {times[True]} | {difference:.0e} |"


def figure_of(engine: str, what: str, values: list[float], unit: str, target: str = "") -> None:
    """Prints and collects a figure. Only our own engine has targets."""
    results.figure(f"{engine}: {what}", values, unit, target if engine == OURS[0] else "")


if __name__ == "__main__":
    main()
