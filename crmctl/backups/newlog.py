"""A restored log goes on under another name, with a signer of its own.

The signer that signed the log before refuses it from now on, and rightly: entries are gone. Nor may two logs of one
name be signed by one key. What was signed of the entries that are left still counts, by the keys of then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import yaml

from crmctl.errors import InvalidInput
from crmctl.i18n import _

FILE = "policies/audit.yaml"
_KEYS = ("origin", "signers")
_MINIMAL = "kind: audit\nschema: 1\nversion: 1\nowner: information post\nsettings:\n"


def name_of(origin: str, at: datetime) -> str:
    """Return the name under which a log goes on that was called `origin`."""
    return f"{origin.partition('/restored-')[0]}/restored-{at:%Y%m%dT%H%M%SZ}"


def renamed(text: str | None, origin: str, signers: Sequence[str]) -> str:
    """Return audit.yaml with this origin and these signers; the rest of it, comments too, as it was.

    Raises InvalidInput where its settings are not written one under the other.
    """
    lines = (text or _MINIMAL).splitlines(keepends=True)
    root: Any = yaml.compose("".join(lines), Loader=yaml.SafeLoader)
    settings = next((value for key, value in root.value if key.value == "settings"), None)
    if settings is None or getattr(settings, "flow_style", False):
        raise InvalidInput(
            _("{path}: `settings` is not written one setting a line").format(path=FILE),
            hint=_("write it so, then make a new backup"),
            code="POLICY_NOT_EDITABLE",
        )
    pairs = settings.value if isinstance(settings, yaml.MappingNode) else []
    indent = pairs[0][0].start_mark.column if pairs else 2
    at = next(key.start_mark.line for key, _value in root.value if key.value == "settings") + 1
    doomed = {
        line
        for key, value in pairs
        if key.value in _KEYS
        for line in range(key.start_mark.line, _last_line(key, value) + 1)
    }
    added = [
        f"{' ' * indent}# Restored from a backup: a log of its own name; the older keys vouch for what was before.\n",
        f"{' ' * indent}origin: {json.dumps(origin)}\n",
        f"{' ' * indent}signers: {json.dumps(list(signers))}\n",
    ]
    kept = [line for number, line in enumerate(lines) if number >= at and number not in doomed]
    return "".join([*lines[:at], *added, *kept])


def origin_in(text: str) -> str:
    """Return the origin that an audit.yaml names, "" where it names none."""
    return str(_settings(text).get("origin") or "")


def signers_in(text: str) -> list[str]:
    """Return the verifier keys that an audit.yaml names."""
    found = _settings(text).get("signers")
    return [str(each) for each in found] if isinstance(found, list) else []


def _settings(text: str) -> dict[str, Any]:
    document = yaml.safe_load(text) if text else None
    found = document.get("settings") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _last_line(key: Any, value: Any) -> int:
    """Return the last line of a value; a block's own end is where the next thing begins."""
    if isinstance(value, yaml.ScalarNode) or value.flow_style:
        return int(value.end_mark.line)
    return max([int(key.start_mark.line), *(_last_line(key, each) for each in value.value)])
