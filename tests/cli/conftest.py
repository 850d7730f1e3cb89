"""The program with the sample commands in it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from crmctl.cli import lazy

PROGRAM = Path(__file__).parent / "sample_commands.py"


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of sample commands; they are part of the program during the test."""
    spec = importlib.util.spec_from_file_location("sample_commands", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "sample_commands", module)
    monkeypatch.setattr(lazy, "COMMANDS", lazy.COMMANDS)
    monkeypatch.setattr(lazy, "GROUPS", lazy.GROUPS)
    spec.loader.exec_module(module)
    module.install()
    yield module


@pytest.fixture
def sample_program() -> tuple[str, ...]:
    """The command that starts the program with the sample commands, in a process of its own."""
    return (sys.executable, str(PROGRAM))
