"""What tests of pages call: open a page, find widgets and text on it, and draw."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import cv2
import numpy as np
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from pages.ui.shared.formatting import WORD_JOINER
from tests.support import ROOT

APP = ROOT / "app.py"
DRAW = "pages/draw.py"

SEVEN = ((80, 60, 200, 60), (200, 60, 130, 220))
ONE = ((140, 50, 140, 230),)
"""Strokes of a digit: (x1, y1, x2, y2) in pixels of the canvas."""


def open_page(app: AppTest, page: str, **query: str) -> AppTest:
    """Opens one of the app's pages, as a link does.

    Args:
        app: the app.
        page: file of the page.
        query: query parameters of its address.
    """
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page)
    return app.run()


def page_text(app: AppTest) -> str:
    """All text and HTML on the page."""
    elements = [*app.markdown, *app.caption, *app.info, *app.success, *app.get("html")]
    texts = [str(getattr(element, "value", None) or element.proto.body) for element in elements]
    return "\n".join([*texts, error_text(app)]).replace(WORD_JOINER, "")


def error_text(app: AppTest) -> str:
    """The text of all errors, without the characters that keep it from being Markdown."""
    return "\n".join(map(unescaped, (error.value for error in app.error)))


def unescaped(text: str) -> str:
    """The text that formatting.escape_markdown was given."""
    return text.replace("\\", "").replace(WORD_JOINER, "")


def toasts(app: AppTest) -> str:
    """The text of all toasts, without the characters that keep it from being Markdown."""
    return "\n".join(map(unescaped, (toast.value for toast in app.toast)))


def button(app: AppTest, label: str) -> Any:
    """The first button with a label."""
    return next(button for button in app.button if button.label == label)


def chart(app: AppTest, figure: str) -> Any:
    """The message of the chart of a figure, of a key that is or starts with `figure`."""
    return next(each.proto for each in app.get("vega_lite_chart") if re.search(rf"-{figure}(_\d+)?$", each.proto.id))


def click_chart(app: AppTest, figure: str, selection: str, **row: object) -> AppTest:
    """Sends what the browser sends after a click on a chart: the row as its selection, if that is another one."""
    states, content = app._tree.get_widget_states(), json.dumps({"selection": {selection: [row]}})
    states.widgets.append(WidgetState(id=chart(app, figure).id, string_value=content))
    return app._run(states)


def drawing(*lines: tuple[int, int, int, int], width: int = 280) -> dict[str, object]:
    """What the canvas sends for straight strokes of 20 pixels. `width`: of the canvas."""
    paper = np.zeros((280, width, 4), np.uint8)
    paper[..., 3] = 255
    paths = []
    for x1, y1, x2, y2 in lines:
        cv2.line(paper, (x1, y1), (x2, y2), (255, 255, 255, 255), 20)
        paths.append([["M", x1, y1], ["L", x2, y2]])
    return canvas_state(paper, *paths)


def canvas_state(paper: np.ndarray, *paths: list[Any], width: Any = 20) -> dict[str, object]:
    """What the canvas sends: an image and paths, which need not agree. `width`: of the brush."""
    url = "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", paper)[1]).decode()
    objects = [{"type": "path", "strokeWidth": width, "path": path} for path in paths]
    return {"drawing": {"raw": {"objects": objects}, "data": url}, "backgroundFit": None}
