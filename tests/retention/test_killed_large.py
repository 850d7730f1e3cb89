"""kill -9 at random moments of a purge in its own sizes: always finished by the same command, never half (DES-06).

Two moments of 200 customers; with --full fifty of 20,000 on SQLite, and as many on PostgreSQL.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from casework import Hours, Office
from desks import ADMIN, STEWARD, SUPERVISOR, Desk, copied
from doomed import PLAN, Doomed, database

from crmctl import clock

SEED = 20261123
LIVING = 3  # of the desk
SIZES = {False: (200, 2), True: (20_000, 50)}  # customers, moments


def prepared(size: int) -> Any:
    """Return what fills a desk with so many firms, with contacts and orders, whose time is over, and plans the end."""

    def prepare(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            hours = Hours()
            patch.setattr(clock, "now", lambda: hours.at)
            office = Office(Desk(folder, database(folder)), hours)
            firms, orders = folder.parent / "firms.csv", folder.parent / "orders.csv"
            lines = [
                f"enterprise,样例{n}号有限公司,{who},{code}{n:08}\n"
                for n in range(size)
                for who, code in ((f"经办{n}", 139), (f"同事{n}", 137))
            ]
            lines += [f"alien,查无此类{n}号,某人{n},136{n:08}\n" for n in range(size // 10)]
            firms.write_text("customer_type,company_name,name,mobile\n" + "".join(lines), "utf-8")
            office.json(STEWARD, "customer", "import", firms, status=3)
            bought = [f"O{n},C-{n + 4},100.00,2026-01-05\n" for n in range(size)]
            orders.write_text("number,customer_number,amount,ordered_on\n" + "".join(bought), "utf-8")
            office.json(ADMIN, "order", "import", orders)
            hours.forward(days=31 * 62)
            office.json(ADMIN, "keys", "rotate")
            made = office.json(STEWARD, "purge", "plan")
            assert sum(made["destroy"].values()) == size + LIVING
            office.json(SUPERVISOR, "purge", "approve", made["plan"])
            office.desk.close()

    return prepare


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_random_moments(
    kind: str,
    request: pytest.FixtureRequest,
    hours: Hours,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    full: bool,
) -> None:
    size, moments = SIZES[full]
    chance, made, place = random.Random(SEED), dict[str, tuple[Path, str]](), tmp_path_factory.mktemp("large") / "crm"
    whole, killed, turn = 0.0, 0, 0
    while killed < moments:
        assert turn < 4 * moments, "too fast to be killed"
        folder = tmp_path / str(turn)
        folder.mkdir()
        with copied(kind, request, made, place, folder, prepared(size)) as desk:
            doomed = Doomed(Office(desk, hours), size + LIVING)
            if turn == 0:
                hours.forward(days=31 * 62, hours=12)
                began = time.monotonic()
                with started(doomed) as process:
                    assert process.wait() == 0
                whole = time.monotonic() - began
            else:
                killed += killed_after(doomed, chance.uniform(0.1, 0.95) * whole)
                finished(doomed)
            assert doomed.left() == {}
            assert doomed.digests() == size + LIVING + 1
            doomed.office.sound()
            assert doomed.office.json(STEWARD, "purge", "verify", PLAN)["clean"]
        turn += 1


def started(doomed: Doomed) -> subprocess.Popen[bytes]:
    return subprocess.Popen(doomed.line(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=own_sizes())


def own_sizes() -> dict[str, str]:
    """Return the environment of a purge in chunks of its own size."""
    return {**os.environ, "STRUCK_SIZES": "own"}


def killed_after(doomed: Doomed, seconds: float) -> bool:
    """Kill the purge after so long; say whether it had not ended."""
    with started(doomed) as process:
        time.sleep(seconds)
        process.kill()
    return process.returncode == -signal.SIGKILL


def finished(doomed: Doomed) -> None:
    """Run the same command again: it finishes, or says that it is done."""
    again = subprocess.run(doomed.line(), capture_output=True, timeout=600, check=False, env=own_sizes())
    if again.returncode:
        assert json.loads(again.stderr)["code"] == "PLAN_APPLIED"
