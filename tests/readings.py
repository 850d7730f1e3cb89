"""The shipped customer policy, and reading a file with it as an import does."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crmctl import policy
from crmctl.customers.model import Row
from crmctl.customers.policy import CustomersSettings
from crmctl.customers.rows import compile_rows
from crmctl.locate import shipped
from crmctl.sheets.model import Rejected
from crmctl.sheets.source import SourceInfo, SourceOptions, inspect, rows

AT = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
DATA = Path(__file__).parents[2] / "shared" / "data"


@dataclass
class Reading:
    """What became of a file."""

    info: SourceInfo
    outcomes: list[Row | Rejected]

    @property
    def valid(self) -> list[Row]:
        return [outcome for outcome in self.outcomes if isinstance(outcome, Row)]

    @property
    def rejected(self) -> list[Rejected]:
        return [outcome for outcome in self.outcomes if isinstance(outcome, Rejected)]

    @property
    def reasons(self) -> list[tuple[int, str, str]]:
        return [(row.number, reason.code, reason.field) for row in self.rejected for reason in row.reasons]


@pytest.fixture(scope="session")
def settings() -> CustomersSettings:
    found = policy.load(shipped("policies")).settings("customers")
    assert isinstance(found, CustomersSettings)
    return found


@pytest.fixture(scope="session")
def read(settings: CustomersSettings) -> Callable[..., Reading]:
    """Return a function that inspects bytes (or a text, as UTF-8) and reads all rows."""

    def reading(data: bytes | str, *, outside: Any = None, **options: Any) -> Reading:
        handle = io.BytesIO(data.encode() if isinstance(data, str) else data)
        chosen = SourceOptions(**options)
        info = inspect(handle, settings, chosen, name="file")
        function = compile_rows(
            settings, info.mapping, zone="Asia/Shanghai", at=AT, type_code=chosen.type, outside=outside
        )
        outcomes = [function(*record) for block in rows(handle, info, settings, chosen, block=7) for record in block]
        return Reading(info, outcomes)

    return reading


@pytest.fixture
def data() -> Path:
    """Return the folder of real input that lies beside the repository."""
    if not DATA.is_dir():
        pytest.skip("no shared data beside the repository")
    return DATA
