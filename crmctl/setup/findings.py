"""What `doctor` works with: the findings of one look at a workspace, and what the checks have opened on their way."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine

if TYPE_CHECKING:
    from crmctl.policy import PolicySet
    from crmctl.security.keystore import KeyStore
    from crmctl.workspace import Workspace

FINE, WARNS, WRONG = "fine", "warns", "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the screen: a level, what was looked at, what is so, what to do about it."""

    level: str
    subject: str
    message: str
    hint: str = ""


@dataclass
class Patient:
    """The workspace under examination: what earlier checks found readable is there for later ones."""

    place: Workspace
    at: datetime
    stack: ExitStack
    policies: PolicySet | None = None
    engine: Engine | None = None
    keys: KeyStore | None = None
    findings: list[Finding] = field(default_factory=list)

    def note(self, level: str, subject: str, message: str, hint: str = "") -> None:
        self.findings.append(Finding(level, subject, message, hint))
