"""Building a network, finding its learning rate and searching its settings, in a real browser against the real app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.networks.library import save_network
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.sweeps.store import Sweep, list_sweeps
from tests.browser.test_flows import SECONDS, choose, settled

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, app_url: str) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as browser:
        yield browser.new_page()


def opened(page: Page, url: str, heading: str) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=30 * SECONDS)
    settled(page)


def test_a_network_is_built_broken_mended_undone_and_sent_by_link(page: Page, chromium: Browser, app_url: str) -> None:
    opened(page, f"{app_url}/train", "Train a network")
    page.get_by_text("Your own network", exact=True).click()
    settled(page)
    choose(page, "Start from the network of", "recipe lesson08-mlp")
    page.get_by_role("button", name="Start from it").click()
    settled(page)
    whole = page.get_by_text(re.compile(r"^\d+ layers, [\d,]+ parameters")).inner_text()

    page.locator("label").filter(has_text=re.compile(r"^\d+ Flatten")).click()
    settled(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("which do not fit together yet")).to_be_visible(timeout=20 * SECONDS)
    mend = page.get_by_role("button", name=re.compile("Insert Flatten", re.I)).first
    expect(mend).to_be_visible(timeout=20 * SECONDS)
    mend.click()
    expect(page.get_by_text(whole)).to_be_visible(timeout=20 * SECONDS)
    settled(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("which do not fit together yet")).to_be_visible(timeout=20 * SECONDS)
    settled(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text(whole)).to_be_visible(timeout=20 * SECONDS)
    settled(page)

    page.get_by_role("tab", name="Share").click()
    page.get_by_text("Link to these settings").click()
    link = page.get_by_text(re.compile("[?&]net=")).inner_text()
    with chromium.new_context(viewport={"width": 390, "height": 900}) as phone:
        other = phone.new_page()
        opened(other, link.strip(), "Train a network")
        expect(other.get_by_text(whole)).to_be_visible(timeout=30 * SECONDS)


def test_a_learning_rate_is_found_and_used(page: Page, app_url: str) -> None:
    opened(page, f"{app_url}/train?recipe=lesson08-mlp&data=sample", "Train a network")
    page.get_by_text("Find a learning rate", exact=True).click()
    settled(page)
    page.get_by_role("button", name="Find a learning rate", exact=True).click()
    use = page.get_by_role("button", name=re.compile(r"^Use \d"))
    expect(use).to_be_visible(timeout=120 * SECONDS)
    rate = use.inner_text().split()[-1]
    use.click()
    settled(page)
    expect(page.get_by_role("slider", name="Learning rate")).to_have_attribute("aria-valuetext", rate)


def field(page: Page, label: str, value: str) -> None:
    """Types into a field, and lets the page take it."""
    box = page.locator("input").and_(page.get_by_label(label, exact=True))
    box.fill(value)
    box.press("Enter")
    settled(page)


@pytest.fixture
def base(how: str, app_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kept network that trains in a moment."""
    monkeypatch.setenv("DIGITLAB_RUNS", str(app_home / "runs"))
    return save_network(f"tiny, {how}", (Rescaling(1 / 255), Flatten(), Dense(10, "softmax"))).name


@pytest.mark.parametrize(("how", "trials"), [("Grid", 4), ("Random", 20), ("TPE", 20)])
def test_sweep_to_its_winner_on_the_canvas(how: str, trials: int, base: str, page: Page, app_url: str) -> None:
    opened(page, f"{app_url}/sweep", "Sweep")
    choose(page, "Base", f"your network: {base}")
    choose(page, "Data", "offline sample")
    page.get_by_role("radio", name=how, exact=True).click()
    settled(page)
    field(page, "Trials", str(trials))
    field(page, "Epochs per trial", "1")
    grid = {"learning rate": "0.001,0.01", "batch size": "128,512"}
    ranges = {"learning rate": "1e-4..1e-1:log", "batch size": "64..512"}
    for name, values in (grid if how == "Grid" else ranges).items():
        field(page, name, values)
    before = {sweep.id for sweep in list_sweeps()}
    page.get_by_role("button", name="Start sweep", exact=True).click()
    expect(page.get_by_text(re.compile(rf"of {trials} trials"))).to_be_visible(timeout=60 * SECONDS)
    expect(page.get_by_text(re.compile(r"left ·"))).to_be_visible(timeout=90 * SECONDS)
    expect(page.get_by_role("heading", name="Best trial")).to_be_visible(timeout=240 * SECONDS)
    (sweep,) = [sweep for sweep in list_sweeps() if sweep.id not in before]
    check(sweep, trials)
    page.get_by_role("link", name="Draw a digit for this model").click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_role("combobox", name="Model")).to_have_value(re.compile(r"^own"), timeout=30 * SECONDS)


def check(sweep: Sweep, trials: int) -> None:
    """Each trial once, each a run of its own with its mark."""
    found: list[dict[str, Any]] = sweep.trials()
    assert [row["trial"] for row in found] == list(range(trials))
    assert all(row["state"] in ("finished", "pruned") for row in found)
    assert len({row["run"] for row in found}) == trials
    for row in found:
        mark = sweep_mark(Run(sweep.root / row["run"]))
        assert (mark["sweep"], mark["trial"]) == (sweep.id, row["trial"])
    assert len(sweep.retrained_best()["runs"]) == 3
