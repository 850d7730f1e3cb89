"""The header that every policy file has, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from crmctl.i18n import N_, _
from crmctl.policy.exemptions import Match, checked
from crmctl.policy.kinds import BY_NAME
from crmctl.policy.model import SCOPES, Between, Code, Day, Labels, Many, ScopeName, Settings, Text, Wrong
from crmctl.policy.problems import suggest

SCHEMA = 1


def _known(name: str) -> str:
    if name not in BY_NAME:
        raise Wrong(_("'{name}' is no kind of policy").format(name=name[:40]), suggest(name, BY_NAME))
    return name


class Scope(Settings):
    """Whom a policy is for; what is not named is not restricted."""

    channel: Many[Code] = Field((), description=N_("only requests that come this way"))
    post: Many[Code] = Field((), description=N_("only people who hold this post"))
    customer_type: Many[Code] = Field((), description=N_("only customers of these types"))
    org_unit: Many[Code] = Field((), description=N_("only these organisation units"))

    @property
    def key(self) -> tuple[frozenset[str], ...]:
        """What two policies must share to be of equal scope."""
        return tuple(frozenset(getattr(self, name)) for name in SCOPES)

    @property
    def everybody(self) -> bool:
        """Whether nothing is restricted."""
        return not any(self.key)


def scope_of(names: Sequence[ScopeName]) -> type[Settings]:
    """Return the model of a scope that can name only these dimensions."""
    kept: dict[str, Any] = {name: (info.annotation, info) for name, info in Scope.model_fields.items() if name in names}
    return create_model("Scope", __base__=Settings, __doc__=Scope.__doc__, **kept)


class Limits(Settings):
    """How much one run may change before it stops and asks; first decisions about a record do not count."""

    max_changes: Annotated[int, Field(ge=1)] | None = Field(None, description=N_("at most this many records"))
    max_percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description=N_("at most this share of the records")
    )


class Exemption(Settings):
    """A case the policy is not applied to: by whose decision, why, until when."""

    match: Annotated[Match, Field(min_length=1), AfterValidator(checked)] = Field(
        description=N_("the records it concerns, by field: {customer: C-001001}"),
        examples=[{"customer": "C-001001"}],
    )
    reason: Text = Field(description=N_("why"))
    approved_by: Text = Field(description=N_("who decided it"))
    expires: Day = Field(description=N_("last day it holds"))


class Header(Settings):
    """What every policy says about itself."""

    kind: Annotated[str, AfterValidator(_known)] = Field(description=N_("which part of the program it steers"))
    file_schema: Literal[1] = Field(alias="schema", description=N_("version of the file format"))
    name: Code | None = Field(None, description=N_("its name; the kind unless given"))
    version: Annotated[int, Field(ge=1)] = Field(description=N_("the author's version number, one higher each time"))
    owner: Text = Field(description=N_("the post that answers for it (RULE-07)"))
    description: Text | Labels | None = Field(None, description=N_("what it is about, for people"))
    scope: Scope = Field(Scope(), description=N_("whom it is for; everybody unless given"))
    effective: Between = Field(Between(), description=N_("from when until when it is in force; always unless given"))
    mode: Literal["enforce", "report", "off"] = Field(
        "enforce", description=N_("enforce; report: write the findings, change nothing; off")
    )
    limits: Limits = Field(Limits(), description=N_("safety limits of one run"))
    exceptions: Many[Exemption] = Field((), description=N_("cases it is not applied to"))
    settings: Any = Field(description=N_("the rules themselves; see the kind"))
