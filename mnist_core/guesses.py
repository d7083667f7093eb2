"""Limits how often somebody may guess a secret, in a sliding window, for each address and in all.

In one process and in its memory: a restart forgets. Wrong guesses are kept as a list that the limit in all bounds.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mnist_core.errors import NotOwnerError
from mnist_core.wording import plural

WINDOW_SECONDS = 600.0
"""A wrong guess counts for this long."""
GUESSES_EACH = 5
"""Wrong guesses of one address in a window."""
GUESSES_IN_ALL = 100
"""Wrong guesses of all addresses together in a window."""
THIS_COMPUTER = "this computer"
"""Network of the loopback addresses. The limit in all does not count for it: whoever can open the app on the server
itself can always sign in, however many computers are guessing."""


@dataclass
class GuessLimit:
    """The wrong guesses of the last ten minutes. `clock`: seconds, never set back."""

    clock: Callable[[], float] = time.monotonic
    _wrong: list[tuple[float, str]] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def start_guess(self, address: str | None) -> None:
        """Counts a guess as wrong until `forgive` is called. Call it before comparing, so that no guess is free.

        Args:
            address: IP address of who guesses; None for this computer.

        Raises:
            NotOwnerError: there were too many wrong guesses; says when the next one is possible. It is not counted.
        """
        network, now = network_of(address), self.clock()
        with self._lock:
            self._wrong = [(then, other) for then, other in self._wrong if then > now - WINDOW_SECONDS]
            own = [then for then, other in self._wrong if other == network]
            if len(own) >= GUESSES_EACH:
                raise _too_many(own[-GUESSES_EACH] + WINDOW_SECONDS - now)
            if len(self._wrong) >= GUESSES_IN_ALL and network != THIS_COMPUTER:
                raise _too_many(self._wrong[-GUESSES_IN_ALL][0] + WINDOW_SECONDS - now)
            self._wrong.append((now, network))

    def forgive(self, address: str | None) -> None:
        """Forgets the guesses of an address: it has given the right token."""
        network = network_of(address)
        with self._lock:
            self._wrong = [(then, other) for then, other in self._wrong if other != network]


def network_of(address: str | None) -> str:
    """What counts as one guesser: an IPv4 address, or an IPv6 /64, which one household or machine has to itself."""
    if address is None:
        return THIS_COMPUTER
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "invalid"  # a proxy that sends anything else as X-Forwarded-For
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None and not ip.is_loopback:
            return str(ipaddress.ip_network((int(ip), 64), strict=False))
        ip = ip.ipv4_mapped or ip
    return THIS_COMPUTER if ip.is_loopback else str(ip)


def _too_many(seconds: float) -> NotOwnerError:
    minutes = max(1, math.ceil(seconds / 60))
    return NotOwnerError(
        f"Too many wrong administrator tokens. Wait {plural(minutes, 'minute')}, then try again. On the server itself, "
        "http://localhost is counted separately."
    )
