"""From runs to a table, ratios and verdicts on the budgets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

from benchmarks.measure import Measured

OUT = Path(__file__).with_name("out")


@dataclass(frozen=True, slots=True)
class Case:
    """All runs of one timed command, in the order of the rounds."""

    name: str
    rows: int
    runs: list[Measured]

    @property
    def seconds(self) -> list[float]:
        """Wall seconds of each run."""
        return [run.seconds for run in self.runs]

    @property
    def rate(self) -> float:
        """Rows a second, from the median."""
        return self.rows / median(self.seconds)

    @property
    def peak(self) -> float:
        """Median over the runs of the largest process, MB."""
        return median(run.largest for run in self.runs)

    def peaks(self) -> dict[str, float]:
        """Median peak of each process by its role, MB; a role seen in half the runs at least."""
        roles: dict[str, list[float]] = {}
        for run in self.runs:
            for role, peak in run.processes:
                roles.setdefault(role, []).append(peak)
        return {role: median(found) for role, found in roles.items() if 2 * len(found) >= len(self.runs)}


@dataclass(frozen=True, slots=True)
class Budget:
    """One line of the budgets: what was measured against what it must be. `better` is "≥" or "≤"."""

    what: str
    measured: float
    better: str
    must: float
    stretch: float | None
    unit: str = "×"
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return stretch, kept or MISSED."""
        if self.stretch is not None and self._holds(self.stretch):
            return "stretch"
        return "kept" if self._holds(self.must) else "MISSED"

    def _holds(self, limit: float) -> bool:
        return self.measured >= limit if self.better == "≥" else self.measured <= limit


def ratio(slow: Case, quick: Case) -> float:
    """Return how many times the time per row of `quick` is that of `slow`: the median of round against round."""
    pairs = zip(slow.seconds, quick.seconds, strict=False)
    return median((s / slow.rows) / (q / quick.rows) for s, q in pairs)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Write `median [min–max]`."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def case_table(cases: Sequence[Case], yardsticks: Sequence[Case]) -> str:
    """Return the table of all cases; a column for each yardstick says how many times its time per row a case takes."""
    headers = ["case", "rows", "wall s", "rows/s", "CPU s", "largest MB", "processes MB"]
    lines = []
    for case in cases:
        processes = ", ".join(f"{role} {peak:.0f}" for role, peak in case.peaks().items())
        line = [case.name, f"{case.rows:,}", spread(case.seconds), f"{case.rate:,.0f}"]
        line += [f"{median(run.cpu_seconds for run in case.runs):.1f}", f"{case.peak:.0f}", processes]
        lines.append(line + [f"{ratio(case, yardstick):.2f}" for yardstick in yardsticks])
    headers += [f"time ÷ {yardstick.name}" for yardstick in yardsticks]
    return tabulate(lines, headers, tablefmt="github", disable_numparse=True)


def budget_table(budgets: Sequence[Budget]) -> str:
    """Return the table of budgets with their verdicts."""
    lines = []
    for b in budgets:
        stretch = "" if b.stretch is None else f"{b.better} {b.stretch:g}{b.unit}"
        lines.append(
            [b.what, f"{b.measured:.2f}{b.unit}", f"{b.better} {b.must:g}{b.unit}", stretch, b.verdict, b.note]
        )
    return tabulate(
        lines, ["budget", "measured", "must", "stretch", "", "note"], tablefmt="github", disable_numparse=True
    )


def machine_table(facts: Mapping[str, str]) -> str:
    """Return the machine as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def save(name: str, text: str, data: Mapping[str, Any], started: datetime) -> Path:
    """Write the report for people (.md) and for programs (.json) to benchmarks/out; return the latter's path."""
    OUT.mkdir(exist_ok=True)
    stem = f"{name}-{started:%Y%m%d-%H%M%S}"
    (OUT / f"{stem}.md").write_text(text, encoding="utf-8")
    path = OUT / f"{stem}.json"
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
    return path


def case_data(case: Case) -> dict[str, Any]:
    """Return a case as plain data."""
    return {
        "rows": case.rows,
        "wall_seconds": [round(seconds, 4) for seconds in case.seconds],
        "cpu_seconds": [round(run.cpu_seconds, 3) for run in case.runs],
        "rows_per_second": round(case.rate, 1),
        "largest_mb": [run.largest for run in case.runs],
        "processes_mb": [dict(run.processes) for run in case.runs],
    }
