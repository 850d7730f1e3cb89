"""Measure the change of the master key: every data key of a store put under a new one, on both kinds of store.

    python -m benchmarks.keys --keys 1000000 --rounds 3

Each round changes the master key of a store that holds that many keys, first the file's, then the server's. Times are
of `keyrotate.new_master` and `keyrotate.rewrap`: what `crmctl keys rotate` does between its two entries.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

from benchmarks import report
from benchmarks.machine import describe
from benchmarks.report import Budget
from benchmarks.server import postgresql
from crmctl.security import keyrotate
from crmctl.security.keystore import KeyStore

INSTANCE = bytes(range(16))
PIECE = 20_000
MUST, STRETCH, MILLION = 15.0, 6.0, 1_000_000
Times = dict[str, list[float]]


def _filled(location: Path | str, master: dict[str, Any] | None, keys: int) -> KeyStore:
    store = KeyStore.create(location, INSTANCE, datetime.now(UTC), master=master)
    for first in range(1, keys + 1, PIECE):
        fresh = store.wrapper.new_keys("customer", range(first, min(first + PIECE, keys + 1)))
        store.add(store.wrapper.wrap(fresh))
    return store


def _rotate(store: KeyStore) -> float:
    start = time.perf_counter()
    keyrotate.new_master(store, datetime.now(UTC))
    done = keyrotate.rewrap(store, lambda _more: None)
    seconds = time.perf_counter() - start
    if done.left or done.keys != store.count("customer") + 1:
        sys.exit(f"FAILED: {done} of {store.count('customer')} keys")
    return seconds


@contextlib.contextmanager
def _stores(keys: int, home: Path) -> Iterator[dict[str, KeyStore]]:
    with contextlib.ExitStack() as stack:
        found = {"SQLite": stack.enter_context(_filled(home / "keys", None, keys))}
        url = stack.enter_context(postgresql()).create("crmctl_keys")
        master = {"provider": "file", "path": str(home / "master-{epoch}.key")}
        found["PostgreSQL"] = stack.enter_context(_filled(url, master, keys))
        yield found


def measure(keys: int, rounds: int) -> Times:
    """Return the seconds of every change of the master key by kind of store, the stores in turn."""
    times: Times = {}
    with tempfile.TemporaryDirectory(prefix="crmctl-bench-") as folder, _stores(keys, Path(folder)) as stores:
        for _round in range(rounds):
            for name, store in stores.items():
                times.setdefault(name, []).append(_rotate(store))
    return times


def budgets(times: Times, keys: int) -> list[Budget]:
    """Hold the times against design §9, in seconds for a million keys."""
    return [
        Budget(f"keys rotate, {name}, for a million keys", median(seconds) * MILLION / keys, "≤", MUST, STRETCH, " s")
        for name, seconds in times.items()
    ]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keys", type=int, default=MILLION)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gate", action="store_true", help="exit 7 when a budget is missed")
    a = parser.parse_args(argv)
    started, facts = datetime.now().astimezone(), describe()
    times = measure(a.keys, a.rounds)
    verdicts = budgets(times, a.keys)
    lines = [[name, report.spread(seconds, 2)] for name, seconds in times.items()]
    table = tabulate(lines, ["store", "seconds"], tablefmt="github", disable_numparse=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    head = f"# Change of the master key, {a.keys:,} keys, {a.rounds} rounds, {started:%Y-%m-%d %H:%M}"
    parts = [head, report.machine_table(facts), table, f"Peak memory: {peak:.0f} MB", report.budget_table(verdicts)]
    text = "\n\n".join(parts) + "\n"
    data: dict[str, Any] = {
        "machine": facts | {"load after": f"{os.getloadavg()[0]:.2f}"},
        "keys": a.keys,
        "seconds": {name: [round(each, 3) for each in seconds] for name, seconds in times.items()},
        "budgets": [{"what": b.what, "measured": round(b.measured, 3), "verdict": b.verdict} for b in verdicts],
    }
    path = report.save("keys", text, data, started)
    print(text)
    print(f"written: {path} and .md", file=sys.stderr)
    return 7 if a.gate and any(b.verdict == "MISSED" for b in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
