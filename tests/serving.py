"""A real web server on loopback, for what downloads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer, name: str) -> Iterator[tuple[str, list[str]]]:
    """The URL of a file of that name, and the paths that were asked of the server."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{name}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sending(body: bytes, announced: int | None = None, status: int = 200) -> Answer:
    """Answers with the body, whatever length it announces; a client that goes away meanwhile is no error."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if announced is None else announced))
        request.end_headers()
        with contextlib.suppress(ConnectionError):
            request.wfile.write(body)

    return answer
