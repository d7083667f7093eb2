"""Who is at the browser. It keeps a random token in a cookie; what it starts, keeps and names is its own.

run = jobs.start(backend, spec, owner.me())
st.button("Stop", disabled=owner.locked(run), on_click=owner.checked(run, stop))
guard.try_action(lambda: owner.change(run, move_to_trash, run), pressed)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from mnist_core import owners
from mnist_core.config import admin_token
from mnist_core.errors import DigitLabError
from mnist_core.owners import Visitor
from mnist_core.runs.run import Run
from pages.ui.shared import formatting, guard, state

COOKIE = "digitlab_owner"
ADMIN_COOKIE = "digitlab_admin"
YEAR_SECONDS = 365 * 24 * 3600

# Streamlit reads cookies and cannot set them; and a script may not set one that scripts cannot read (HttpOnly).
_SET = (
    '<span class="lab-keep"></span><script>document.cookie = "{name}={value}; path=/; max-age={seconds}; SameSite=Lax" '
    '+ (location.protocol === "https:" ? "; Secure" : "")</script>'
)


def current_visitor() -> Visitor:
    """Who is at this browser: the token of this session, which is its cookie's; a new one for a browser without."""
    token, proof = st.session_state.get(state.VISITOR, ("", ""))
    if not token:
        token = _sent(COOKIE) if owners.is_token(_sent(COOKIE)) else owners.new_token()
        proof = _sent(ADMIN_COOKIE)  # checked whenever it is used
        st.session_state[state.VISITOR] = (token, proof)
    return Visitor(token, proof)


def _sent(name: str) -> str:
    """A cookie as the browser had it when the session began; empty where it had none, and in a test, which has none."""
    value = st.context.cookies.get(name)
    return value if isinstance(value, str) else ""


def owner_id() -> str:
    """What stands in the files of what this visitor makes: `jobs.start(backend, spec, owner.me())`."""
    return current_visitor().owner


def remember_visitor() -> None:
    """Has the browser keep who it is; to be called on every page. Nothing is sent that it has already."""
    who = current_visitor()
    _keep(COOKIE, who.token)
    _keep(ADMIN_COOKIE, who.proof)


def _keep(name: str, value: str) -> None:
    """Sets a cookie, or forgets it where the value is empty.

    What the browser sent is of when the session began: one that has been set since is set on every run. The value is
    of the characters of a token: nothing in it could end the script.
    """
    since = st.session_state.setdefault(state.COOKIES_SET, set())
    if name not in since and _sent(name) == value:
        return
    since.add(name)
    script = _SET.format(name=name, value=value, seconds=YEAR_SECONDS if value else 0)
    st.html(script, unsafe_allow_javascript=True)


def is_locked(run: Run) -> bool:
    """Whether this visitor may not change the run: `disabled=owner.locked(run)`."""
    return not owners.may_change(owners.read_owner(run.path), current_visitor())


def show_owner_note(run: Run) -> None:
    """Why the buttons of this run do nothing, where they do."""
    if is_locked(run):
        st.caption("Somebody else's run: you may watch and compare it, and train it again with a change of your own.")


def change_run(run: Run, action: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
    """Does something to a run; True when it is done. Raises NotOwnerError where the run is somebody else's."""
    owners.check_may_change(owners.read_owner(run.path), current_visitor(), f"The run {run.id}")
    action(*arguments, **named)
    return True


def owner_callback(run: Run, action: Callable[..., Any]) -> Callable[..., None]:
    """The action as the callback of a widget, which has no place of its own to say what went wrong."""

    def act(*arguments: Any, **named: Any) -> None:
        try:
            change_run(run, action, *arguments, **named)
        except OSError as error:  # deleted meanwhile, or a full disk
            st.toast(formatting.escape_markdown(f"{run.id} cannot be changed: {error}."), icon=":material/block:")
        except DigitLabError as error:
            st.toast(formatting.escape_markdown(str(error)), icon=":material/block:")

    return act


def show_administrator_form() -> None:
    """Where this server has an administrator: lets one say so, and lets go of it."""
    if not admin_token():
        return
    who = current_visitor()
    with st.expander("Administrator", icon=":material/shield_person:"):
        if who.is_admin:
            st.write("You may change everything that anybody has made here.")
            if st.button("Be an administrator no longer"):
                _prove("")
            return
        with st.form("administrator", clear_on_submit=True):
            given = st.text_input("The administrator's token", type="password", autocomplete="off")
            pressed = st.form_submit_button("Change what others have made")
        if proof := guard.try_action(lambda: owners.admin_proof(who.token, given), pressed):
            _prove(proof)


def _prove(proof: str) -> None:
    st.session_state[state.VISITOR] = (current_visitor().token, proof)
    st.rerun()
