"""Policy files: YAML → settings, every problem with file:line:column; values, references, the hash of the set.

`load` gives a `PolicySet` or raises with every problem; `check` gives the problems too. Everything is imported on
use, because pydantic is not needed for `--help`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmctl.policy.checking import Checked as Checked
    from crmctl.policy.checking import check as check
    from crmctl.policy.checking import from_text as from_text
    from crmctl.policy.checking import load as load
    from crmctl.policy.kinds import KINDS as KINDS
    from crmctl.policy.policyset import Policy as Policy
    from crmctl.policy.policyset import PolicySet as PolicySet
    from crmctl.policy.policyset import Undecided as Undecided
    from crmctl.policy.problems import Problem as Problem
    from crmctl.policy.scopes import Ruling as Ruling
    from crmctl.policy.scopes import in_force as in_force
    from crmctl.policy.scopes import ruling_for as ruling_for

_HOMES = {
    "Checked": "checking",
    "check": "checking",
    "from_text": "checking",
    "load": "checking",
    "KINDS": "kinds",
    "Policy": "policyset",
    "PolicySet": "policyset",
    "Undecided": "policyset",
    "Problem": "problems",
    "Ruling": "scopes",
    "in_force": "scopes",
    "ruling_for": "scopes",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the module calls so
    if name in _HOMES:
        return getattr(import_module(f"crmctl.policy.{_HOMES[name]}"), name)
    raise AttributeError(name)
