"""Sign-in in front of the app: who passes, as whom, and what is said where it is set up wrong."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core import config, owners
from mnist_core.errors import NotOwnerError
from pages.ui.shared import sign_in, state
from tests.pages.support import button, error_text, open_page, page_text

AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "x" * 43,
    "client_id": "digit-lab",
    "client_secret": "secret",
    "server_metadata_url": "http://127.0.0.1:9/.well-known/openid-configuration",
}
ANN = {
    "is_logged_in": True,
    "iss": "https://id.example.org",
    "sub": "248289761001",
    "name": "Ann [x](y)",
    "email": "Ann@example.org",
    "email_verified": True,
}


@pytest.fixture
def closed(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """An app where people have to sign in, and nobody has."""
    app.secrets["auth"] = AUTH
    monkeypatch.setattr(sign_in, "sent_user", lambda: {"is_logged_in": False})
    return app


def signs_in(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """From now on the browser sends the cookie of a person who has signed in."""
    monkeypatch.setattr(sign_in, "sent_user", lambda: ANN | changes)


@pytest.mark.parametrize("page", ["pages/home.py", "pages/runs.py"])
def test_who_has_not_signed_in_sees_nothing_else(page: str, closed: AppTest) -> None:
    open_page(closed, page)
    assert [one.label for one in closed.button] == ["Sign in"] and not closed.exception
    assert [title.value for title in closed.title] == ["Digit Lab"] and not closed.error
    assert state.VISITOR not in closed.session_state


def test_each_identity_provider_has_its_button(closed: AppTest) -> None:
    provider = {name: AUTH[name] for name in ("client_id", "client_secret", "server_metadata_url")}
    shared = {name: value for name, value in AUTH.items() if name not in provider}
    closed.secrets["auth"] = shared | {"google": provider, "school": provider}
    closed.run()
    assert [one.label for one in closed.button] == ["Sign in with Google", "Sign in with School"]


def test_who_has_signed_in_owns_what_they_make_in_every_browser(
    closed: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs_in(monkeypatch)
    open_page(closed, "pages/runs.py")
    assert button(closed, "Sign out").help.replace("\\", "") == "You are signed in as Ann [x](y)."
    assert "[x](" not in button(closed, "Sign out").help, "the name is no Markdown"
    person = sign_in.Person("", owners.person_token(ANN["iss"], ANN["sub"]), False)
    expected = hashlib.sha256(b'["https://id.example.org", "248289761001"]').hexdigest()
    assert owners.Visitor(person.token).owner == expected
    assert expected not in page_text(closed)
    assert person.token not in str(closed.session_state[state.VISITOR]), "the browser is not told, and is not believed"


@pytest.mark.parametrize("changes", [{"sub": None}, {"iss": ""}, {"sub": 7}], ids=str)
def test_a_provider_that_does_not_say_who_it_is_lets_nobody_in(
    changes: dict[str, Any], closed: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs_in(monkeypatch, **changes)
    closed.run()
    assert "did not say who you are" in error_text(closed) and not closed.button


def test_no_browser_token_is_that_of_a_person() -> None:
    assert not owners.is_token(owners.person_token("i", "s"))
    with pytest.raises(NotOwnerError):
        owners.person_token("ab", "")


OWNER = hashlib.sha256(b'["https://id.example.org", "248289761001"]').hexdigest()


@pytest.mark.parametrize(
    ("admins", "changes", "expected"),
    [
        ("", {}, False),
        ("ben@example.org", {}, False),
        ("ben@example.org, ann@EXAMPLE.org", {}, True),
        ("ann@example.org", {"email_verified": False}, False),
        ("ann@example.org", {"email_verified": "true"}, False),
        ("ann@example.org", {"email": None}, False),
        (OWNER, {"email": None}, True),
        (OWNER, {"iss": "https://other.example.org"}, False),
        (",", {"email": ""}, False),
    ],
)
def test_who_is_an_administrator(
    admins: str, changes: dict[str, Any], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_ADMINS", admins)
    monkeypatch.setattr(sign_in, "is_on", lambda: True)
    signs_in(monkeypatch, **changes)
    person = sign_in.signed_in_person()
    assert person is not None and person.is_admin is expected
    assert owners.may_change(owners.NOBODY, owners.Visitor(person.token, "", person.is_admin)) is (
        expected or not config.admins()
    )


@pytest.mark.parametrize("secret", [None, "xxx", "x" * 31])
def test_a_cookie_secret_that_can_be_guessed_lets_nobody_in(secret: str | None, closed: AppTest) -> None:
    closed.secrets["auth"] = {name: value for name, value in (AUTH | {"cookie_secret": secret}).items() if value}
    closed.run()
    assert "shorter than 32 characters" in error_text(closed) and not closed.button


def test_without_authlib_the_page_says_what_to_install(closed: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "authlib" else find(name, *a))
    closed.run()
    assert "pip install -r requirements-sign-in.txt" in error_text(closed) and not closed.button


def test_secrets_that_cannot_be_read_let_nobody_in(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.toml").write_text('[auth\nclient_id = "digit-lab"')
    monkeypatch.setattr(sign_in.st, "get_option", lambda _: [str(tmp_path / "secrets.toml")])
    app.run()
    assert "cannot be read as TOML" in error_text(app) and not app.button
