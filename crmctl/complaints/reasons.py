"""Codes of this room in words: states, deeds, what closing lacks, why something may not happen."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.i18n import N_

FIELD_TEXTS: Mapping[str, str] = {
    "complainant": N_("Complainant"),
    "contact": N_("Contact details"),
    "matter": N_("Matter"),
    "demand": N_("Demand"),
    "nature": N_("Nature"),
}
STATUS_TEXTS: Mapping[str, str] = {
    "accepted": N_("registered"),
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
    "accepted": N_("registered"),
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
# What comes next without trouble, by state.
NEXT_COMMAND: Mapping[str, str] = {
    "accepted": "complaint verify",
    "verified": "complaint propose",
    "proposed": "complaint agree",
    "refused": "complaint propose",
    "agreed": "complaint rectify",
    "rectified": "complaint revisit",
    "revisited": "complaint close",
    "unsettled": "complaint propose",
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
    "PLAN_PASSED": (
        N_("{number}: the plan's own date has passed, and nobody promises what is over"),
        N_("propose another date: crmctl complaint propose {number}"),
    ),
    "IS_DUPLICATE": (
        N_("{number}: repeats another, which is the one that is handled"),
        N_("see which: crmctl complaint show {number}"),
    ),
    "OTHER_CUSTOMER": (
        N_("{original}: is another customer's, so {number} does not repeat it"),
        N_("name one of the same customer"),
    ),
    "NO_ORIGINAL": (
        N_("{original}: is no complaint that {number} could repeat"),
        N_("name the one that came first and is open"),
    ),
    "ABOUT_MISSING": (
        N_("{original}: does not know of everybody whom {number} is about"),
        N_("first: crmctl complaint verify {original} --about STAFF"),
    ),
    "CASE_OPEN": (N_("{number}: is open ({status})"), N_("see: crmctl complaint show {number}")),
    "NOT_YET": (
        N_("{number}: not as it stands ({status})"),
        N_("next: crmctl {command} {number}"),
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
    "CLOCK_BEHIND": (
        N_("it is {at} here, and something later is on record already"),
        N_("set this machine's clock right"),
    ),
    "AT_WITHOUT_REASON": (
        N_("--at {at}: say why it is entered only now"),
        N_("add --late-reason"),
    ),
}
