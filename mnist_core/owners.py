"""Whose a run or a kept drawing is, and who may change it.

A browser keeps a random token; what it makes remembers only the token's SHA-256, in `owner.json`. So whoever can read
the runs still cannot act in somebody's name.

visitor = Visitor(owners.new_token())
owners.write_owner(run.path, visitor.owner)
owners.may_change(owners.read_owner(run.path), visitor)     # True
owners.check_may_change(owners.read_owner(run.path), stranger)       # NotOwnerError
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mnist_core.config import admin_token
from mnist_core.errors import NotOwnerError, RunError
from mnist_core.files import read_json, write_json

OWNER_FILE = "owner.json"
NOBODY = ""
"""Owner of what was made on the command line, or before there were owners."""
UNKNOWN = "unknown"
"""Owner of what has one who cannot be read: only the administrator changes it."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_OWNER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        token: what the browser keeps, as `new_token` made it. Never shown, logged or written to a file.
        proof: what the browser was given when its user named the administrator's token: see `admin_proof`.
    """

    token: str = field(repr=False)
    proof: str = field(default="", repr=False)

    @property
    def owner(self) -> str:
        """64 hexadecimal digits: what stands in the files of what the visitor makes."""
        return hashlib.sha256(self.token.encode()).hexdigest()

    @property
    def is_admin(self) -> bool:
        """Whether the proof is right for this token and today's DIGITLAB_ADMIN_TOKEN."""
        expected = _proof(self.token, admin_token())
        return bool(admin_token()) and hmac.compare_digest(expected.encode(), self.proof.encode())


def new_token() -> str:
    """43 characters that nobody guesses: 256 bits."""
    return secrets.token_urlsafe(32)


def is_token(text: object) -> bool:
    """Whether it could be one of `new_token`; a browser may send anything."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def admin_proof(token: str, given: str) -> str:
    """What the browser of this token keeps instead of the administrator's own token.

    Args:
        token: of the browser.
        given: what its user says the administrator's token is.

    Raises:
        NotOwnerError: it is not, or this server has no administrator.
    """
    if not admin_token():
        raise NotOwnerError("This server has no administrator. Set DIGITLAB_ADMIN_TOKEN where it is started.")
    if not hmac.compare_digest(given.strip().encode(), admin_token().encode()):
        raise NotOwnerError("That is not the administrator's token. It is the value of DIGITLAB_ADMIN_TOKEN.")
    return _proof(token, admin_token())


def _proof(token: str, admin: str) -> str:
    return hmac.new(admin.encode(), token.encode(), hashlib.sha256).hexdigest()


def parse_owner(owner: object) -> str:
    """An owner as a file has it: the 64 digits, NOBODY where there is none, UNKNOWN where it is anything else."""
    if owner is None or owner == NOBODY:
        return NOBODY
    return owner if isinstance(owner, str) and _OWNER.fullmatch(owner) else UNKNOWN


def read_owner(folder: Path) -> str:
    """Whose a run's folder is: 64 digits, NOBODY, or UNKNOWN where its owner.json was changed by hand."""
    path = folder / OWNER_FILE
    if not path.exists():
        return NOBODY
    return parse_owner(read_json(path).get("owner")) or UNKNOWN


def write_owner(folder: Path, owner: str) -> None:
    """Writes whose a run's folder is; nothing for NOBODY.

    Raises:
        RunError: `owner` is no owner. Give `Visitor.owner`, never the token.
        OSError: the file cannot be written.
    """
    if parse_owner(owner) == UNKNOWN:
        raise RunError("An owner is the SHA-256 of a token, 64 hexadecimal digits: give Visitor.owner.")
    if owner:
        write_json(folder / OWNER_FILE, {"owner": owner})


def may_change(owner: str, visitor: Visitor) -> bool:
    """Whether the visitor may stop, steer, rename or delete what is the owner's.

    What is nobody's may be changed by everybody, unless there is an administrator: then by nobody else.
    """
    if visitor.is_admin:
        return True
    return not admin_token() if owner == NOBODY else hmac.compare_digest(owner, visitor.owner)


def check_may_change(owner: str, visitor: Visitor, what: str = "This") -> None:
    """Raises NotOwnerError, with the reason, where `may_change` says no. `what`: the subject of its sentence."""
    if may_change(owner, visitor):
        return
    raise NotOwnerError(f"{what} {_reason(owner)}")


def _reason(owner: str) -> str:
    if owner == NOBODY:
        return "is nobody's, and only the administrator of this server may change it."
    if owner == UNKNOWN:
        return (
            f"has an owner who cannot be read: its {OWNER_FILE} was changed by hand. Restore that file, or delete it."
        )
    return "is somebody else's: only the browser that made it, and the administrator, may change it."
