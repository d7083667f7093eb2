"""Starts the app and says where it is: what `make app` runs.

Environment variables:
    HOST      the address to listen on. Default 127.0.0.1: this computer only. 0.0.0.0 opens the app to the network.
    PORT      the port. Default: the first free one from 8501.
    RELOAD    1 for people who change the code: an open page reruns when a file of the app is saved.
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
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - only what the user asks for by name
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_free(host: str, port: int) -> bool:
    """Whether we may listen there and nobody else does. Raises OSError where the trouble is the host, not the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise
    # A server on all addresses does not keep macOS from giving us 127.0.0.1 on the same port: does anybody answer?
    reachable = "localhost" if host in ALL_ADDRESSES + LOOPBACK else host
    with contextlib.suppress(OSError), socket.create_connection((reachable, port), timeout=1):
        return False
    return True


def first_free(host: str) -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if is_free(host, port):
            return port
    sys.exit(f"All ports from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} are taken. Name one: make app PORT=9000")


def chosen_port(host: str, wanted: str) -> int:
    """The port to use, where `wanted` is what the user asked for or empty."""
    if not wanted:
        return first_free(host)
    if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= 65535):
        sys.exit(f"PORT has to be a number from 1 to 65535. Received: {wanted}")
    if not is_free(host, int(wanted)):
        sys.exit(
            f"Port {wanted} is taken by another program, perhaps another Digit Lab, or not allowed to you.\n"
            f"Stop that program, or choose another port: make app PORT={first_free(host)}\n"
            f"Without PORT, make app takes the next free one from {FIRST_PORT}."
        )
    return int(wanted)


def network_name() -> str:
    """This computer's address in its network, as others have to type it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # An address kept for documentation; a datagram socket sends nothing here.
        return str(probe.getsockname()[0])
    return socket.gethostname()


def where(host: str, port: int) -> str:
    """The lines that tell people where the app is."""
    if host in ALL_ADDRESSES:
        return (
            f"Digit Lab is starting. On this computer:  http://localhost:{port}\n"
            f"                        In your network:   http://{network_name()}:{port}\n"
            "Everybody in the network can use it. Ctrl-C stops it."
        )
    if host in LOOPBACK:
        return (
            f"Digit Lab is starting:  http://localhost:{port}\n"
            "Only this computer can open it; for a class room: make app HOST=0.0.0.0. Ctrl-C stops it."
        )
    name = f"[{host}]" if ":" in host else host
    return f"Digit Lab is starting:  http://{name}:{port}\nCtrl-C stops it."


def main() -> None:
    os.chdir(Path(__file__).parent.parent)
    host = os.environ.get("HOST") or "127.0.0.1"
    try:
        port = chosen_port(host, os.environ.get("PORT", ""))
    except OSError as error:
        sys.exit(
            f"Cannot listen on HOST={host}: {str(error.strerror).partition(' (while')[0]}.\n"
            "Leave HOST out for this computer only, or take HOST=0.0.0.0 for all its addresses."
        )
    print(f"\n{where(host, port)}\n", flush=True)
    # Streamlit's own greeting looks up the computer's public address at a third party; ours stands above.
    os.environ["STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE"] = "true"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.address={host}", f"--server.port={port}"]
    if host in LOOPBACK:
        command.append("--browser.serverAddress=localhost")
    if os.environ.get("RELOAD"):
        # Polling looks at the loaded files only; watchdog would follow the whole folder, .venv and runs/ included.
        command += ["--server.fileWatcherType=poll", "--server.runOnSave=true"]
    os.execv(sys.executable, command)  # noqa: S606 - replaced, so that Ctrl-C and kill reach Streamlit itself


if __name__ == "__main__":
    main()
