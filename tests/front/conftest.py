"""A machine with real accounts, made once for the tests of this room; they use files of their own names."""

from __future__ import annotations

from collections.abc import Iterator

import accounts
import pytest


@pytest.fixture(scope="module")
def machine() -> Iterator[accounts.Machine]:
    """A workspace in broker mode; skipped, with the reason, where several accounts cannot be had."""
    if reason := accounts.missing():
        pytest.skip(reason)
    try:
        with accounts.machine() as made:
            yield made
    except accounts.Unavailable as problem:
        pytest.skip(str(problem))
