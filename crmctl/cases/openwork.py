"""What is still open for customers that change hands, as the subjects that keep it tell it (OWN-02, OWN-03)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from crmctl.runs.run import Run


class OpenCase(NamedTuple):
    """A case of a customer that is not closed; `stage` and `due` say in words what has to be done next, and by when."""

    customer_id: int
    number: str
    state: str
    stage: str
    due: str
    handler_id: int | None
    first_receiver_id: int | None


# A name rather than an import: a subject stands on this room, and this room does not need it to work.
COMPLAINTS = "crmctl.complaints.handed:open_of"
Opens = Callable[["Run", Collection[int]], Sequence[OpenCase]]


def complaints_of(run: Run, customers: Collection[int]) -> Sequence[OpenCase]:
    """Return the open complaints of customers, by customer and number."""
    module, _colon, name = COMPLAINTS.partition(":")
    known: Opens = getattr(import_module(module), name)
    return known(run, customers)
