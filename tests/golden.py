"""Running commands in tests, and transcripts of what they say.

`call` runs a command line in this process, `spawn` in its own. A transcript under tests/golden/ is what a person sees:

    $ crmctl lst
    ! crmctl: lst: no such command
    [exit 2]

Lines of standard error begin with `! `. After a wanted change: UPDATE_GOLDEN=1 pytest, then read the diff.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from crmctl.cli.app import main

FOLDER = Path(__file__).parent / "golden"
CHECKOUT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "crmctl")


class Result(NamedTuple):
    """What came of a command."""

    exit_code: int
    stdout: str
    stderr: str


class _Stream(io.TextIOWrapper):
    """A standard stream of a test; `terminal` says whether a person would look at it."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


def _stream(data: bytes = b"", *, terminal: bool = False) -> _Stream:
    stream = _Stream(io.BytesIO(data), encoding="utf-8", newline="")
    stream.terminal = terminal
    return stream


def call(
    arguments: Sequence[str],
    stdin: bytes = b"",
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    terminal: bool = False,
) -> Result:
    """Run a command line in this process; `terminal` makes all three streams terminals."""
    streams = {
        "stdin": _stream(stdin, terminal=terminal),
        "stdout": _stream(terminal=terminal),
        "stderr": _stream(terminal=terminal),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        status = main(list(arguments))
        for name in ("stdout", "stderr"):
            streams[name].flush()
    return Result(status, *(_text(streams[name]) for name in ("stdout", "stderr")))


def _text(stream: _Stream) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")


def spawn(
    arguments: Sequence[str],
    stdin: bytes = b"",
    *,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    **settings: Any,
) -> Result:
    """Run a command line in its own process with no environment but `env`."""
    done = subprocess.run(
        [*command, *arguments],
        input=stdin,
        capture_output=True,
        env={"PYTHONPATH": str(CHECKOUT), **(env or {})},
        timeout=60,
        check=False,
        **settings,
    )
    return Result(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def transcript(lines: Iterable[str], **settings: Any) -> str:
    """Return what a person sees who types `lines` (`crmctl …`), one after the other."""
    shown = []
    for line in lines:
        result = call(shlex.split(line)[1:], **settings)
        shown.append(f"$ {line}")
        shown += result.stdout.splitlines()
        shown += [f"! {text}".rstrip() for text in result.stderr.splitlines()]
        if result.exit_code:
            shown.append(f"[exit {result.exit_code}]")
        shown.append("")
    return "\n".join(shown)


def check(name: str, text: str, replace: Mapping[str, str] | None = None) -> None:
    """Compare a transcript with tests/golden/NAME.txt; `replace` maps patterns that differ from run to run to words."""
    for pattern, word in (replace or {}).items():
        text = re.sub(pattern, word, text)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is not there yet: UPDATE_GOLDEN=1 pytest writes it"

    assert text == path.read_text(encoding="utf-8")
