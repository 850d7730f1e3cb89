"""The program, with a signal sent to itself at one exact call: `strike.py POINT crmctl's own words…`.

POINT is SIGNAL:WHEN:NUMBER:MODULE:NAME[:TEXT]. WHEN is `before` or `after` the call has done its work, NUMBER counts
the calls from 1. With TEXT only calls count whose arguments, as text, hold it. In
place of a signal's name, BUG raises an error whose text quotes all arguments.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from typing import Any


def arm(point: str) -> None:
    """Replace the function that `point` names by one that counts its calls and strikes."""
    name, when, number, module, path, *text = point.split(":")
    holder: Any = importlib.import_module(module)
    *parents, attribute = path.split(".")
    for parent in parents:
        holder = getattr(holder, parent)
    original, calls = getattr(holder, attribute), 0

    @functools.wraps(original)
    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += not text or any(text[0] in str(argument) for argument in arguments)
        hit = calls == int(number)
        calls += hit  # once only
        if hit and when == "before":
            _strike(name, arguments)
        result = original(*arguments, **named)
        if hit and when == "after":
            _strike(name, arguments)
        return result

    setattr(holder, attribute, counted)


def _strike(name: str, arguments: tuple[Any, ...]) -> None:
    if name == "BUG":
        raise RuntimeError(f"unexpected: {arguments!r}")
    os.kill(os.getpid(), getattr(signal, name))


if __name__ == "__main__":
    arm(sys.argv[1])
    del sys.argv[1]
    from crmctl.cli.app import main

    sys.exit(main())
