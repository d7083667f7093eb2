"""Signing in and out with an identity provider on this machine, in a real browser: the app as it is deployed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from benchmarks.live import serving, wait_healthy
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from tests.browser.conftest import app_environment
from tests.browser.test_flows import SECONDS
from tests.deploy.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider

pytestmark = pytest.mark.browser

SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "kT0bYw3vC1cFh2eQ8sJ5mLr6uX9zNq4pDg7a"
client_id = "%s"
client_secret = "%s"
server_metadata_url = "%s/.well-known/openid-configuration"
"""


def test_who_has_signed_in_owns_their_runs_until_they_sign_out(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with identity_provider({"sub": "ann", "name": "Ann"}) as provider:
        secrets = tmp_path / "secrets.toml"
        secrets.write_text(SECRETS % (CLIENT_ID, CLIENT_SECRET, provider.url))
        ann = hashlib.sha256(json.dumps([provider.url, "ann"]).encode()).hexdigest()
        monkeypatch.setenv("DIGITLAB_RUNS", str(tmp_path / "runs"))
        run = create_run(make_spec("fast", {}, "sample"), owner=ann)
        run.write_status(replace(run.status(), state="stopped"))  # else the app would train it
        with serving(tmp_path, app_environment(tmp_path) | {"STREAMLIT_SECRETS_FILES": str(secrets)}) as app:
            wait_healthy(app)
            page = chromium.new_context().new_page()
            page.goto(f"{app.url}/runs")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=30 * SECONDS)
            page.goto(f"{app.url}/runs")
            expect(page.get_by_text("Your runs", exact=True)).to_be_visible(timeout=30 * SECONDS)
            assert "_streamlit_user" not in page.evaluate("document.cookie"), "no script can read who signed in"

            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=30 * SECONDS)
            page.context.close()
