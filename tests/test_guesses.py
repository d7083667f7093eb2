"""Guessing the administrator's token is slow, for one address and for many, and never keeps out the administrator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mnist_core import owners
from mnist_core.errors import NotOwnerError
from mnist_core.guesses import GuessLimit

BROWSER = owners.new_token()


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of a server with an administrator."""
    clock = Clock()
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "secret")
    monkeypatch.setattr(owners, "GUESSES", GuessLimit(clock))
    return clock


def try_token(token: str, address: str | None = "203.0.113.7") -> str:
    """`in`, `wrong` or `wait`."""
    try:
        owners.admin_proof(BROWSER, token, address)
    except NotOwnerError as error:
        return "wait" if "minute" in str(error) else "wrong"
    return "in"


def test_one_address_guesses_five_times_in_ten_minutes(clock: Clock) -> None:
    answers = []
    for _ in range(19 * 600):  # as fast as the app was attacked
        answers.append(try_token("a guess"))
        clock.now += 1 / 19
    assert answers.count("wrong") == 5 and answers[:5] == ["wrong"] * 5
    clock.now += 1
    assert try_token("a guess") == "wrong", "ten minutes later"


def test_guesses_at_the_same_moment_are_all_counted(clock: Clock) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(try_token, ["a guess"] * 64))
    assert answers.count("wrong") == 5 and answers.count("wait") == 59


def test_while_an_address_waits_even_the_right_token_is_not_compared(clock: Clock) -> None:
    assert [try_token("a guess") for _ in range(6)][-1] == "wait" and try_token("secret") == "wait"
    clock.now += 601
    assert try_token("secret") == "in"


def test_many_addresses_together_guess_a_hundred_times(clock: Clock) -> None:
    answers = [try_token("a guess", f"198.51.{number // 250}.{number % 250}") for number in range(500)]
    assert answers == ["wrong"] * 100 + ["wait"] * 400
    assert try_token("secret", "203.0.113.7") == "wait"
    assert try_token("secret", None) == "in", "on the server itself the administrator can always sign in"


def test_a_guesser_keeps_nobody_else_out(clock: Clock) -> None:
    assert [try_token("a guess") for _ in range(99)][-1] == "wait"
    assert try_token("secret", "203.0.113.8") == "in"


def test_the_right_token_forgives_typing_errors(clock: Clock) -> None:
    for _ in range(10):
        assert [try_token("a guess") for _ in range(4)] == ["wrong"] * 4 and try_token("secret") == "in"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("::1", "127.0.0.1", True),
        (None, "::ffff:127.0.0.1", True),
        ("nonsense", "x" * 10_000, True),
        ("nonsense", None, False),
    ],
)
def test_what_counts_as_one_guesser(one: str | None, other: str | None, same: bool, clock: Clock) -> None:
    for _ in range(5):
        try_token("a guess", one)
    assert (try_token("a guess", other) == "wait") is same
