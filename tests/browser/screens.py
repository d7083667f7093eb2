"""Every screen of the app by its address, the window sizes it must fit, and what its layout must hold to."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

SCREENS = {
    "home": "",
    "draw": "draw",
    "whole-number": "draw",
    "train": "train",
    "train-run": "train?run={run}",
    "runs": "runs",
    "runs-compared": "runs?compare={run},{other}",
    "sweep": "sweep?sweep={sweep}",
    "explain": "explain?view=layers",
    "attribution": "explain?view=reasons",
    "evaluate": "evaluate?view=confusion",
    "mistakes": "evaluate?view=worst",
    "data": "data?view=browse",
    "augmentation": "data?view=augmentation",
}
"""Name -> address below the app's, with the ids of two runs and a sweep left open."""
SIZES = {390: 844, 820: 1180, 1280: 720, 1920: 1080}
"""Width -> height of the window, in pixels: a phone, a tablet, a small and a large screen."""
SECONDS = 1000.0
"""In milliseconds, as Playwright counts."""
CHECK_LAYOUT = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8").partition("\n\n")[2]
"""The function of layout.js, without the comment above it."""


def open_screen(page: Page, url: str, name: str, ids: dict[str, str]) -> None:
    """Opens a screen and waits until all of it is shown. `ids`: of "run", "other" and "sweep"."""
    open_address(page, f"{url}/{SCREENS[name].format(**ids)}")
    if name == "whole-number":
        page.get_by_text("A whole number").click()
        wait_until_shown(page)


def open_address(page: Page, address: str) -> None:
    """Opens an address and waits until all of it is shown."""
    page.goto(address)
    page.locator("h1").first.wait_for(timeout=60 * SECONDS)
    wait_until_shown(page)


def wait_until_shown(page: Page) -> None:
    """Waits until the app has run and no spinner or placeholder is left."""
    page.wait_for_timeout(200)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=120 * SECONDS)
    page.locator('[data-testid="stSkeleton"], [data-testid="stSpinner"]').first.wait_for(
        state="detached", timeout=120 * SECONDS
    )


def resize(page: Page, width: int) -> None:
    """Gives the window one of the SIZES, and the page the time to lay itself out."""
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    page.wait_for_timeout(200)


def layout_problems(page: Page) -> list[str]:
    """What is cut off, overlaps or scrolls sideways, and a primary button out of view; a sentence each.

    A chart follows the window's width only once the browser finds time for it, so problems count after ten seconds.
    """
    for _ in range(20):
        problems: list[str] = page.evaluate(CHECK_LAYOUT)
        if not problems:
            break
        page.wait_for_timeout(500)
    return problems
