"""Staff (员工): who works with customers, on which post, how many they look after, who is absent. OWN-04, OWN-05.

What other rooms may use: `find` (whom a reference means), `active` (who is in post on a day), `directory` (everybody,
for many look-ups), `may_own` with `owner_rules` (why somebody may not own customers), `default_capacity`, `represented`
(whom somebody stands in for).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmctl.staff.decide import OwnerRules as OwnerRules
    from crmctl.staff.decide import may_own as may_own
    from crmctl.staff.demo import add_demo as add_demo
    from crmctl.staff.facts import directory as directory
    from crmctl.staff.model import Absence as Absence
    from crmctl.staff.model import Directory as Directory
    from crmctl.staff.model import Staff as Staff
    from crmctl.staff.policy import default_capacity as default_capacity
    from crmctl.staff.policy import owner_rules as owner_rules
    from crmctl.staff.register import active as active
    from crmctl.staff.register import find as find
    from crmctl.staff.standing import represented as represented

_HOMES = {
    "Absence": "model",
    "Directory": "model",
    "OwnerRules": "decide",
    "Staff": "model",
    "active": "register",
    "add_demo": "demo",
    "default_capacity": "policy",
    "directory": "facts",
    "find": "register",
    "may_own": "decide",
    "owner_rules": "policy",
    "represented": "standing",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the module calls so
    if name in _HOMES:
        return getattr(import_module(f"crmctl.staff.{_HOMES[name]}"), name)
    raise AttributeError(name)
