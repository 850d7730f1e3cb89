"""One sitting: the same measured on SQLite and on PostgreSQL, in fresh workspaces, told and saved."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks import report
from benchmarks.machine import describe
from benchmarks.report import Budget
from benchmarks.server import postgresql

# kind of database, its URL (empty: SQLite in the workspace), how many, folder → table lines, verdicts, raw figures
Measure = Callable[[str, str, int, Path], tuple[list[list[Any]], list[Budget], dict[str, Any]]]


@dataclass(frozen=True)
class Sitting:
    """What is measured: `name` of the report, `what` it counts by default, `title` of so many, columns of the table."""

    name: str
    what: str
    number: int
    title: Callable[[int], str]
    headers: Sequence[str]
    measured: Measure


def sit(sitting: Sitting, doc: str | None, argv: list[str] | None) -> int:
    """Run a benchmark on the databases asked for; print and save its report. 7 when a budget is missed under --gate."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument(f"--{sitting.what}", dest="number", type=int, default=sitting.number)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--gate", action="store_true", help="exit 7 when a budget is missed")
    a = parser.parse_args(argv)
    started, facts = datetime.now().astimezone(), describe()
    lines: list[list[Any]] = []
    verdicts: list[Budget] = []
    raw: dict[str, Any] = {}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crmctl-bench-")))
        for name in ("sqlite", "postgresql"):
            if a.database not in (name, "both"):
                continue
            url = stack.enter_context(postgresql()).create(sitting.name) if name == "postgresql" else ""
            told, judged, raw[name] = sitting.measured(name, url, a.number, home)
            lines += told
            verdicts += judged
    table = tabulate(lines, sitting.headers, tablefmt="github", disable_numparse=True)
    head = f"# {sitting.title(a.number)}, {started:%Y-%m-%d %H:%M}"
    text = "\n\n".join([head, report.machine_table(facts), table, report.budget_table(verdicts)]) + "\n"
    data = {
        "machine": facts | {"load after": f"{os.getloadavg()[0]:.2f}"},
        "figures": raw,
        "budgets": [{"what": b.what, "measured": round(b.measured, 3), "verdict": b.verdict} for b in verdicts],
    }
    print(text)
    print(f"written: {report.save(sitting.name, text, data, started)}")
    return 7 if a.gate and any(b.verdict == "MISSED" for b in verdicts) else 0
