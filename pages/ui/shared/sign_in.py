"""Sign-in in front of the app with OpenID Connect: on where secrets.toml has a section [auth], else nobody signs in.

Streamlit speaks the protocol (`st.login`) and keeps the person in a signed cookie. Here is who may pass, and as whom.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError

from mnist_core import owners
from mnist_core.config import admins
from mnist_core.errors import NotOwnerError, SettingError
from pages.ui.shared import formatting, guard

SHORTEST_COOKIE_SECRET = 32
"""Characters. Whoever guesses the secret can sign in as anybody."""
PACKAGES = ("authlib", "httpx")
"""What st.login needs beyond requirements.txt."""


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in.

    Attributes:
        name: to show.
        token: identifies the person as `Visitor.token` identifies a browser, the same in every browser.
        is_admin: DIGITLAB_ADMINS lists the person.
    """

    name: str
    token: str = field(repr=False)
    is_admin: bool


def is_on() -> bool:
    """Whether people have to sign in.

    Raises:
        SettingError: secrets.toml cannot be read. Nobody passes then: it may be the file that asks for a sign-in.
    """
    if st.secrets.load_if_toml_exists():
        return "auth" in st.secrets
    for path in map(Path, st.get_option("secrets.files")):
        if path.exists():
            raise SettingError(
                f"{path.name} cannot be read as TOML. Correct it, or delete it if nobody has to sign in."
            )
    return False


def signed_in_person() -> Person | None:
    """Who has signed in; None if nobody has to.

    Raises:
        NotOwnerError: nobody has signed in.
    """
    if not is_on():
        return None
    user = sent_user()
    if not user.get("is_logged_in"):
        raise NotOwnerError("Sign in first: reload the page.")
    token = owners.person_token(user.get("iss"), user.get("sub"))
    email = str(user.get("email", "")).casefold() if user.get("email_verified") is True else ""
    name = str(user.get("name") or user.get("email") or user["sub"])
    return Person(name, token, bool({email, owners.Visitor(token).owner} & admins()))


def sent_user() -> Mapping[str, Any]:
    """The claims of the identity provider, from a cookie that Streamlit has signed and checked; empty without one."""
    return st.user.to_dict()


def require_sign_in() -> None:
    """Shows the sign-in and ends the script, if people have to sign in and this one has not. Call it before a page."""
    passes = False

    def check() -> None:
        nonlocal passes
        if is_on() and not sent_user().get("is_logged_in"):
            _show_sign_in()
        else:
            signed_in_person()  # raises if the provider has not said who it is
            passes = True

    guard.render(check)
    if not passes:
        st.stop()


def _show_sign_in() -> None:
    settings = st.secrets["auth"]
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise SettingError(
            f"This server asks for a sign-in, which needs {' and '.join(missing)}: "
            "pip install -r requirements-sign-in.txt, then start it again."
        )
    if len(settings.get("cookie_secret", "")) < SHORTEST_COOKIE_SECRET:
        raise SettingError(
            f"cookie_secret in secrets.toml is missing or shorter than {SHORTEST_COOKIE_SECRET} characters. "
            'Let Python make one: python -c "import secrets; print(secrets.token_urlsafe())".'
        )
    st.title("Digit Lab")
    st.write("Sign in to train networks and draw digits. What you make belongs to you in every browser.")
    providers = [name for name, value in settings.items() if isinstance(value, Mapping) and "client_id" in value]
    for provider in [*([None] if "client_id" in settings else []), *providers]:
        label = f"Sign in with {formatting.escape_markdown(provider.capitalize())}" if provider else "Sign in"
        if st.button(label, key=f"sign_in_{provider}", type="primary", icon=":material/login:"):
            try:
                st.login(provider)
            except StreamlitAuthError as error:
                raise SettingError(str(error)) from None


def show_sign_out() -> None:
    """A button that signs out, if people have to sign in."""
    person = signed_in_person()
    if person and st.button(
        "Sign out",
        type="tertiary",
        icon=":material/logout:",
        help=f"You are signed in as {formatting.escape_markdown(person.name)}.",
    ):
        st.logout()
