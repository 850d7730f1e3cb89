"""The tour: the main job on the sample data that ships with the program, every step the real command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crmctl.errors import CrmctlError, Refused
from crmctl.i18n import N_, _, lang

SAMPLE = Path(__file__).parent / "sample"
YEAR_END = "2025-12-31"  # the sample tells of the year before: on other days its orders would not count


@dataclass(frozen=True)
class Step:
    """One step: what it shows, the command, and the exit statuses it may end with."""

    title: str
    command: Sequence[str]
    statuses: Sequence[int] = (0,)


STEPS = (
    Step(
        N_("A workspace: starter policies, a database, a key store apart from it, you as first administrator."),
        ("init", "{folder}", "--demo"),
    ),
    Step(N_("What would the import do? The same path as the real one, stopped before it writes."),
         ("customer", "import", "{sample}/customers_zh.csv", "--dry-run"), (0, 3)),
    Step(
        N_(
            "The desk's file, as Excel in China saves it (GB18030): validated, normalised, de-duplicated, sealed. "
            "Exit status 3 says that rows were rejected and the rest is committed."
        ),
        ("customer", "import", "{sample}/customers_zh.csv"),
        (3,),
    ),
    Step(N_("Rejected rows are kept, sealed, each with its reason and what to do about it."),
         ("batch", "rejects", "1")),
    Step(N_("The corrected rows."), ("customer", "import", "{sample}/customers_zh_fixed.csv"), (0, 3)),
    Step(N_("An English export, with foreign numbers: kept as written and flagged where they cannot be checked."),
         ("customer", "import", "{sample}/customers_en.csv"), (0, 3)),
    Step(N_("The first file once more: nothing is new, nothing changes, and it says so."),
         ("customer", "import", "{sample}/customers_zh.csv"), (0, 3)),
    Step(N_("Their orders of 2025. One without a mobile number goes to the only customer of that name."),
         ("order", "import", "{sample}/orders_zh.csv"), (3,)),
    Step(N_("Orders in dollars, at the rate of policies/company.yaml; those in a currency without a rate are flagged."),
         ("order", "import", "{sample}/orders_en.csv"), (3,)),
    Step(N_("Which tiers would they get at the end of 2025, by what they bought in the twelve months before?"),
         ("tier", "regrade", "--as-of", YEAR_END, "--dry-run", "--limit", "5")),
    Step(N_("Graded, each with its rule and its figures; the same again would change nothing."),
         ("tier", "regrade", "--as-of", YEAR_END, "--limit", "0")),
    Step(N_("Why is customer 1 not core, though its record says 1.28 million? Where there are orders, they count."),
         ("tier", "explain", "1", "--as-of", YEAR_END)),
    Step(N_("Lists are masked; every look is an entry of the audit log."),
         ("customer", "list", "--limit", "8")),
    Step(N_("One customer and its history."), ("customer", "show", "1")),
    Step(N_("Who changed it, when: fields, not values."), ("customer", "history", "1")),
    Step(N_("Every import with its counts: read = created + updated + unchanged + duplicate + rejected."),
         ("batch", "list")),
    Step(N_("The log: who did what."), ("audit", "list", "--limit", "8")),
    Step(
        N_(
            "The log, its changes and every row verified from their bytes. Status 14: valid, but nobody outside has "
            "signed its newest entries yet."
        ),
        ("audit", "verify", "--changes", "--rows"),
        (14,),
    ),
    Step(N_("The health of the workspace."), ("doctor",)),
)  # fmt: skip


def demo(folder: Path, tell: Callable[[str], None]) -> None:
    """Run the tour in a new workspace `folder`. Raises Refused when it exists or a step ends unexpectedly."""
    if folder.exists() or Path(f"{folder}.keys").exists():
        raise Refused(
            _("{folder}: exists already").format(folder=folder),
            hint=_("remove {folder} and {folder}.keys, or name another folder").format(folder=folder),
            code="FOLDER_NOT_EMPTY",
        )
    for number, step in enumerate(STEPS, 1):
        words = [word.format(folder=folder, sample=SAMPLE) for word in step.command]
        tell("")
        tell(f"── {number}/{len(STEPS)} " + _(step.title))
        tell("$ " + shlex.join(["crmctl", *words]))
        status = _run(folder, words)
        if status not in step.statuses:
            raise CrmctlError(
                _("step {number} ended with status {status}").format(number=number, status=status), code="DEMO_FAILED"
            )
    tell("")
    tell(_("The workspace is {folder}. Look around: crmctl -w {folder} customer list --help").format(folder=folder))


def _run(folder: Path, words: Sequence[str]) -> int:
    sys.stdout.flush()
    environment = {**os.environ, "CRMCTL_WORKSPACE": str(folder), "CRMCTL_LANG": lang()}
    return subprocess.run([sys.executable, "-m", "crmctl", *words], env=environment, check=False).returncode
