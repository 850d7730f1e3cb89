"""Whom a row of somebody's sheet means: by all that it says of its customer. Pure.

A person's name is shared too easily to speak against a code, or for whom has another one: it counts where nothing but
names is said, and where it tells those apart whom the rest fits. An organisation's name counts like a code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Literal, NamedTuple, Protocol

from crmctl.i18n import N_
from crmctl.sheets.policy import Format

Name = bytes | int  # what names a customer: an ident of the blind index, or the customer's own number
Identity = Literal["number", "external_code", "mobile", "email", "uscc", "id_card", "org_name"]
FORMATS: Mapping[str, tuple[Format, ...]] = {
    "number": ("code",),
    "external_code": ("code",),
    "mobile": ("mobile",),
    "email": ("email",),
    "uscc": ("uscc",),
    "id_card": ("id_card",),
    "org_name": ("organisation_name", "text"),
}
CUSTOMER_UNKNOWN = "CUSTOMER_UNKNOWN"
CUSTOMER_AMBIGUOUS = "CUSTOMER_AMBIGUOUS"
NAME_SHARED = "NAME_SHARED"
REASONS: Mapping[str, tuple[str, str]] = {
    CUSTOMER_UNKNOWN: (
        N_("no customer has what the row says of its customer"),
        N_("import the customers first; --source must name the system that their codes come from"),
    ),
    CUSTOMER_AMBIGUOUS: (
        N_("what the row says of its customer fits several customers, or different ones"),
        N_("compare with the candidates; give the customer number or a code"),
    ),
    NAME_SHARED: (
        N_("the row gives a name only, and several customers have it"),
        N_("compare with the candidates; give the customer number, a code or the mobile number"),
    ),
    "CUSTOMER_NUMBER_INVALID": (N_("{field} is not a customer number"), N_("as in C-000123")),
}
Holders = Mapping[Name, Collection[int]]


class Called(NamedTuple):
    """A customer's name: what an organisation of this name is found by, and what individuals are."""

    organisation: Name
    person: Name


class Pointing(Protocol):
    """What a row says of its customer: for each filled cell what it may be found by, and for cells that name it."""

    @property
    def names(self) -> Sequence[tuple[Name, ...]]: ...

    @property
    def called(self) -> Sequence[Called]: ...


class Found(NamedTuple):
    """Whom a row may mean: those that all it says fits, those that anything does; whether it says but a name."""

    fitting: Set[int]
    named: Set[int]
    by_name: bool

    @property
    def doubt(self) -> str:
        """The reason why it means nobody, or nobody certain; empty where it means one."""
        if not self.named:
            return CUSTOMER_UNKNOWN
        if len(self.fitting) == 1:
            return ""
        return NAME_SHARED if self.by_name and self.fitting else CUSTOMER_AMBIGUOUS


def fitting(row: Pointing, holders: Holders) -> Found:
    """Return whom a row may mean, where `holders` has each of its names."""
    sets = [found for names in row.names if (found := {who for name in names for who in holders.get(name, ())})]
    organisations = [set(holders.get(called.organisation, ())) for called in row.called]
    people = [set(holders.get(called.person, ())) for called in row.called]
    by_name = not row.names
    if by_name:
        organisations = [some | others for some, others in zip(organisations, people, strict=True)]
    sets += [found for found in organisations if found]
    fits = set.intersection(*sets) if sets else set()
    if len(fits) > 1 and not by_name:
        fits = next((alike for found in people if (alike := found & fits)), fits)
    return Found(fits, set().union(*sets), by_name)


def undecided(row: Pointing, holders: Holders) -> bool:
    """Say whether a row says nothing besides a name, or what several customers have."""
    return not row.names or any(
        len({who for name in names for who in holders.get(name, ())}) > 1 for names in row.names
    )
