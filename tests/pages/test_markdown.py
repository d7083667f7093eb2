"""Text that is not ours cannot put a link, an image, a color or a formula on a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from pages.ui.shared import formatting
from tests.pages.hostile import HOST, IMAGE, RUN, SWEEP, lay_hostile_files
from tests.pages.markdown_scan import Scan
from tests.pages.support import error_text, open_page, page_text
from tests.support import ROOT

PAYLOADS = [
    IMAGE,
    "[a](http://evil.test)",
    "<http://evil.test>",
    "http://evil.test/b",
    "HTTPS://evil.test",
    "www.evil.test",
    "me@evil.test",
    "<img src='http://evil.test/i.png'>",
    "[a]: http://evil.test\n\n[a]",
    "![a]\n\n[a]: http://evil.test",
    "**bold** __bold__ `code` ~~old~~",
    "# Heading",
    "1. item",
    "12) item",
    "- item",
    "> quote",
    "=====",
    "&lt;img&gt;",
    "\n\n# Heading\n\n    code\n\n| a | b |\n| - | - |",
    "a\\![x](http://evil.test/x.png)\\",
    ":material/delete: :smile: :a:material/home:",
]
ICON = re.compile(r":[\w+/-]+:")
"""What becomes an emoji or, with `material/` before its name, an icon."""
AUTOLINK = re.compile(r"(?i)https?://|www\.|[-.\w+]+@[-\w]+\.")
"""What becomes a link in the text that is left once Markdown is parsed, as mdast-util-gfm-autolink-literal finds it."""
PLAIN = {
    "MultiSelect.options",
    "MultiSelect.raw_values",
    "Selectbox.options",
    "TextArea.default",
    "TextInput.default",
    "TextInput.placeholder",
    "VegaLiteChart.alt",
}
"""Fields of Streamlit's messages that browsers show as they are, see markdown_scan.TEXTS."""

OURS = {
    **dict.fromkeys(
        (f"pages/ui/draw/workbench.py: PictureHtml(bench.reading.{part})" for part in ("answer", "details", "stages")),
        "Made by `prediction_view` and `thumbnails`, which escape what they are given.",
    ),
    "pages/ui/shared/sketchpad.py: label": "One of three buttons of a list in the same function.",
    "pages/ui/shared/visitor.py: script": "A script; its values are letters and digits.",
}
"""File and text -> why it is safe although the scan cannot tell."""


@pytest.mark.parametrize("text", PAYLOADS)
def test_an_escaped_text_is_one_paragraph_of_plain_text(text: str) -> None:
    [opening, inline, _] = MarkdownIt("commonmark").enable("table").parse(formatting.escape_markdown(text))
    assert opening.type == "paragraph_open"
    assert {token.type for token in inline.children or []} == {"text"}
    shown = "".join(token.content for token in inline.children or [])
    assert shown.replace(formatting.WORD_JOINER, "") == " ".join(text.split())
    assert not AUTOLINK.search(shown) and not ICON.search(shown)


def test_an_escaped_text_is_bounded_and_can_be_sent() -> None:
    assert len(formatting.escape_markdown("x" * 10**6)) < 1100
    assert formatting.escape_markdown("a\x00b\u202ec\ud800") == "a b c"


def test_every_text_that_streamlit_renders_is_ours_or_escaped() -> None:
    scan = Scan([*sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"])
    found = {f"{file.relative_to(ROOT).as_posix()}: {ast.unparse(text)}" for file, text in scan.unsafe_texts()}
    assert found == set(OURS), "escape it with formatting.escape_markdown, or html.escape in st.html"


def test_the_scan_finds_what_it_should(tmp_path: Path) -> None:
    source = tmp_path / "page.py"
    source.write_text(
        """
def name_of(run):
    return run.name

def show(title, count):
    st.markdown(f"**{title}**")           # 1: the second call
    st.caption(f"{count:,} runs")
    st.radio("Data", list(names), format_func=lambda each: names.get(each, each))  # 2
    st.progress(0.5, text=status.message)  # 3
    column.button("Go", help=name_of(run))  # 4
    label = "a" if count else run.name
    st.expander(label)  # 5
    st.error(escape_markdown(run.name))
    st.html(f"<b>{html.escape(run.name)}</b>")
    st.html(f"<b>{escape_markdown(run.name)}</b>")  # 6
    st.selectbox("Run", runs, format_func=name_of)

show("Ours", 1)
show(run.name, 2)
""",
        encoding="utf-8",
    )
    assert sorted(text.lineno for _, text in Scan([source]).unsafe_texts()) == [6, 8, 9, 10, 12, 15]


def rendered_messages(node: Any) -> Iterator[Message]:
    """The message of every element and block below a node of AppTest's tree."""
    if isinstance(getattr(node, "proto", None), Message):
        yield node.proto
    for child in getattr(node, "children", {}).values():
        yield from rendered_messages(child)


def texts_with_host(message: Message) -> Iterator[tuple[str, str]]:
    """Name and text of each field in which a browser would find the attacker's host."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Message):
                yield from texts_with_host(each)
            elif isinstance(each, str) and re.search(rf"https?://{HOST}", each):
                yield f"{message.DESCRIPTOR.name}.{field.name}", each


@pytest.mark.slow
def test_hostile_texts_in_files_are_shown_as_they_are(app: AppTest, runs_root: Path) -> None:
    lay_hostile_files(runs_root)
    views = [
        ("pages/runs.py", {}),
        ("pages/runs.py", {"compare": f"{RUN},20261126-140000-own-00failed"}),
        ("pages/runs.py", {"compare": "20261126-140002-own-unreadab"}),
        ("pages/train.py", {"run": RUN}),
        ("pages/train.py", {"run": "20261126-140000-own-00failed"}),
        ("pages/sweep.py", {"sweep": SWEEP}),
        ("pages/data.py", {"view": "browse"}),
        ("pages/evaluate.py", {"model": RUN}),
        ("pages/explain.py", {"model": RUN}),
        ("pages/draw.py", {"model": RUN}),
    ]
    for page, query in views:
        open_page(app, page, **query)
        assert not app.exception and "Something went wrong" not in error_text(app)
        found = {text for message in rendered_messages(app._tree) for text in texts_with_host(message)}
        assert {name for name, _ in found} <= PLAIN, (page, query)


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("train", "run"),
        ("train", "like"),
        ("train", "recipe"),
        ("train", "data"),
        ("train", "epochs"),
        ("runs", "compare"),
        ("sweep", "sweep"),
        ("draw", "model"),
        ("explain", "model"),
    ],
)
def test_hostile_links_are_quoted_as_they_are(app: AppTest, page: str, name: str) -> None:
    open_page(app, f"pages/{page}.py", **{name: IMAGE})
    assert not app.exception
    assert not {text for message in rendered_messages(app._tree) for text in texts_with_host(message)}
    assert IMAGE in page_text(app)
