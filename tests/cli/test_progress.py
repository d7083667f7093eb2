"""Waiting for a training: signals become requests."""

from __future__ import annotations

import os
import signal

import pytest

from mnist_core.cli.progress import on_signals


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to a single process")
def test_signals_call_the_action_instead_of_ending_the_program() -> None:
    calls: list[str] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        with on_signals(lambda: calls.append("requested")):
            for number in numbers:
                os.kill(os.getpid(), number)
        assert calls == ["requested"] * 3
        assert [signal.getsignal(number) for number in numbers] == [signal.default_int_handler] * 3
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        with on_signals(lambda: calls.append("requested")):
            os.kill(os.getpid(), signal.SIGHUP)
        assert len(calls) == 3
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
