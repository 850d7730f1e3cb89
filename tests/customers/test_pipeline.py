"""Signals while a process or thread is being started are held back, not lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from crmctl.customers import pipeline


class Came(Exception):
    """The signal was handled."""


@pytest.fixture
def raising() -> Iterator[None]:
    def handle(number: int, frame: FrameType | None) -> None:
        raise Came

    before = signal.signal(signal.SIGTERM, handle)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signal_comes_after_the_thread_is_whole(raising: None) -> None:
    done: list[Any] = []
    with pytest.raises(Came), pipeline._masked(signal.SIGTERM):
        os.kill(os.getpid(), signal.SIGTERM)
        thread = threading.Thread(target=done.append, args=(1,))
        thread.start()
        done.append(2)
    thread.join()
    assert sorted(done) == [1, 2]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
