"""A browser tab without a browser: speaks Streamlit's websocket protocol.

    async with Tab.open("http://127.0.0.1:8501", "draw") as tab:
        await tab.set_canvas("canvas", value)          # what the canvas component sends
        answer = tab.html("data-digit")

Like the real frontend, it keeps the elements by their place on the page, sends all of the widgets' values with each
change, reruns only the fragment of the widget that changed, and reruns live fragments at their interval.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

ANSWER_SECONDS = 60
"""Without an answer for this long, the server counts as hung."""


class ServerError(Exception):
    """The server showed an exception or an error, closed the connection, or did not answer."""


class Tab:
    """One session. Use `Tab.open`.

    Attributes:
        elements: what the page shows: place -> (fragment, element).
        seconds: how long the last run took, from the request to `script_finished`.
        live: fragment -> seconds between its automatic reruns.
    """

    def __init__(self, connection: websockets.ClientConnection, page: str, query: str) -> None:
        self._connection, self._page, self._query = connection, page, query
        self._script, self._widgets = "", dict[str, WidgetState]()
        self._cached: dict[str, ForwardMsg] = {}
        self.elements: dict[tuple[int, ...], tuple[str, Element]] = {}
        self.live: dict[str, float] = {}
        self.seconds = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, page: str, query: str = "", owner: str = "") -> AsyncIterator[Tab]:
        """Opens a page and waits until it is complete.

        Args:
            url: of the app.
            page: path of the page; empty for the first one.
            query: parameters of its address.
            owner: the token of the browser's cookie; by default the server makes one up.
        """
        cookies = {"Cookie": f"digitlab_owner={owner}"} if owner else {}
        address = url.replace("http", "ws", 1) + "/_stcore/stream"
        async with websockets.connect(
            address,
            subprotocols=[websockets.Subprotocol("streamlit")],
            max_size=None,
            additional_headers=cookies,
            open_timeout=ANSWER_SECONDS,
            ping_interval=None,
        ) as connection:
            tab = cls(connection, page, query)
            await tab.rerun()
            yield tab

    async def rerun(self, fragment: str = "", automatic: bool = False) -> None:
        """Runs the page, or one fragment of it, and waits for the end.

        Raises:
            ServerError: the page shows an exception or an error, or the server does not answer.
        """
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name, state.fragment_id = self._query, self._page, fragment
        state.page_script_hash, state.is_auto_rerun = self._script, automatic
        state.widget_states.widgets.extend(self._widgets.values())
        began = time.perf_counter()
        await self._connection.send(message.SerializeToString())
        await self._receive_run(fragment)
        self.seconds = time.perf_counter() - began

    async def _receive_run(self, fragment: str) -> None:
        kept: set[tuple[int, ...]] = set()
        while True:
            message = ForwardMsg()
            try:
                message.ParseFromString(await asyncio.wait_for(self._connection.recv(), ANSWER_SECONDS))
            except (TimeoutError, websockets.ConnectionClosed) as error:
                raise ServerError(f"no answer from {self._page or 'the first page'}: {error!r}") from None
            kind = message.WhichOneof("type")
            if kind == "ref_hash":
                message.MergeFrom(self._cached[message.ref_hash])
                kind = message.WhichOneof("type")
            elif message.hash:
                self._cached[message.hash] = message
            if kind == "new_session" and not fragment:
                self.live.clear()
            elif kind == "navigation":  # The hash of a new session is the one of app.py, which opens Home.
                self._script = message.navigation.page_script_hash
            elif kind == "auto_rerun":
                self.live[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "stop_auto_rerun":
                self.live.pop(message.stop_auto_rerun.fragment_id, None)
            elif kind == "delta":
                place = tuple(message.metadata.delta_path)
                kept.add(place)
                if message.delta.WhichOneof("type") == "new_element":
                    self._put(place, message.delta.fragment_id, message.delta.new_element)
                else:
                    self.elements.pop(place, None)
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                break
        self.elements = {
            place: (owner, element)
            for place, (owner, element) in self.elements.items()
            if place in kept or (fragment and owner != fragment)
        }

    def _put(self, place: tuple[int, ...], fragment: str, element: Element) -> None:
        self.elements[place] = (fragment, element)
        kind = element.WhichOneof("type")
        if kind == "exception" or (kind == "alert" and element.alert.format == element.alert.ERROR):
            shown = element.exception.message if kind == "exception" else element.alert.body
            raise ServerError(f"{self._page or 'the first page'} shows: {shown[:300]}")

    async def set_canvas(self, key: str, value: dict[str, Any]) -> None:
        """Sends a drawing, as the canvas does after pen-up, and waits for the rerun of its fragment.

        Args:
            key: of the widget.
            value: what the canvas sends.
        """
        fragment, element = self._widget("bidi_component", key)
        self._widgets[element.bidi_component.id] = WidgetState(
            id=element.bidi_component.id, json_value=json.dumps(value)
        )
        await self.rerun(fragment)

    async def press(self, key: str) -> None:
        """Presses a button."""
        fragment, element = self._widget("button", key)
        self._widgets[element.button.id] = WidgetState(id=element.button.id, trigger_value=True)
        try:
            await self.rerun(fragment)
        finally:
            del self._widgets[element.button.id]

    async def watch(self, seconds: float) -> list[float]:
        """Watches a live page. Returns the seconds of each automatic rerun."""
        taken, deadline = [], time.perf_counter() + seconds
        while self.live and time.perf_counter() < deadline:
            fragment, interval = next(iter(self.live.items()))
            await asyncio.sleep(interval)
            await self.rerun(fragment, automatic=True)
            taken.append(self.seconds)
        with contextlib.suppress(ServerError):
            await asyncio.sleep(max(0.0, deadline - time.perf_counter()))
        return taken

    def html(self, containing: str) -> str:
        """The first HTML element of the page that contains a text; empty if there is none."""
        bodies = (element.html.body for _, element in self.elements.values() if element.WhichOneof("type") == "html")
        return next((body for body in bodies if containing in body), "")

    def _widget(self, kind: str, key: str) -> tuple[str, Element]:
        for fragment, element in self.elements.values():
            if element.WhichOneof("type") == kind and getattr(element, kind).id.endswith(f"-{key}"):
                return fragment, element
        raise ServerError(f"{self._page or 'the first page'} has no {kind} with the key {key!r}")
