"""Who made a run or kept a drawing, and who may change it.

A browser keeps a random token. What it creates stores only the SHA-256 of the token, in `owner.json`, so nobody who can
read the runs can act as their owner. Where people sign in, a person has a token made of the identity provider's name
for the person, and it is never taken from a browser.

    visitor = Visitor(owners.new_token())
    owners.write_owner(run.path, visitor.owner)
    owners.may_change(owners.read_owner(run.path), visitor)            # True
    owners.check_may_change(owners.read_owner(run.path), stranger)     # raises NotOwnerError
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mnist_core.config import admin_token, admins
from mnist_core.errors import NotOwnerError, RunError
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.guesses import GuessLimit

OWNER_FILE = "owner.json"
NOBODY = ""
"""Owner of what the command line created, and of what is older than ownership."""
UNKNOWN = "unknown"
"""Owner when owner.json is broken: only the administrator may change the run."""

GUESSES = GuessLimit()
"""Wrong administrator's tokens that were given to this process."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_OWNER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Visitor:
    """A person, as identified by a browser or by an identity provider.

    Attributes:
        token: from `new_token`, kept by the browser, or from `person_token`. Never shown, logged or written to a file.
        proof: from `admin_proof`, kept by the browser of an administrator; empty for everybody else.
        is_listed: DIGITLAB_ADMINS lists this person as an administrator.
    """

    token: str = field(repr=False)
    proof: str = field(default="", repr=False)
    is_listed: bool = False

    @property
    def owner(self) -> str:
        """The SHA-256 of the token, 64 hexadecimal digits. Stored with everything the visitor creates."""
        return hashlib.sha256(self.token.encode()).hexdigest()

    @property
    def is_admin(self) -> bool:
        """True if the person is listed, or the proof fits the token and the current DIGITLAB_ADMIN_TOKEN."""
        if self.is_listed:
            return True
        expected = _proof(self.token, admin_token())
        return bool(admin_token()) and hmac.compare_digest(expected.encode(), self.proof.encode())


def new_token() -> str:
    """Returns 43 random characters, 256 bits."""
    return secrets.token_urlsafe(32)


def is_token(text: object) -> bool:
    """True if the text has the form of `new_token`. A browser can send anything."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def person_token(issuer: object, subject: object) -> str:
    """Makes the token of a person who has signed in: the same in every browser, and never that of a browser.

    Args:
        issuer: the identity provider's `iss`.
        subject: its `sub`, which it gives to nobody else, ever. (An e-mail address can change hands.)

    Raises:
        NotOwnerError: the provider did not say both.
    """
    if not (isinstance(issuer, str) and isinstance(subject, str) and issuer and subject):
        raise NotOwnerError("The identity provider did not say who you are: iss and sub are missing. Sign in again.")
    return json.dumps([issuer, subject])  # a browser's token has neither brackets nor quotes


def admin_proof(token: str, given: str, address: str | None = None) -> str:
    """Signs a browser in as administrator.

    Args:
        token: of the browser.
        given: what the user entered as the administrator's token.
        address: IP address of the browser, for which wrong tokens are counted; None for this computer.

    Returns:
        The proof that the browser keeps instead of the administrator's token.

    Raises:
        NotOwnerError: the token is wrong, there were too many wrong ones, or this server has no administrator.
    """
    if not admin_token():
        raise NotOwnerError("This server has no administrator. Set DIGITLAB_ADMIN_TOKEN before starting it.")
    GUESSES.start_guess(address)
    if not hmac.compare_digest(_digest(given.strip()), _digest(admin_token())):
        raise NotOwnerError("That is not the administrator's token. It is the value of DIGITLAB_ADMIN_TOKEN.")
    GUESSES.forgive(address)
    return _proof(token, admin_token())


def _digest(text: str) -> bytes:
    """Of the same length for every text, so that comparing takes the same time for every guess."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _proof(token: str, admin: str) -> str:
    return hmac.new(admin.encode(errors="surrogateescape"), token.encode(), hashlib.sha256).hexdigest()


def parse_owner(owner: object) -> str:
    """Checks an owner read from a file. Returns 64 digits, NOBODY if there is none, UNKNOWN if it is invalid."""
    if owner is None or owner == NOBODY:
        return NOBODY
    return owner if isinstance(owner, str) and _OWNER.fullmatch(owner) else UNKNOWN


def read_owner(folder: Path) -> str:
    """Returns the owner of a folder: 64 digits, NOBODY, or UNKNOWN if its owner.json is broken."""
    path = folder / OWNER_FILE
    if not os.path.lexists(path):
        return NOBODY
    return parse_owner(read_json(path).get("owner")) or UNKNOWN


def write_owner(folder: Path, owner: str) -> None:
    """Writes the owner of a folder. NOBODY needs no file.

    Raises:
        RunError: `owner` is invalid. It must be `Visitor.owner`, never the token.
        OSError: the file cannot be written.
    """
    if parse_owner(owner) == UNKNOWN:
        raise RunError("The owner is not the SHA-256 of a token, 64 hexadecimal digits. Use Visitor.owner.")
    if owner:
        write_json(folder / OWNER_FILE, {"owner": owner})


def may_change(owner: str, visitor: Visitor) -> bool:
    """True if the visitor may stop, control, rename or delete what belongs to the owner.

    Everybody may change what belongs to nobody, unless the server has an administrator: then only the administrator.
    """
    if visitor.is_admin:
        return True
    return not (admin_token() or admins()) if owner == NOBODY else hmac.compare_digest(owner, visitor.owner)


def check_may_change(owner: str, visitor: Visitor, what: str = "This") -> None:
    """Checks that the visitor may change something.

    Args:
        owner: of the thing.
        visitor: who wants to change it.
        what: the thing, as the subject of the error's sentence: `The run 20261121-…`.

    Raises:
        NotOwnerError: the visitor may not; the message says why.
    """
    if may_change(owner, visitor):
        return
    raise NotOwnerError(f"{what} {_reason(owner)}")


def _reason(owner: str) -> str:
    if owner == NOBODY:
        return "has no owner, and only the administrator of this server may change it."
    if owner == UNKNOWN:
        return (
            "has an owner that cannot be read: the file with its owner was changed by hand. "
            "Restore that file, or delete it."
        )
    return "belongs to somebody else: only its creator and the administrator may change it."
