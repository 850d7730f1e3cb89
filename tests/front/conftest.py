"""A machine with real accounts, made once for the tests of this room; they use files of their own names.

Its database is SQLite unless a test is marked `databases("sqlite", "postgresql")`: then it runs a second time on a
machine whose database is on a server that wants a password. What lies between caller and service account knows no
database, so that most tests run once.
"""

from __future__ import annotations

from collections.abc import Iterator

import accounts
import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "machine" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("databases")
        kinds = marked.args if marked is not None else ["sqlite"]
        metafunc.parametrize("machine", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[accounts.Machine]:
    """A workspace in broker mode; skipped, with the reason, where several accounts cannot be had."""
    if reason := accounts.missing():
        pytest.skip(reason)
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    try:
        with accounts.machine(server) as made:
            yield made
    except accounts.Unavailable as problem:
        pytest.skip(str(problem))
