"""Measure complaints: accept a sheet of them, then open, step, list, escalate and count with all of them open.

    python -m benchmarks.complaints                       # 20,000 complaints of 5,000 customers, both databases
    python -m benchmarks.complaints --complaints 500      # does it run at all

All is done by the commands, each a process of its own. The sheet is accepted by a clock that is ten days behind: when
escalation is measured, limits are over.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.contenders import environment
from benchmarks.machine import script
from benchmarks.measure import Measured
from benchmarks.regrade import _run
from benchmarks.report import Budget
from benchmarks.sitting import Sitting, sit
from crmctl import locate

DAYS_BEHIND = 10
EACH = 4  # complaints of a customer
TIMES = 5  # small commands are run so often; the median counts
CHANNELS = ("phone", "mail", "wecom", "online")
CATEGORIES = ("quality", "installation", "price", "attitude")
# crmctl by a clock that is so many days behind
BEHIND = """\
import sys
from datetime import timedelta
from crmctl import clock
now = clock.now
behind = timedelta(days=int(sys.argv.pop(1)))
clock.now = lambda: now() - behind
from crmctl.cli.app import main
if __name__ == "__main__":
    sys.exit(main())
"""


def sheets(home: Path, number: int) -> tuple[Path, Path]:
    """Write the customers and the sheet of complaints; return both."""
    people, complaints = home / "customers.csv", home / "complaints.csv"
    with people.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("customer_type", "company_name", "name", "mobile"))
        for n in range(number // EACH):
            lines.writerow(("enterprise", f"示例{n:06}有限公司", f"联系人{n}", f"138{n:08}"))
    received = datetime.now(UTC) - timedelta(days=DAYS_BEHIND, hours=2)
    with complaints.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("number", "CRM number", "channel", "category", "complainant", "contact", "matter", "demand",
                        "received_at"))  # fmt: skip
        for n in range(number):
            whose = f"C-{n % (number // EACH) + 1:06d}"
            told = (CHANNELS[n % len(CHANNELS)], CATEGORIES[n % len(CATEGORIES)], f"投诉人{n}", f"137{n:08}")
            matter = (f"第{n}件事项，说明经过", "请尽快处理")
            lines.writerow((f"B{n}", whose, *told, *matter, f"{received:%Y-%m-%d %H:%M}"))
    return people, complaints


def _behind(words: Sequence[object], env: dict[str, str]) -> Measured:
    command = [sys.executable, "-c", BEHIND, str(DAYS_BEHIND), *map(str, words)]
    done = measure.run(command, env=env)
    if done.exit_code:
        said = (done.stderr + done.stdout).decode(errors="replace")
        sys.exit(f"FAILED: exit {done.exit_code}: {said[:2000]}")
    return done


def measured(name: str, url: str, number: int, home: Path) -> tuple[list[list[Any]], list[Budget], dict[str, Any]]:
    """Return table lines, verdicts and raw figures of one database."""
    crmctl, env = script("crmctl"), environment(home)
    assert crmctl is not None
    place = home / name
    _behind(["init", place, *(["--database", url] if url else [])], env)
    company = locate.shipped("policies") / "_demo_company.yaml"
    (place / "policies" / "company.yaml").write_text(company.read_text("utf-8"), "utf-8")
    people, complaints = sheets(home, number)
    _behind(["-w", place, "customer", "import", people], env)
    words = ["-w", place, "complaint"]
    runs = {"import": [_behind([*words, "import", complaints, "-o", "json"], env)]}
    numbers = _numbers(place, env, crmctl)
    for what, each in _commands(numbers).items():
        runs[what] = [_run([*words, *command, "-o", "json"], env, crmctl) for command in each]
    for what in ("escalate", "escalate again"):
        runs[what] = [_run([*words, "escalate", "-o", "json", "--limit", "0"], env, crmctl)]
    _checked(name, number, runs)
    lines = [
        [
            f"{name}: {what}",
            len(each),
            f"{_seconds(each):.2f}",
            f"{_cpu(each):.2f}",
            f"{max(r.largest for r in each):.0f}",
        ]
        for what, each in runs.items()
    ]
    return lines, _budgets(name, number, runs), {what: _seconds(each) for what, each in runs.items()}


def _numbers(place: Path, env: dict[str, str], crmctl: Path) -> list[str]:
    """Return acceptance numbers to work on."""
    done = _run(["-w", place, "complaint", "list", "--limit", TIMES, "-o", "json"], env, crmctl)
    return [line["number"] for line in json.loads(done.stdout)["complaints"]]


def _commands(numbers: Sequence[str]) -> dict[str, list[list[object]]]:
    """Return what is run, by what it is called in the report."""
    texts = ["--complainant", "甲", "--contact", "13500000000", "--matter", "事项", "--demand", "要求"]
    opened: list[object] = ["open", "C-1", "--channel", "phone", "--category", "quality", *texts]
    today = datetime.now(UTC).date()
    period = ["--from", today - timedelta(days=30), "--until", today]
    return {
        "open": [opened] * TIMES,
        "step": [["respond", number, "--text", "已联系"] for number in numbers],
        "show": [["show", number] for number in numbers],
        "list": [["list"]] * TIMES,
        "list overdue, 1,000": [["list", "--overdue", "--limit", 1000]] * TIMES,
        "list by handler": [["list", "--by", "handler"]] * TIMES,
        "statistics": [["statistics", *period, "--by", "category"]],
    }


def _checked(name: str, number: int, runs: dict[str, list[Measured]]) -> None:
    """Exit with what is wrong where a command did not do its work."""
    counted = json.loads(runs["statistics"][0].stdout)["counts"]["opened"]
    first, second = (json.loads(runs[what][0].stdout) for what in ("escalate", "escalate again"))
    if counted != number + TIMES or not first["raised"] or second["raised"]:
        sys.exit(f"FAILED: {name}: {counted} counted, {first['raised']} and {second['raised']} escalated")


def _budgets(name: str, number: int, runs: dict[str, list[Measured]]) -> list[Budget]:
    scale = 20_000 / number
    whole = (("import", 60, 20), ("escalate", 60, 20), ("statistics", 15, 5))
    each = (
        ("open", 3, 1),
        ("step", 3, 1),
        ("list", 3, 1),
        ("list overdue, 1,000", 4, 1.5),
        ("list by handler", 4, 1.5),
    )
    return [
        *(
            Budget(f"{name}: {what}, 20,000", _seconds(runs[what]) * scale, "≤", must, aim, " s")
            for what, must, aim in whole
        ),
        *(Budget(f"{name}: {what}", _seconds(runs[what]), "≤", must, aim, " s") for what, must, aim in each),
    ]


def _seconds(each: Sequence[Measured]) -> float:
    return statistics.median(run.seconds for run in each)


def _cpu(each: Sequence[Measured]) -> float:
    return statistics.median(run.cpu_seconds for run in each)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    headers = ["case", "runs", "wall s", "CPU s", "MB"]
    sitting = Sitting("complaints", "complaints", 20_000, _title, headers, measured)
    return sit(sitting, __doc__, argv)


def _title(complaints: int) -> str:
    return f"Complaints, {complaints:,} open, of {complaints // EACH:,} customers"


if __name__ == "__main__":
    sys.exit(main())
