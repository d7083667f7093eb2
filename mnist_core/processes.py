"""Child processes: how many cores there are, and how this package starts its own modules.

child = start_module("mnist_core.worker", run_dir, threads=2, stdout=log, stderr=log)   # returns at once
done = run_module("mnist_core.training.time_probes", "2", threads=2, timeout=120)        # waits for it
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import subprocess  # noqa: S404 - starts our own modules and scripts only
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import psutil

NICE = 5
"""Niceness of a worker: on a busy core, the web process gets three times as much time."""
TENSORFLOW_DEFAULTS = {
    # Without AVX-512 VNNI, TensorFlow leaves oneDNN off, which is twice as slow.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "KERAS_BACKEND": "tensorflow",
}
"""Variables that must be set before TensorFlow is imported."""

OPTIONAL_FOR_KERAS = ("matplotlib", "pandas", "sklearn")
"""Keras imports these if they are installed, for functions that nothing here uses: a second, and 140 MB."""

CHILD_VARIABLES = (
    # the system's
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TMP", "TEMP"),
    *("XDG_*", "LD_*", "DYLD_*", "MALLOC_*", "GLIBC_TUNABLES", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC"),
    *("PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "HOMEDRIVE", "HOMEPATH"),
    *("PYTHON*", "VIRTUAL_ENV", "CONDA_PREFIX", "COV_*", "COVERAGE_*", "MPLCONFIGDIR", "HDF5_*"),
    # for downloads of data
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    # how TensorFlow computes
    *("KERAS_*", "TF_*", "TPU_*", "XLA_*", "CUDA*", "NVIDIA_*", "NCCL_*", "HIP_*", "ROCM_*", "ROCR_*", "OMP_*"),
    *("GOMP_*", "KMP_*", "MKL_*", "OPENBLAS_*", "ONEDNN_*", "DNNL_*"),
    # ours
    *("DIGITLAB_*", "MNIST_CORE_*"),
)
"""Environment variables that a child process gets, in upper or lower case."""
STARTER_VARIABLE = "MNIST_CORE_STARTER"
"""Environment variable that gives a child the id of the process that started it. Not for users."""
SECRET_WORDS = ("TOKEN", "SECRET", "PASSW", "CREDENTIAL", "PRIVATE", "_KEY", "APIKEY")
"""It gets none whose name contains one of these."""

_PACKAGE_PARENT = Path(__file__).resolve().parents[1]


def cpu_count() -> int:
    """Cores that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def import_keras() -> ModuleType:
    """Imports Keras and TensorFlow in half the time: without OPTIONAL_FOR_KERAS and without garbage collection.

    Sets TENSORFLOW_DEFAULTS unless the user has set them. What imports Keras first should do it by this function.
    """
    if "keras" not in sys.modules:
        for name, value in TENSORFLOW_DEFAULTS.items():
            os.environ.setdefault(name, value)
        with _hidden_modules(OPTIONAL_FOR_KERAS), _no_garbage_collection():
            importlib.import_module("keras")
        gc.freeze()  # Most of these objects stay: no later collection needs to look at them.
    return sys.modules["keras"]


@contextlib.contextmanager
def _hidden_modules(names: Iterable[str]) -> Iterator[None]:
    """Makes imports of these modules fail, except of those that are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how to say it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def child_environment(threads: int, keep: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a child process that may use this many threads and can import this package.

    It contains no secrets, because a child reads what others made, such as an imported model.

    Args:
        threads: cores that it may use.
        keep: patterns of further variables that the child needs, secret or not.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if _matches(name, keep)
        or (_matches(name, CHILD_VARIABLES) and not any(w in name.upper() for w in SECRET_WORDS))
    }
    return {
        **kept,
        STARTER_VARIABLE: str(os.getpid()),
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_PACKAGE_PARENT), os.environ.get("PYTHONPATH")))),
    }


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name.upper(), pattern) for pattern in patterns)


def thread_limit() -> int:
    """Threads that this process may use, as `child_environment` set them; 1 if they are not set."""
    first = (os.environ.get("OMP_NUM_THREADS") or "1").split(",")[0]
    return max(1, int(first)) if first.isdecimal() else 1


def start_module(
    module: str, *arguments: str, threads: int, keep: Sequence[str] = (), **options: Any
) -> subprocess.Popen[bytes]:
    """Starts `python -m module` of this package as `start_python` does. `module`: its dotted name."""
    return start_python("-m", module, *arguments, threads=threads, keep=keep, **options)


def start_python(
    *arguments: str, threads: int, keep: Sequence[str] = (), variables: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Starts this Python in its own session, so that Ctrl-C on the parent does not reach it.

    Args:
        arguments: of its command line.
        threads: cores that it may use.
        keep: see `child_environment`.
        variables: further environment variables of it.
        options: for subprocess.Popen; standard input is empty unless they say otherwise.

    Raises:
        OSError: no more processes can be started.
    """
    options = {"stdin": subprocess.DEVNULL, **options}
    return subprocess.Popen(  # noqa: S603 - our own module or script
        [sys.executable, *arguments],
        env={**child_environment(threads, keep), **(variables or {})},
        start_new_session=True,
        **options,
    )


def run_module(module: str, *arguments: str, threads: int, timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs `python -m module` to its end, with its output captured as text.

    Args:
        module: dotted name of a module of this package.
        arguments: for its command line.
        threads: cores that it may use.
        timeout: seconds after which it is killed.

    Raises:
        subprocess.TimeoutExpired: it took longer.
        OSError: no more processes can be started.
    """
    return subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *arguments],
        env=child_environment(threads),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextlib.contextmanager
def spawned_pool(
    processes: int, initializer: Callable[..., object] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool of new processes, since a fork would copy threads that hold locks.

    They import only what they are given. Otherwise each would run the main program first, which in the web process is
    a page. They end at once if an exception leaves the context, and with this process, however it ends.

    Args:
        processes: how many.
        initializer: called in each of them first.
        arguments: of `initializer`.
    """
    main, stand_in = sys.modules["__main__"], ModuleType("__main__")
    sys.modules["__main__"] = stand_in
    try:
        context, earlier_children = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
        with ProcessPoolExecutor(processes, context, _start_in_pool, (initializer, *arguments)) as pool:
            try:
                yield pool
            except BaseException:  # nobody waits for the results any more
                pool.shutdown(wait=False, cancel_futures=True)
                for child in set(multiprocessing.active_children()) - earlier_children:
                    child.terminate()
                raise
    finally:
        if sys.modules["__main__"] is stand_in:
            sys.modules["__main__"] = main


def _start_in_pool(initializer: Callable[..., object] | None, *arguments: Any) -> None:
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _exit_with_parent() -> None:
    """Ends this process when its parent is gone. A pool's process waits at a pipe that it keeps open itself."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def last_error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a process wrote to standard error: what went wrong."""
    return (done.stderr.strip().splitlines() or ["the process was killed"])[-1]


def end_child(child: subprocess.Popen[bytes]) -> None:
    """Kills a child at once and closes the pipe to it."""
    child.kill()
    child.wait()
    if child.stdin is not None:
        with contextlib.suppress(OSError):  # what could not be sent is still in its buffer
            child.stdin.close()


def redirect_output(log: IO[bytes]) -> None:
    """From now on, appends everything that this process prints to a file, which is closed here."""
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log.fileno(), stream)
    log.close()


def lower_priority() -> None:
    """Lets the web process go first on a busy core. This process still uses all free cores."""
    process = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):
        process.nice(getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", NICE))  # a class on Windows, elsewhere a number
    if hasattr(os, "getsid") and os.getsid(0) == os.getpid():  # leads a session, so the autogroup is its own
        with contextlib.suppress(OSError):  # Linux divides the cores by session first
            Path("/proc/self/autogroup").write_text(str(NICE), encoding="ascii")
