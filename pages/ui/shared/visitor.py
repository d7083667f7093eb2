"""The visitor: a browser, recognized by a random token in a cookie. Only a visitor may change what it created.

run = start_run(caches.backend(), spec, visitor.owner_id())
st.button("Stop", disabled=visitor.is_locked(run), on_click=visitor.owner_callback(run, stop))
guard.try_action(lambda: visitor.change_run(run, move_to_trash, run), pressed)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from mnist_core import owners
from mnist_core.config import admin_token
from mnist_core.errors import DigitLabError
from mnist_core.files.write_errors import explain_write_error
from mnist_core.owners import Visitor
from mnist_core.runs.run import Run
from pages.ui.shared import formatting, guard, sign_in, state

COOKIE = "digitlab_owner"
ADMIN_COOKIE = "digitlab_admin"
YEAR_SECONDS = 365 * 24 * 3600
SET_COOKIE = (
    '<span class="lab-keep"></span><script>document.cookie = "{name}={value}; path=/; max-age={seconds}; SameSite=Lax" '
    '+ (location.protocol === "https:" ? "; Secure" : "")</script>'
)
"""HTML that sets a cookie. Streamlit cannot set one; a script cannot set one that scripts cannot read (HttpOnly)."""


def current_visitor() -> Visitor:
    """The visitor of this session: who has signed in, else who the cookies name, else somebody new.

    Raises:
        NotOwnerError: people have to sign in here, and this one has not.
    """
    person = sign_in.signed_in_person()
    token, proof = st.session_state.get(state.VISITOR, ("", ""))
    if not token:
        token = sent_cookie(COOKIE) if owners.is_token(sent_cookie(COOKIE)) else owners.new_token()
        proof = sent_cookie(ADMIN_COOKIE)  # checked at each use
        st.session_state[state.VISITOR] = (token, proof)
    return Visitor(person.token, proof, person.is_admin) if person else Visitor(token, proof)


def sent_cookie(name: str) -> str:
    """A cookie as the browser sent it when the session began; empty if it sent none, as in AppTest."""
    value = st.context.cookies.get(name)
    return value if isinstance(value, str) else ""


def browser_address() -> str | None:
    """IP address of the browser: None if it is on the server's computer, and in AppTest."""
    address = st.context.ip_address
    return address if isinstance(address, str) else None


def owner_id() -> str:
    """The owner to record for what this visitor creates."""
    return current_visitor().owner


def remember_visitor() -> None:
    """Stores the visitor in the browser's cookies. Call it on every page."""
    visitor = current_visitor()
    token, _ = st.session_state[state.VISITOR]
    store_cookie(COOKIE, token)
    store_cookie(ADMIN_COOKIE, visitor.proof)


def store_cookie(name: str, value: str) -> None:
    """Sets a cookie, or deletes it if the value is empty; does nothing if the browser has it already.

    Streamlit knows only the cookies of the session's beginning, so a cookie that was set since is set on every run.

    Args:
        name: of the cookie.
        value: letters, digits, `-` and `_`; anything else, which could end the script, is left out.
    """
    set_before = st.session_state.setdefault(state.COOKIES_SET, set())
    if name not in set_before and sent_cookie(name) == value:
        return
    set_before.add(name)
    value = re.sub(r"[^\w-]", "", value, flags=re.ASCII)
    script = SET_COOKIE.format(name=name, value=value, seconds=YEAR_SECONDS if value else 0)
    st.html(script, unsafe_allow_javascript=True)


def is_locked(run: Run) -> bool:
    """Whether this visitor may not change the run."""
    return not owners.may_change(owners.read_owner(run.path), current_visitor())


def show_owner_note(run: Run) -> None:
    """Says why the controls of a run are disabled, if they are."""
    if is_locked(run):
        st.caption(
            "This run belongs to someone else. You can watch it, compare it, and train your own copy with changes."
        )


def change_run(run: Run, action: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
    """Runs an action that changes a run, and returns True. Raises NotOwnerError if the run is someone else's."""
    owners.check_may_change(owners.read_owner(run.path), current_visitor(), f"The run {run.id}")
    action(*arguments, **named)
    return True


def owner_callback(run: Run, action: Callable[..., Any]) -> Callable[..., None]:
    """The action as a widget's callback. Errors appear as a toast, since a callback has no place on the page."""

    def act(*arguments: Any, **named: Any) -> None:
        try:
            change_run(run, action, *arguments, **named)
        except OSError as error:  # the run was deleted meanwhile, or the disk is full
            message = f"{run.id} cannot be changed. {explain_write_error(error, run.path)}"
            st.toast(formatting.escape_markdown(message), icon=":material/block:")
        except DigitLabError as error:
            st.toast(formatting.escape_markdown(str(error)), icon=":material/block:")

    return act


def show_administrator_form() -> None:
    """Signs in and out as administrator, if this server has one."""
    visitor = current_visitor()
    if not (admin_token() or visitor.is_listed):
        return
    with st.expander("Administrator", icon=":material/shield_person:"):
        if visitor.is_admin:
            st.write("You are signed in as administrator and can change everything on this server.")
            if not visitor.is_listed and st.button("Sign out as administrator"):
                _set_proof("")
            return
        with st.form("administrator", clear_on_submit=True):
            token = st.text_input("Administrator token", type="password", autocomplete="off")
            pressed = st.form_submit_button("Sign in as administrator")
        if proof := guard.try_action(lambda: owners.admin_proof(visitor.token, token, browser_address()), pressed):
            _set_proof(proof)


def _set_proof(proof: str) -> None:
    token, _ = st.session_state[state.VISITOR]
    st.session_state[state.VISITOR] = (token, proof)
    st.rerun()
