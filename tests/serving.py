"""A web server on this machine, for tests of downloads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer, name: str) -> Iterator[tuple[str, list[str]]]:
    """Serves a file while open. Yields its URL and the list of requested paths, which grows."""
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            answer(self)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{name}", requested
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sending(body: bytes, announced: int | None = None, status: int = 200) -> Answer:
    """Answers with a body.

    Args:
        body: to send.
        announced: Content-Length; by default the true length.
        status: HTTP status.
    """

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if announced is None else announced))
        request.end_headers()
        with contextlib.suppress(ConnectionError):  # the client may give up meanwhile
            request.wfile.write(body)

    return answer
