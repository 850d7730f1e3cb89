"""What a command's process promises: a signal raises, nobody waits long afterwards, none comes while held back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from crmctl.errors import Interrupted
from crmctl.process import guarded, patience

# In a process of its own: where other threads run, as under a test runner, the kernel hands the signal to one of them.
PROGRAM = """
import os, signal, threading
from crmctl import process

class Came(Exception): pass

def handle(number, frame):
    raise Came

signal.signal(signal.SIGTERM, handle)
done = []
try:
    with process.held_back(signal.SIGTERM):
        os.kill(os.getpid(), signal.SIGTERM)
        thread = threading.Thread(target=done.append, args=(1,))
        thread.start()
        done.append(2)
except Came:
    done.append(3)
thread.join()
print(sorted(done), signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


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


def test_a_signal_comes_after_the_thread_is_whole() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().strip() == "[1, 2, 3] False"
