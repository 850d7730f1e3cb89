"""Codes of this room in words: states, deeds, what closing lacks, why something may not happen."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.i18n import N_

STATUS_TEXTS: Mapping[str, str] = {
    "accepted": N_("accepted"),
    "verified": N_("verified"),
    "proposed": N_("plan proposed"),
    "refused": N_("plan refused"),
    "agreed": N_("plan agreed"),
    "rectified": N_("rectified"),
    "revisited": N_("revisited"),
    "unsettled": N_("not settled"),
    "closed": N_("closed"),
    "duplicate": N_("duplicate"),
}
DEED_TEXTS: Mapping[str, str] = {
    "received": N_("received"),
    "accepted": N_("accepted"),
    "responded": N_("first response"),
    "verified": N_("verified"),
    "proposed": N_("plan proposed"),
    "agreed": N_("plan agreed"),
    "refused": N_("plan refused"),
    "rectified": N_("rectified"),
    "progressed": N_("progress told"),
    "handed": N_("handed on"),
    "answered": N_("department answered"),
    "revisited": N_("revisited"),
    "reviewed": N_("reviewed"),
    "legal_reviewed": N_("legal review"),
    "analysed": N_("analysed"),
    "mediated": N_("mediation offered"),
    "closed": N_("closed"),
    "reopened": N_("reopened"),
    "duplicated": N_("marked a duplicate"),
    "linked": N_("customer recorded"),
    "attached": N_("file added"),
    "classified": N_("classified"),
    "asked": N_("approval asked"),
    "extended": N_("extended"),
}
# What closing lacks, and the command that brings it.
MISSING: Mapping[str, tuple[str, str]] = {
    "responded": (N_("first response"), "complaint respond"),
    "verified": (N_("verification: responsible party and cause"), "complaint verify"),
    "agreed": (N_("a plan the customer agreed to"), "complaint propose, complaint agree"),
    "rectified": (N_("rectification"), "complaint rectify"),
    "revisited": (N_("revisit"), "complaint revisit"),
    "settled": (N_("the customer's word that it is settled"), "complaint revisit --settled"),
    "reviewed": (N_("review"), "complaint review"),
    "legal_reviewed": (N_("legal review"), "complaint legal-review"),
    "analysed": (N_("root cause and improvement"), "complaint analyse"),
    "attached": (N_("supporting material"), "complaint attach"),
}
# Why something may not happen next: message and hint.
NEXT: Mapping[str, tuple[str, str]] = {
    "DONE_ALREADY": (N_("{number}: that is on record already"), N_("see: crmctl complaint show {number}")),
    "CASE_CLOSED": (N_("{number}: is closed"), N_("if it is not over: crmctl complaint reopen {number}")),
    "CASE_OPEN": (N_("{number}: is open ({status})"), N_("see: crmctl complaint show {number}")),
    "NOT_YET": (
        N_("{number}: not as it stands ({status})"),
        N_("what comes next: crmctl complaint show {number}"),
    ),
    "AGREEMENT_POSSIBLE": (
        N_("{number}: there is no disagreement ({status})"),
        N_("close it without --without-agreement, once nothing is missing"),
    ),
    "PLANS_TOO_FEW": (
        N_("{number}: {refused} plans were refused, the policy wants {plans}"),
        N_("propose another: crmctl complaint propose {number}"),
    ),
    "MEDIATION_MISSING": (
        N_("{number}: mediation was not offered"),
        N_("offer it, then: crmctl complaint mediate {number}"),
    ),
    "NO_DISAGREEMENT_EXIT": (
        N_("{number}: its policy has no closing without agreement"),
        N_("policies/complaints.yaml: without_agreement"),
    ),
}
TIMES: Mapping[str, tuple[str, str]] = {
    "AT_FUTURE": (N_("--at {at}: lies in the future"), N_("give the time at which it happened")),
    "AT_TOO_EARLY": (
        N_("--at {at}: what is so long ago is not entered any more, the policy allows {limit}"),
        N_("enter it as of now and say in words when it happened; policies/complaints.yaml: back_date"),
    ),
    "AT_BEFORE_LAST": (
        N_("--at {at}: lies before what is on record already"),
        N_("see the times: crmctl complaint show"),
    ),
    "AT_WITHOUT_REASON": (
        N_("--at {at}: say why it is entered only now"),
        N_("add --late-reason"),
    ),
}
