"""Which decisions of an approval count today: re-read, signatures verified again, weighed by today's access.yaml."""

from __future__ import annotations

from collections.abc import Iterable

from crmctl.approvals import decide, signatures
from crmctl.approvals.decide import STRENGTH, Voice
from crmctl.approvals.records import Asked, Decision
from crmctl.approvals.statement import statement
from crmctl.runs.run import Run, access_of
from crmctl.security.access import AccessSettings


def of(made: Iterable[Decision]) -> list[Voice]:
    """Return the approving decisions as voices."""
    return [
        Voice(each.person, each.for_person, each.assurance, each.entered_by)
        for each in made
        if each.decision == "approve"
    ]


def wanted(access: AccessSettings, asked: Asked) -> tuple[int, str]:
    """Return how many people, and how surely: the stricter of what was wanted when it was asked and what is today."""
    rule = decide.rule_for(access, asked.act, asked.rows)
    if rule is None:
        return asked.people, asked.assurance
    return max(asked.people, rule.people), max(asked.assurance, rule.assurance, key=STRENGTH.index)


def enough(run: Run, asked: Asked, made: Iterable[Decision]) -> bool:
    """Say whether enough people agreed; a signature that does not verify any more does not count."""
    access = access_of(run.policies)
    people, least = wanted(access, asked)
    found = list(made)
    if least == "signed":
        found = _verified(run, asked, found)
    return decide.counted(asked.requested_by, least, of(found)) >= people


def _verified(run: Run, asked: Asked, made: list[Decision]) -> list[Decision]:
    signers = signatures.signers_of(run)
    return [
        each
        for each in made
        if each.signature is not None
        and signatures.verify(
            signers,
            each.person,
            statement(asked, run.workspace.instance, each.person, each.decision, each.for_person),
            each.signature,
        )
    ]
