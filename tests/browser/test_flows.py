"""What people do, in a real browser against the real app."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect

from mnist_core import owners
from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.status import Status
from mnist_core.runs.store import list_runs
from tests.browser.hands import ROUND_HAND, SLANTED_HAND, Stroke
from tests.browser.ready_runs import finished_run
from tests.support import wait_until

pytestmark = pytest.mark.browser
SECONDS = 1000.0  # Playwright counts in milliseconds


@pytest.fixture
def page(chromium: Browser, app_url: str) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as browser:  # with cookies of its own
        page = browser.new_page()
        page.goto(f"{app_url}/draw")
        expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible(timeout=30 * SECONDS)
        yield page


def drawing_canvas(page: Page) -> Locator:
    """The canvas, once there is one: after Clear, the old one may still be there."""
    canvas = page.locator("canvas.upper-canvas")
    expect(canvas).to_have_count(1, timeout=30 * SECONDS)
    return canvas


def draw(page: Page, strokes: list[Stroke], right: float = 0, size: float = 1) -> None:
    """Draws with the mouse, as a person does: press, move along, lift. `right` and `size`: where, and how wide."""
    canvas = drawing_canvas(page)
    expect(canvas).to_be_visible(timeout=30 * SECONDS)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    scale = box["height"] / 280  # a phone shows the wide canvas smaller
    for stroke in strokes:
        points = [(box["x"] + scale * (right + size * x), box["y"] + scale * y) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=3)
        page.mouse.up()


def read(page: Page) -> int:
    """The digit that the page answers."""
    answer = page.locator("[data-digit]").first
    expect(answer).to_be_visible(timeout=20 * SECONDS)
    return int(answer.get_attribute("data-digit") or -1)


def settled(page: Page) -> None:
    """Waits until the app has reacted: the canvas reports 200 ms after the pen is lifted, other widgets at once."""
    page.wait_for_timeout(400)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(
        timeout=60 * SECONDS
    )


def test_drawn_digits_are_read(page: Page) -> None:
    """By mouse. test_canvas.py draws by touch, and tests/drawing/test_normalize.py has all digits of both hands."""
    answers, drawn = [], ROUND_HAND[1::4]
    for _, strokes in drawn:
        draw(page, strokes)
        settled(page)
        answers.append(read(page))
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(page.get_by_text("The prediction appears while you draw")).to_be_visible(timeout=20 * SECONDS)
        settled(page)  # the prompt appears before the new canvas
    assert answers == [digit for digit, _ in drawn]


def test_tools_are_those_of_what_is_read_a_drawing_or_an_upload(page: Page) -> None:
    paper = np.full((300, 300), 255, np.uint8)
    cv2.line(paper, (150, 60), (150, 240), 0, 18)
    png = cv2.imencode(".png", paper)[1].tobytes()
    page.get_by_text("Upload a picture").click()
    page.locator("input[type=file]").set_input_files({"name": "one.png", "mimeType": "image/png", "buffer": png})
    tools = page.get_by_role("button", name="Correct the prediction")
    sources = page.get_by_role("radiogroup").filter(has_text="Uploaded picture")
    assert read(page) == 1
    for source, count in (("Your drawing", 0), ("Uploaded picture", 1)):
        sources.get_by_text(source, exact=True).click()
        expect(tools).to_have_count(count, timeout=20 * SECONDS)


def test_number_is_read_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.get_by_text("A whole number").click()
    expect(page.get_by_text("Write a whole number")).to_be_visible(timeout=30 * SECONDS)
    settled(page)
    digits = [ROUND_HAND[2], ROUND_HAND[0], SLANTED_HAND[2], ROUND_HAND[6]]
    for place, (_, strokes) in enumerate(digits):
        draw(page, strokes, right=130 * place - 30, size=0.8)
    settled(page)
    answer = page.locator("[data-number]").first
    expect(answer).to_have_attribute("data-number", "2026", timeout=20 * SECONDS)


def test_misread_drawing_is_kept_listed_and_deleted(page: Page) -> None:
    for stroke in ROUND_HAND[4][1]:
        draw(page, [stroke])
        settled(page)
    page.get_by_role("button", name="Correct the prediction").click()
    page.get_by_test_id("stPopoverBody").get_by_text("9", exact=True).click()
    settled(page)
    page.get_by_text("Keep this drawing on this server").click()
    settled(page)
    page.get_by_role("button", name="Keep drawing").click()
    kept = page.get_by_text("Kept as 9. You can")
    expect(kept).to_be_visible(timeout=20 * SECONDS)
    page.keyboard.press("Escape")
    draw(page, [[(40, 40), (60, 40)]])
    settled(page)
    page.get_by_role("button", name="Correct the prediction").click()
    expect(page.get_by_role("button", name="Keep drawing")).to_be_visible(timeout=20 * SECONDS)
    expect(kept).to_have_count(0)  # what is drawn now is not kept
    expect(page.get_by_role("button", name="Keep drawing")).to_be_disabled()  # and has no label yet
    page.get_by_test_id("stPopoverBody").get_by_text("1", exact=True).click()
    settled(page)
    page.get_by_role("button", name="Keep drawing").click()
    page.get_by_role("link", name="Kept drawings").click()
    for count in (2, 1):
        expect(page.get_by_role("heading", name=f"Kept drawings: {count}")).to_be_visible(timeout=30 * SECONDS)
        page.get_by_role("button", name="Delete", exact=True).first.click()
    expect(page.get_by_text("None yet")).to_be_visible(timeout=20 * SECONDS)


def choose(page: Page, label: str, option: str) -> None:
    """Chooses in a menu by what its option begins with."""
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=re.compile(f"^{re.escape(option)}")).click()
    settled(page)


@pytest.fixture(autouse=True)
def no_training_is_left(app_home: Path) -> Iterator[None]:
    """Stops what a failed test has left: the next test would wait for its slot."""
    yield
    for run in list_runs(app_home / "runs"):
        if not run.status().final:
            run.update_control(stop=True, paused=False)


def step(page: Page) -> int:
    """How many batches the page says are trained."""
    found = re.search(r"Step ([\d,]+) of", page.locator(".st-key-run_bar").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def later(page: Page, first: int) -> int:
    """A step after `first`, waited for."""
    for _ in range(300):
        if (now := step(page)) > first:
            return now
        page.wait_for_timeout(200)
    return pytest.fail(f"the training did not get past step {first}")


def picture(chart: Locator) -> bytes:
    """A screenshot, taken again if the chart was being replaced, as by one with a second curve."""
    for _ in range(5):
        with suppress(Error):
            return chart.screenshot()
    return chart.screenshot()


def train_long(page: Page, app_url: str) -> None:
    """Starts a run so long that there is time to stop it."""
    page.goto(f"{app_url}/train?epochs=400&data=sample")
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible(timeout=30 * SECONDS)
    settled(page)
    page.get_by_role("button", name="Train", exact=True).click()


def test_train_watch_leave_return_stop_and_draw(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    train_long(page, app_url)
    first = later(page, 0)
    chart = page.get_by_test_id("stVegaLiteChart").first
    expect(chart).to_be_visible(timeout=30 * SECONDS)
    for seen in (
        chart,
        *(page.get_by_role("button", name=name, exact=True).last for name in ("Train", "Pause", "Stop")),
    ):
        expect(seen).to_be_in_viewport(ratio=0.95)
    before = picture(chart)
    later(page, first)
    wait_until(lambda: picture(chart) != before, "new points on the curve", seconds=30)
    expect(page.get_by_text("offline sample, 5,000 digits").last).to_be_visible()
    expect(page.get_by_text(re.compile(r"validation \d"))).to_be_visible(timeout=60 * SECONDS)  # an epoch has ended

    page.get_by_text("Recent runs").click()
    expect(page.get_by_role("link", name=re.compile("fast .* running$"))).to_be_visible(timeout=10 * SECONDS)

    link = page.url
    assert "run=" in link
    page.get_by_role("link", name="Play").first.click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible(timeout=30 * SECONDS)
    browser = page.context
    page.close()
    page = browser.new_page()
    page.goto(link)
    again = later(page, 0)
    later(page, again)  # still running, and moving

    page.get_by_role("button", name="Stop", exact=True).last.click()
    expect(page.get_by_text(re.compile("Stopped in epoch")).first).to_be_visible(timeout=60 * SECONDS)
    expect(page.get_by_text("Test accuracy")).to_be_visible(timeout=30 * SECONDS)
    page.get_by_role("link", name="Draw a digit for it").click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_role("combobox", name="Model")).to_have_value(re.compile(r" · fast · \d"), timeout=30 * SECONDS)
    draw(page, ROUND_HAND[1][1])
    settled(page)
    assert read(page) == 1


def cookie(page: Page) -> str:
    """The token that the browser keeps, once it does."""
    for _ in range(100):
        for kept in page.context.cookies():
            if kept.get("name") == "digitlab_owner":
                assert kept.get("sameSite") == "Lax" and kept.get("expires", 0) > time.time() + 300 * 24 * 3600
                return kept.get("value", "")
        page.wait_for_timeout(100)
    return pytest.fail("the browser was given no token")


def test_only_the_browser_that_made_a_run_stops_and_deletes_it(
    page: Page, chromium: Browser, app_url: str, app_home: Path
) -> None:
    """The run is ready-made: the test before has one that is trained."""
    token = cookie(page)
    run = finished_run(app_home / "runs", 0.9)
    owners.write_owner(run.path, owners.Visitor(token).owner)
    write_stamped_status(run, Status("running", "Training.", 1, 2, 10, 20, data="sample"))
    link, runs_link = f"{app_url}/train?run={run.id}", f"{app_url}/runs?compare={run.id}"
    with chromium.new_context() as another:
        stranger = another.new_page()
        stranger.goto(link)
        expect(stranger.get_by_text("This run belongs to someone else")).to_be_visible(timeout=30 * SECONDS)
        assert cookie(stranger) != token
        expect(stranger.locator(".st-key-stop").get_by_role("button")).to_be_disabled(timeout=30 * SECONDS)

        page.goto(link)
        page.locator(".st-key-stop").get_by_role("button").click(timeout=30 * SECONDS)
        wait_for(page, lambda: run.control().get("stop") is True, "the request to stop")
        assert cookie(page) == token
        write_stamped_status(run, Status("stopped", "Stopped.", 1, 2, 10, 20, data="sample"))

        stranger.goto(runs_link)
        expect(stranger.get_by_text("This run belongs to someone else")).to_be_visible(timeout=30 * SECONDS)
        expect(stranger.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
        stranger.get_by_role("link", name="Open", exact=True).click()  # far down
        expect(stranger.get_by_text("Settings and network of this run")).to_be_visible(timeout=30 * SECONDS)
        settled(stranger)
        expect(stranger.get_by_role("heading", name="Train a network")).to_be_in_viewport()

        page.goto(f"{app_url}/runs")
        expect(page.get_by_role("heading", name="Your runs")).to_be_visible(timeout=30 * SECONDS)
        table = page.locator(".st-key-table-mine").get_by_test_id("stDataFrame")
        box = table.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 15, box["y"] + 52)  # the tick of the first row: a canvas has no elements
        page.get_by_role("button", name="Delete", exact=True).click(timeout=30 * SECONDS)
        expect(page.get_by_text("Run deleted.", exact=True)).to_be_visible(timeout=30 * SECONDS)

        stranger.goto(runs_link)
        expect(stranger.get_by_text(f"The run {run.id} was deleted")).to_be_visible(timeout=30 * SECONDS)
        page.get_by_role("button", name="Undo").click()
        stranger.wait_for_timeout(500)
        stranger.goto(runs_link)
        expect(stranger.get_by_role("button", name="Delete", exact=True)).to_be_disabled(timeout=30 * SECONDS)


def test_link_to_a_page_goes_through_the_app(chromium: Browser, app_url: str) -> None:
    """Menu, tabs, the title and icon of the browser's tab, and the way Home."""
    page = chromium.new_page()
    page.goto(f"{app_url}/train")
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_role("link", name="Play").first).to_be_visible(timeout=30 * SECONDS)  # app.py's navigation
    expect(page).to_have_title("Train · Digit Lab")
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page).to_have_title("Runs · Digit Lab", timeout=30 * SECONDS)
    place = page.get_by_test_id("stTopNavLink").filter(has_text="Train")
    expect(place).to_have_css("font-weight", "600")  # highlighted as its place
    icon = page.locator('link[rel~="icon"]').get_attribute("href") or ""
    assert icon.startswith("data:image/svg+xml")
    assert page.evaluate(
        "async (url) => { const i = new Image(); i.src = url; await i.decode(); return i.width }", icon
    )
    page.get_by_test_id("stLogoLink").click()
    expect(page.get_by_role("heading", name="Digit Lab")).to_be_visible(timeout=30 * SECONDS)
    expect(page).to_have_title("Digit Lab")
    page.close()


def test_training_is_watched_and_steered(page: Page, app_url: str, app_home: Path) -> None:
    """One's own digit being learned and read; pause, one batch, another learning rate, more epochs, stop."""
    page.goto(f"{app_url}/train?mode=expert&recipe=lesson08-mlp&epochs=400&data=sample&batch_size=64")
    expect(page.get_by_role("heading", name="Train a network")).to_be_visible(timeout=30 * SECONDS)
    settled(page)
    page.get_by_text("Watch your own handwriting").click()
    settled(page)
    draw(page, ROUND_HAND[7][1])
    settled(page)
    page.get_by_role("button", name="Add this digit").click()
    settled(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator('[data-probe="7"]')).to_be_visible(timeout=90 * SECONDS)
    expect(page.get_by_text(re.compile("of 60 test digits are read correctly")).first).to_be_visible()

    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("paused", exact=True)).to_be_visible(timeout=10 * SECONDS)
    page.wait_for_timeout(1500)
    run = shown_run(page, app_home)
    before = run.status().step
    draw(page, ROUND_HAND[7][1])  # the network as it is reads it in the browser, before and after one more batch
    expect(page.get_by_text(f"reads your drawing after {before:,} batches")).to_be_visible(timeout=20 * SECONDS)
    expect(page.locator('.lab-live[data-canvas="probe_canvas"] .lab-digit')).to_have_text("7", timeout=20 * SECONDS)
    page.get_by_role("button", name="One batch", exact=True).click()
    wait_for(page, lambda: run.status().step == before + 1, "one batch")
    expect(page.get_by_text(f"reads your drawing after {before + 1:,} batches")).to_be_visible(timeout=20 * SECONDS)
    page.get_by_text("Change while running").click()
    settled(page)
    page.get_by_role("spinbutton", name="Total epochs").fill("500")
    page.get_by_role("spinbutton", name="Total epochs").press("Enter")
    page.get_by_role("slider", name="Learning rate from now on").press("ArrowLeft")
    wait_for(page, lambda: run.control().get("epochs") == 500 and "learning_rate" in run.control(), "the wishes")
    page.get_by_role("button", name="Resume", exact=True).click()
    wait_for(page, lambda: run.status().step > before + 50, "it goes on")
    assert run.status().epochs == 500
    assert any("changed" in row for row in run.metrics().rows)

    page.get_by_role("button", name="Stop", exact=True).last.click()
    expect(page.get_by_text(re.compile("Stopped in epoch")).first).to_be_visible(timeout=60 * SECONDS)

    settled(page)
    expect(page.get_by_text("The trained network reads your drawing")).to_be_visible(timeout=20 * SECONDS)
    draw(page, ROUND_HAND[7][1])
    settled(page)
    answer = page.locator('.lab-live[data-canvas="probe_canvas"] .lab-digit')
    expect(answer).to_be_visible(timeout=20 * SECONDS)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(answer).to_have_count(0, timeout=20 * SECONDS)


def shown_run(page: Page, home: Path) -> Run:
    """The run that the page shows."""
    found = re.search(r"run=([a-z0-9-]+)", page.url)
    assert found is not None
    return Run(home / "runs" / found[1])


def wait_for(page: Page, condition: Callable[[], bool], what: str) -> None:
    for _ in range(300):
        if condition():
            return
        page.wait_for_timeout(200)
    pytest.fail(f"waited in vain: {what}")
