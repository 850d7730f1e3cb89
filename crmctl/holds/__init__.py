"""What may not be destroyed for now, whatever policies say: frozen by hand, or by a case that is open (DES-07).

What other rooms may use: `reasons` (for each reason, a select of the customers it keeps), `everybody` (the kind of a
hold on all customers), `kept` (the reasons for some customers), `label` (a reason in words), `KINDS`, and
`keep_others_out`, for a transaction that begins a destruction.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmctl.holds.keeping import everybody as everybody
    from crmctl.holds.keeping import kept as kept
    from crmctl.holds.keeping import reasons as reasons
    from crmctl.holds.model import KINDS as KINDS
    from crmctl.holds.model import label as label
    from crmctl.holds.writing import keep_others_out as keep_others_out

_HOMES = {
    "KINDS": "model",
    "everybody": "keeping",
    "keep_others_out": "writing",
    "kept": "keeping",
    "label": "model",
    "reasons": "keeping",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
