"""A customer file to be read by whichever process does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmctl.customers.model import Row
from crmctl.sheets.model import Rejected
from crmctl.sheets.reading import Reading

if TYPE_CHECKING:
    from crmctl.customers.named_owners import Roster
    from crmctl.customers.policy import CustomersSettings
    from crmctl.policy import PolicySet
    from crmctl.policy.model import CodeItem


@dataclass(frozen=True)
class CustomerReading(Reading):
    """One inspected file of customers."""

    settings: CustomersSettings
    roster: Roster | None = None  # whom the file may name as owners; None where it names none, or there are none

    def compile(self) -> Callable[[int, list[str]], Row | Rejected]:
        """Return the function from a record to its row."""
        from crmctl.customers.rows import compile_rows

        rows = compile_rows(
            self.settings,
            self.info.mapping,
            zone=self.zone,
            at=self.at,
            type_code=self.options.type,
            outside=self.outside,
        )
        if self.roster is None:
            return rows
        from crmctl.customers.named_owners import adopting

        return adopting(rows, self.roster)

    @property
    def names_types(self) -> bool:
        """Whether the file or the caller says which type a row is."""
        return self.options.type is not None or self.info.mapping.has("type")


def outside_lists(policies: PolicySet) -> dict[str, tuple[CodeItem, ...]]:
    """Return the code lists that other policies keep: tiers, tags, organisation units."""
    tiers = policies.settings("tiers")
    tags = policies.settings("tags")
    company = policies.settings("company")
    return {
        "tiers": tuple(tiers.tiers),  # type: ignore[attr-defined]
        "tags": tuple(tags.tags),  # type: ignore[attr-defined]
        "org_units": tuple(company.org_units),  # type: ignore[attr-defined]
    }
