"""Measure a purge: a tenth of all customers is planned, agreed to, destroyed and verified, with contacts and orders.

A backup made before it is tried and restored after it: who was destroyed is in neither, who lives can be read.

    python -m benchmarks.purge                       # 1,000,000 customers, 100,000 of them destroyed, both databases
    python -m benchmarks.purge --customers 20000     # does it run at all

All is done by the commands, each a process of its own. Those to be destroyed came in by a clock that is nine years
behind; one person plans and destroys, another agrees, a third keeps the backups.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.backup import configured
from benchmarks.contenders import environment
from benchmarks.measure import Measured
from benchmarks.report import Budget
from benchmarks.server import postgresql
from benchmarks.sitting import Sitting, sit

YEARS_BEHIND = 9
SHARE = 10  # one in so many is destroyed
ORDERS = 2
STEWARD, SUPERVISOR, ADMIN = 70_001, 70_002, 70_003
# crmctl as somebody, by a clock that is so many days behind; a process it starts to seal for it does neither
AS = """\
import os, sys
from datetime import timedelta
if __name__ == "__main__":
    from crmctl import clock
    now, behind, uid = clock.now, timedelta(days=int(sys.argv.pop(1))), int(sys.argv.pop(1))
    clock.now = lambda: now() - behind
    os.getresuid = lambda: (uid, uid, uid)
    from crmctl.cli.app import main
    sys.exit(main())
"""


def files(home: Path, name: str, first: int, number: int) -> tuple[Path, Path]:
    """Write customers, every other one with a second contact person, and two orders each; return both files."""
    people, orders = home / f"{name}.csv", home / f"{name}-orders.csv"
    with people.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("customer_type", "company_name", "name", "mobile", "email", "external_code"))
        for n in range(first, first + number):
            firm, code = f"示例{n:07}有限公司", f"K{n}"
            lines.writerow(("enterprise", firm, f"联系人{n}", f"13{n:09}", f"p{n}@example.com", code))
            if n % 2:
                lines.writerow(("enterprise", firm, f"同事{n}", f"15{n:09}", "", code))
    with orders.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("number", "customer_code", "amount", "ordered_on"))
        for n in range(first, first + number):
            lines.writerows((f"O{n}-{order}", f"K{n}", "100.00", "2016-03-01") for order in range(ORDERS))
    return people, orders


def _run(place: Path, env: dict[str, str], uid: int, *words: object, days: int = 0) -> Measured:
    script = place.parent / "as.py"
    script.write_text(AS, "utf-8")
    command = [sys.executable, str(script), str(days), str(uid), "-w", str(place), *map(str, words)]
    done = measure.run(command, env=env)
    if done.exit_code:
        said = (done.stderr + done.stdout).decode(errors="replace")
        sys.exit(f"FAILED: exit {done.exit_code}: {said[:2000]}")
    return done


def _staffed(place: Path) -> None:
    """Let one person be steward, another supervisor, a third admin."""
    path = place / "policies" / "access.yaml"
    papers = "confidentiality_signed: 2015-01-01, training_passed: 2015-01-01"
    people = (("first", STEWARD, "steward"), ("second", SUPERVISOR, "supervisor"), ("third", ADMIN, "admin"))
    lines = [f"    {name}: {{uids: [{uid}], roles: [{role}], {papers}}}\n" for name, uid, role in people]
    text = path.read_text("utf-8")
    path.write_text(
        re.sub(r"  people:.*?\n\n", "  people:\n" + "".join(lines) + "\n", text, count=1, flags=re.S), "utf-8"
    )


def measured(name: str, url: str, number: int, home: Path) -> tuple[list[list[Any]], list[Budget], dict[str, Any]]:
    """Return table lines, verdicts and raw figures of one database."""
    env, place = environment(home), home / name
    made = measure.run(
        [sys.executable, "-m", "crmctl", "init", str(place), "--demo", *(["--database", url] if url else [])], env=env
    )
    if made.exit_code:
        sys.exit(f"FAILED: {made.stderr.decode(errors='replace')[:2000]}")
    _staffed(place)
    doomed = number // SHARE
    old, orders = files(home, f"{name}-old", 0, doomed)
    new, _more = files(home, f"{name}-new", doomed, number - doomed)
    for file, what, days in (
        (old, "customer", 365 * YEARS_BEHIND),
        (orders, "order", 365 * YEARS_BEHIND),
        (new, "customer", 0),
    ):
        _run(place, env, STEWARD, what, "import", file, "-q", days=days)
    opened = ["--identity", _backed_up(place, env), "-o", "json"]
    runs = {"plan": _run(place, env, STEWARD, "purge", "plan", "-o", "json")}
    _run(place, env, SUPERVISOR, "purge", "approve", 1)
    runs["run"] = _run(place, env, STEWARD, "purge", "run", 1, "-o", "json")
    runs["verify"] = _run(place, env, STEWARD, "purge", "verify", 1, "-o", "json")
    runs["backup drill"] = _run(place, env, ADMIN, "backup", "drill", 1, *opened, *_server(url))
    with postgresql() as fresh:
        target = ["--database", fresh.create("restored")] if url else []
        line = ["backup", "restore", 1, "--into", home / f"{name}-back", *opened, *target]
        runs["backup restore"] = _run(place, env, ADMIN, *line)
    _checked(number, doomed, {what: json.loads(each.stdout) for what, each in runs.items()})
    lines = [
        [f"{name}: {what}", f"{each.seconds:.2f}", f"{each.cpu_seconds:.2f}", f"{each.largest:.0f}"]
        for what, each in runs.items()
    ]
    return lines, _budgets(name, doomed, runs), {what: each.seconds for what, each in runs.items()}


def _server(url: str) -> list[str]:
    return ["--database", url] if url else []


def _backed_up(place: Path, env: dict[str, str]) -> Path:
    """Make a backup of data and keys; return the file that opens it."""
    private, shelf = configured(place), place.parent / f"{place.name}-media"
    _run(place, env, ADMIN, "audit", "checkpoint")
    _run(place, env, ADMIN, "backup", "create", "--to", shelf / "data")
    _run(place, env, ADMIN, "backup", "create", "--keys", "--to", shelf / "vault" / "keys")
    return private


def _checked(number: int, doomed: int, told: dict[str, Any]) -> None:
    """Exit with what is wrong where a command did not do its work."""
    (done,) = told["run"]["purges"]
    if done["destroyed"] != doomed or not told["verify"]["clean"]:
        sys.exit(f"FAILED: {done['destroyed']} of {doomed} destroyed")
    tried, back = told["backup drill"], told["backup restore"]
    if tried["problems"] or tried["decrypted"] != min(200, tried["living"]) or tried["living"] != number - doomed:
        sys.exit(f"FAILED: the trial opened {tried['decrypted']} of {tried['living']}: {tried['problems']}")
    if back["customers_removed"] != doomed:
        sys.exit(f"FAILED: the restore removed {back['customers_removed']} of {doomed}")


def _budgets(name: str, doomed: int, runs: dict[str, Measured]) -> Sequence[Budget]:
    scale = 100_000 / doomed
    return [Budget(f"{name}: purge run, 100,000", runs["run"].seconds * scale, "≤", 15, 6, " s")]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    headers = ["step", "wall s", "CPU s", "MB"]
    sitting = Sitting("purge", "customers", 1_000_000, _title, headers, measured)
    return sit(sitting, __doc__, argv)


def _title(customers: int) -> str:
    return f"Purge of {customers // SHARE:,} of {customers:,} customers, with contacts and orders"


if __name__ == "__main__":
    sys.exit(main())
