"""Every way a command can fail on purpose: class → exit code → code → hint.

CrmctlError
├── Refused              1   refused or failed as expected; the message says why
├── UsageProblem         2   the command line itself is wrong
├── InvalidInput         4   a file, a value, the configuration or a policy is not valid
│   ├── PolicyInvalid    4   carries the list of problems with file:line:column
│   └── ValueUndecided   4   a number the company has not decided yet is needed
├── PermissionMissing    6   permission or approval missing
├── LimitExceeded        7   a safety limit would be exceeded
├── PlanStale            8   plan stale, expired or already applied
├── DatabaseMissing     10   database missing or at another revision
├── Locked              11   locked by another run, or busy beyond the timeout
├── KeyMissing          12   key missing or wrong
├── IntegrityFailed     13   audit, backup or sealed value does not verify
├── StorageFailed       74   disk full, log not writable: nothing shown, nothing half-written
└── Interrupted    130/143   SIGINT or SIGTERM; rolled back

Exit 0 is success, 3 a run that finished with rejected records, 5 `--detailed-exitcode`, 14 a valid log with an
unsigned tail, 70 a bug. `EXIT_CODES` is the one table; README, `--help` and the tests read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmctl.i18n import N_

DONE = 0
REJECTED_ROWS = 3
PLAN_HAS_CHANGES = 5
UNSIGNED_TAIL = 14
BUG = 70

EXIT_CODES: Mapping[int, str] = {
    0: N_("done, or nothing to do"),
    1: N_("refused or failed as expected (the message says why)"),
    2: N_("usage"),
    3: N_("finished with rejected records; the rest is committed"),
    4: N_("policy, configuration or input invalid; a needed value is unset"),
    5: N_("the plan has changes (only with --detailed-exitcode)"),
    6: N_("permission or approval missing"),
    7: N_("a safety limit would be exceeded"),
    8: N_("plan stale, expired or already applied"),
    10: N_("database missing or at another revision"),
    11: N_("locked by another run, or busy beyond the timeout"),
    12: N_("key missing or wrong"),
    13: N_("integrity failed (audit, backup, sealed value)"),
    14: N_("audit valid but its newest entries are not yet signed"),
    70: N_("a bug: a report file's path is printed"),
    74: N_("I/O: disk full, log not writable; nothing shown, nothing half-written"),
    130: N_("interrupted; rolled back"),
    143: N_("terminated; rolled back"),
}


class CrmctlError(Exception):
    """An expected failure: one line for people (`message`), what to do next (`hint`), a stable `code` for programs.

    `message` and `hint` are already in the reader's language and hold no personal data.
    """

    exit_code = 1
    default_code = "REFUSED"

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.details = dict(details or {})


class Refused(CrmctlError):
    """Refused or failed as expected."""


class UsageProblem(CrmctlError):
    """The command line is wrong."""

    exit_code = 2
    default_code = "USAGE"


class InvalidInput(CrmctlError):
    """A file, a value or the configuration is not valid; nothing was written."""

    exit_code = 4
    default_code = "INPUT_INVALID"


class PolicyInvalid(InvalidInput):
    """The policy files have problems; `details["problems"]` lists them all as dicts."""

    default_code = "POLICY_INVALID"


class ValueUndecided(InvalidInput):
    """A value that the written policy leaves blank is needed and unset in company.yaml (requirements 0.3)."""

    default_code = "VALUE_UNDECIDED"


class PermissionMissing(CrmctlError):
    """The actor may not do this, or an approval is missing (ACC-01)."""

    exit_code = 6
    default_code = "PERMISSION_MISSING"
    noted = False  # whether its entry is in the log: each refusal is counted once, however many blocks it leaves


class LimitExceeded(CrmctlError):
    """The change is larger than the policy's safety limit."""

    exit_code = 7
    default_code = "LIMIT_EXCEEDED"


class PlanStale(CrmctlError):
    """The saved plan is stale, expired or already applied."""

    exit_code = 8
    default_code = "PLAN_STALE"


class DatabaseMissing(CrmctlError):
    """There is no database, or it is at another revision than this program."""

    exit_code = 10
    default_code = "DATABASE_MISSING"


class Locked(CrmctlError):
    """Another run holds the lock, or the database stayed busy beyond the timeout."""

    exit_code = 11
    default_code = "LOCKED"


class KeyMissing(CrmctlError):
    """A key is missing or is not the one that sealed the data."""

    exit_code = 12
    default_code = "KEY_MISSING"


class IntegrityFailed(CrmctlError):
    """Something does not verify: the log, a row against its last change, a sealed value."""

    exit_code = 13
    default_code = "INTEGRITY_FAILED"


class StorageFailed(CrmctlError):
    """The disk or the log cannot be written; nothing was shown, nothing is half-written."""

    exit_code = 74
    default_code = "STORAGE_FAILED"


class Interrupted(CrmctlError, KeyboardInterrupt):
    """SIGINT (130) or SIGTERM (143): the transaction in progress was rolled back.

    It is a KeyboardInterrupt too, because drivers cancel the query they wait for on that alone.
    """

    default_code = "INTERRUPTED"

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted" if signal_number == 2 else "terminated")
        self.exit_code = 128 + signal_number
