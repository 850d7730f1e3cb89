"""What a command's process promises: a signal raises, and nobody waits long afterwards."""

from __future__ import annotations

import os
import signal

import pytest

from crmctl.errors import Interrupted
from crmctl.process import guarded, patience


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_signal_nobody_waits_long(number: signal.Signals) -> None:
    with guarded():
        assert patience(3600) == 3600
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), number)
        assert caught.value.exit_code == 128 + number
        assert patience(3600) <= 2
        assert patience(0.1) == 0.1
    assert patience(3600) == 3600
