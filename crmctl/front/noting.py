"""What is refused before a command runs is in the log as well."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crmctl.errors import PermissionMissing

NOTE = "crmctl.runs.refusals:note"  # resolved on use: it opens the database, which this room knows nothing of


def note(workspace: str, act: str, refusal: PermissionMissing) -> None:
    """Log in the workspace's log that `act` was refused, where the log can be reached."""
    module, _colon, function = NOTE.partition(":")
    getattr(import_module(module), function)(Path(workspace), act, refusal)
