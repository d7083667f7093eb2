"""The program `digitlab`: the group that all commands belong to. Each module of commands adds its own to it."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click

from mnist_core.config import runs_dir
from mnist_core.errors import DigitLabError
from mnist_core.files.write_errors import explain_write_error


class _Commands(click.Group):
    """Prints the library's errors on stderr without a traceback and exits with status 2."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DigitLabError as error:
            message = str(error)
        except BrokenPipeError:  # click ends quietly
            raise
        except OSError as error:
            message = explain_write_error(error, runs_dir())
        click.echo(f"Error: {message}", err=True)
        return context.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Digit Lab without the browser: train, compare and export models, and classify drawings."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)


def program_name() -> str:
    """How the user started the program: `digitlab` or `python -m mnist_core`."""
    return click.get_current_context().find_root().info_name or "digitlab"
