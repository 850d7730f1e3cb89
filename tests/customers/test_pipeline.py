"""Signals while a process or thread is being started are held back, not lost."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: where other threads run, as under a test runner, the kernel hands the signal to one of them.
PROGRAM = """
import os, signal, threading
from crmctl.customers import pipeline

class Came(Exception): pass

def handle(number, frame):
    raise Came

signal.signal(signal.SIGTERM, handle)
done = []
try:
    with pipeline._masked(signal.SIGTERM):
        os.kill(os.getpid(), signal.SIGTERM)
        thread = threading.Thread(target=done.append, args=(1,))
        thread.start()
        done.append(2)
except Came:
    done.append(3)
thread.join()
print(sorted(done), signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_a_signal_comes_after_the_thread_is_whole() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().strip() == "[1, 2, 3] False"
