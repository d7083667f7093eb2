"""Starts the app on a free port and prints its address; `make app` runs this.

Environment variables:
    HOST      the address to listen on. Default 127.0.0.1, only this computer; 0.0.0.0 opens the app to the network.
    PORT      the port. Default: the first free one from 8501.
    RELOAD    1: an open page reruns when a file of the app is saved, for development.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path

FIRST_PORT = 8501
PORTS_TRIED = 100
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - used only if the user sets HOST
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_free(host: str, port: int) -> bool:
    """True if this process may listen there and no other does. Raises OSError if the host is the problem."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise
    # macOS lets us bind 127.0.0.1 although another server has the port on all addresses: see whether one answers.
    reachable = "localhost" if host in ALL_ADDRESSES + LOOPBACK else host
    with contextlib.suppress(OSError), socket.create_connection((reachable, port), timeout=1):
        return False
    return True


def first_free_port(host: str) -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if is_free(host, port):
            return port
    sys.exit(
        f"All ports from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} are in use. Choose one: make app PORT=9000"
    )


def choose_port(host: str, requested: str) -> int:
    """The requested port, or the first free one if `requested` is empty. Exits with a message if it cannot be used."""
    if not requested:
        return first_free_port(host)
    if not (requested.isascii() and requested.isdigit() and 1 <= int(requested) <= 65535):
        sys.exit(f"PORT must be a number from 1 to 65535. Received: {requested}")
    if not is_free(host, int(requested)):
        sys.exit(
            f"Port {requested} is in use by another program, perhaps another Digit Lab, or needs more privileges.\n"
            f"Stop that program, or choose another port: make app PORT={first_free_port(host)}\n"
            f"Without PORT, make app uses the first free port from {FIRST_PORT}."
        )
    return int(requested)


def network_address() -> str:
    """This computer's address in its network; its host name if there is no network."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # reserved for documentation; connecting UDP sends nothing
        return str(probe.getsockname()[0])
    return socket.gethostname()


def startup_message(host: str, port: int) -> str:
    """The address of the app, and who can open it."""
    if host in ALL_ADDRESSES:
        return (
            f"Digit Lab is starting. On this computer:  http://localhost:{port}\n"
            f"                        In your network:   http://{network_address()}:{port}\n"
            "Everyone in the network can use it. Press Ctrl-C to stop."
        )
    if host in LOOPBACK:
        return (
            f"Digit Lab is starting:  http://localhost:{port}\n"
            "Only this computer can open it. For a classroom: make app HOST=0.0.0.0. Press Ctrl-C to stop."
        )
    name = f"[{host}]" if ":" in host else host
    return f"Digit Lab is starting:  http://{name}:{port}\nPress Ctrl-C to stop."


def main() -> None:
    os.chdir(Path(__file__).parent.parent)
    host = os.environ.get("HOST") or "127.0.0.1"
    try:
        port = choose_port(host, os.environ.get("PORT", ""))
    except OSError as error:
        sys.exit(
            f"Cannot listen on HOST={host}: {str(error.strerror).partition(' (while')[0]}.\n"
            "Leave HOST out to serve only this computer, or use HOST=0.0.0.0 for all its addresses."
        )
    print(f"\n{startup_message(host, port)}\n", flush=True)
    # Streamlit's own message looks up the computer's public address at a third party; ours is printed above.
    os.environ["STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE"] = "true"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.address={host}", f"--server.port={port}"]
    if host in LOOPBACK:
        command.append("--browser.serverAddress=localhost")
    if os.environ.get("RELOAD"):
        # Polling checks only loaded files; watchdog would watch the whole folder, with .venv and runs/.
        command += ["--server.fileWatcherType=poll", "--server.runOnSave=true"]
    os.execv(sys.executable, command)  # noqa: S606 - replaces this process, so that signals reach Streamlit


if __name__ == "__main__":
    main()
