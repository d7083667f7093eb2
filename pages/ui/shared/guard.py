"""Errors on a page: each part of it runs guarded, and its errors appear as a message, never as a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.errors import DigitLabError
from mnist_core.files.write_errors import explain_write_error
from pages.ui.shared import feedback, formatting, state

log = logging.getLogger("digitlab.pages")


def render(part: Callable[[], None]) -> None:
    """Runs a page or a part of it, and shows an error message if it fails."""
    try:
        part()
    except DigitLabError as error:
        show_error(error)
    except OSError as error:
        log.exception("A file could not be read or written")
        show_error(DigitLabError(explain_write_error(error, runs_dir())))
    except Exception as error:  # st.rerun and st.stop raise BaseException, so they pass
        log.exception("A page failed")
        st.error(f"Something went wrong ({type(error).__name__}). Reload the page; the server log has the details.")


def show_error(error: DigitLabError) -> None:
    """Shows the message of an error as plain text: it may quote a link or a file."""
    st.error(formatting.escape_markdown(str(error)))


def render_fragment(part: Callable[[], None], every: float | None = None, key: str | None = None) -> None:
    """Renders a part of a page that reruns by itself: when one of its widgets changes, and on a timer.

    Args:
        part: draws it.
        every: seconds between reruns; None for no timer.
        key: by which a callback elsewhere may rerun it, unique on the page.
    """

    in_full_run = True

    def guarded_part() -> None:
        nonlocal in_full_run
        if not in_full_run:  # app.py does so in a full run
            state.restore_hidden_widgets()
        render(part)
        if not in_full_run:  # otherwise app.py shows them, at its end
            feedback.show_confirmations()
        in_full_run = False

    st.fragment(guarded_part, run_every=every, key=key)()


def try_action(action: Callable[[], Any], wanted: bool) -> Any:
    """Runs an action if it is wanted, and shows its error in place.

    Args:
        action: may raise DigitLabError.
        wanted: whether the button for it was pressed.

    Returns:
        The action's value; None if it did not run or failed.
    """
    if not wanted:
        return None
    try:
        return action()
    except DigitLabError as error:
        show_error(error)
    except OSError as error:
        show_error(DigitLabError(explain_write_error(error, runs_dir())))
    return None
