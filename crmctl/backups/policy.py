"""Settings of policy kind `backup`: how often sets are made, how long they are kept, how often one is tried (SEC-02).

A regulation that says "regularly" leaves the figures to the company: unset they are told by doctor, and nothing is
removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import Field

from crmctl.i18n import N_, _
from crmctl.policy.model import Figure, Finding, Lookup, ScopeName, Settings, Sources

if TYPE_CHECKING:
    from crmctl.policy import PolicySet


class Keep(Settings):
    """When a set may go: not among the newest `sets`, and older than `days`; both where both are given, none: never."""

    sets: Figure | None = Field(None, description=N_("so many of the newest are kept"))
    days: Figure | None = Field(None, description=N_("younger ones are kept"))

    def bounds(self, policies: PolicySet) -> tuple[int | None, int | None]:
        """Return both numbers; None for one that is not given or not decided. Nothing goes while one is undecided."""
        found = [None if given is None else policies.figure(given) for given in (self.sets, self.days)]
        if any(
            given is not None and number is None for given, number in zip((self.sets, self.days), found, strict=True)
        ):
            return None, None
        sets, days = (None if number is None else int(number) for number in found)
        return sets, days


class BackupSettings(Settings):
    """How often, how long, how often tried; the same for everybody."""

    scopes: ClassVar[tuple[ScopeName, ...]] = ()

    every: Figure | None = Field(None, description=N_("days after which the next set of each kind is due"))
    drill_every: Figure | None = Field(
        None, description=N_("days after which a set has to be restored again, on trial")
    )
    keep_data: Keep = Field(Keep(), description=N_("how long sets of the data are kept"))
    keep_keys: Keep = Field(Keep(), description=N_("how long sets of the keys are kept"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    def keep(self, kind: str) -> Keep:
        """Return how long sets of a kind are kept."""
        return self.keep_keys if kind == "keys" else self.keep_data

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield periods that are no whole days, and numbers of sets below 1."""
        given: list[tuple[tuple[str, ...], Figure | None]] = [(("every",), self.every)]
        given.append((("drill_every",), self.drill_every))
        for name in ("keep_data", "keep_keys"):
            given += [((name, key), getattr(getattr(self, name), key)) for key in ("sets", "days")]
        for at, figure in given:
            number = None if figure is None else look.figure(figure)
            if number is not None and (number < 1 or number != int(number)):
                yield Finding(at, _("a whole number above 0 is wanted"))


def settings_of(policies: PolicySet) -> BackupSettings:
    """Return the settings of backup.yaml; nothing configured where the workspace has none."""
    if not policies.of_kind("backup"):
        return BackupSettings()
    return cast("BackupSettings", policies.settings("backup"))
