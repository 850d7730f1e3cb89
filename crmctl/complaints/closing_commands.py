"""`crmctl complaint …`: revisit, review, legal-review, analyse, close, reopen, mark-duplicate, extend, link, attach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.happened import happened_options
from crmctl.cli.options import Invocation, command, personal_option
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.complaints.acting import Outcome
    from crmctl.runs.run import Run

_CLOSE = "crmctl complaint close {number} --without-agreement"
CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 8, 10, 11, 12, 13, 74, 130, 143)


@command(
    example="crmctl complaint revisit CMP-20261121-0007 --settled --score 95 --text -",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option("--settled/--not-settled", default=None, help=N_("Whether the customer calls it properly settled."))
@click.option("--score", type=click.IntRange(0, 100), help=N_("Satisfaction, on the scale of the policy."))
@personal_option("--text", help=N_("What the customer said, and suggests."))
@happened_options
def revisit_command(call: Invocation, number: str, settled: bool | None, **given: Any) -> int | None:  # noqa: ANN401
    """Record the revisit: satisfaction, and whether it is properly settled (CMP-11, SAT-03).

    Not settled, another plan is needed.
    """
    from crmctl.complaints import asking, closing, outcome

    if settled is None:
        raise UsageProblem(_("say --settled or --not-settled"), hint=_("it is the customer who says so"))
    word = closing.Word(settled, given["score"], given["text"] or "")
    outcome.changed(
        call, "revisit", number, lambda run, plain: closing.revisit(run, plain, word, asking.happened(run, given))
    )
    return None


@command(example="crmctl complaint review CMP-20261121-0007 --passed", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@click.option("--passed/--not-passed", default=None, help=N_("What the review comes to."))
@personal_option("--text", help=N_("Why."))
def review_command(call: Invocation, number: str, passed: bool | None, text: str | None) -> int | None:
    """Review how a complaint was handled (复核), by somebody who did not handle it (CMP-15).

    Not passed, another plan is needed.
    """
    from crmctl.complaints import closing, outcome

    if passed is None:
        raise UsageProblem(_("say --passed or --not-passed"), hint="crmctl complaint review --help")
    outcome.changed(
        call, "review", number, lambda run, plain: closing.review(run, plain, passed=passed, text=text or "")
    )
    return None


@command(example="crmctl complaint legal-review CMP-20261121-0007 --text -", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--text", help=N_("What it came to."))
@happened_options
def legal_review_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record the legal compliance review of the handling (CMP-22)."""
    from crmctl.complaints import asking, handling, outcome

    outcome.changed(
        call, "legal-review", number,
        lambda run, plain: handling.tell(
            run, plain, "legal_reviewed", given["text"] or "", asking.happened(run, given)
        ),
    )  # fmt: skip
    return None


@command(
    example="crmctl complaint analyse CMP-20261121-0007 --root-cause - --improvement @improve.txt",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@personal_option("--root-cause", help=N_("Why it happened in the end."))
@personal_option("--improvement", help=N_("What keeps it from happening again."))
def analyse_command(call: Invocation, number: str, root_cause: str | None, improvement: str | None) -> int | None:
    """Record root cause and improvement (CMP-14); also once the complaint is closed."""
    from crmctl.complaints import closing, outcome

    if not root_cause or not improvement:
        raise UsageProblem(_("say --root-cause and --improvement"), hint="crmctl complaint analyse --help")
    outcome.changed(call, "analyse", number, lambda run, plain: closing.analyse(run, plain, root_cause, improvement))
    return None


@command(
    example=(
        "crmctl complaint close CMP-20261121-0007",
        "crmctl complaint close CMP-20261121-0007 --without-agreement --ask --text -",
        "crmctl complaint close CMP-20261121-0007 --without-agreement",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option(
    "--without-agreement", is_flag=True, help=N_("The customer agrees to nothing; needs mediation and approval.")
)
@click.option("--ask", is_flag=True, help=N_("With --without-agreement: ask for that approval."))
@personal_option("--text", help=N_("What is to be said of it."))
def close_command(call: Invocation, number: str, without_agreement: bool, ask: bool, text: str | None) -> int | None:
    """Close a complaint. While something is missing it says exactly what, and closes nothing (CMP-13).

    Where the customer agrees to no plan, closing needs mediation offered and somebody else's approval.
    """
    from crmctl.complaints import closing, outcome

    if ask and not without_agreement:
        raise UsageProblem(_("--ask: goes with --without-agreement"), hint=_("closing alone needs nobody's approval"))
    chosen = closing.ask_to_close if ask else closing.close_without_agreement if without_agreement else closing.close
    outcome.changed(call, "close", number, lambda run, plain: chosen(run, plain, text or ""), then=_CLOSE)
    return None


@command(example="crmctl complaint reopen CMP-20261121-0007 --reason -", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--reason", help=N_("Why."))
def reopen_command(call: Invocation, number: str, reason: str | None) -> int | None:
    """Reopen a closed complaint: a plan, its answer and a revisit are needed again."""
    from crmctl.complaints import closing, outcome

    if not reason:
        raise UsageProblem(_("--reason is missing"), hint=_("a complaint is reopened for a reason"))
    outcome.changed(call, "reopen", number, lambda run, plain: closing.reopen(run, plain, reason))
    return None


@command(
    example="crmctl complaint mark-duplicate CMP-20261121-0008 --of CMP-20261121-0007 --reason -",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option("--of", "original", required=True, help=N_("Acceptance number of the complaint it repeats."))
@personal_option("--reason", help=N_("Why it is the same."))
def mark_duplicate_command(call: Invocation, number: str, original: str, reason: str | None) -> int | None:
    """Mark a complaint as the repetition of another; both stay on record (CMP-23)."""
    from crmctl.cases import numbers
    from crmctl.complaints import closing, outcome

    if not reason:
        raise UsageProblem(_("--reason is missing"), hint=_("a duplicate is marked for a reason"))
    other = numbers.parsed(original)
    outcome.changed(
        call, "mark-duplicate", number, lambda run, plain: closing.mark_duplicate(run, plain, other, reason)
    )
    return None


@command(
    example=(
        "crmctl complaint extend CMP-20261121-0007 --stage rectify --until 2026-12-05 --reason -",
        "crmctl complaint extend CMP-20261121-0007 --stage rectify --apply",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option("--stage", required=True, help=N_("Which limit."))
@click.option(
    "--until", default="", metavar="TIME", help=N_("The new date, where the policy leaves it to be promised.")
)
@personal_option("--reason", help=N_("Why more time is needed."))
@click.option("--apply", "apply_", is_flag=True, help=N_("Extend it as somebody else agreed."))
def extend_command(
    call: Invocation, number: str, stage: str, until: str, reason: str | None, apply_: bool
) -> int | None:
    """Ask that a limit gets longer, and with --apply extend it once somebody else agreed.

    Asked for and agreed to before the limit ends: what is over is not extended. The policy says which limits, how
    often, and how far; access.yaml says who agrees.
    """
    from crmctl.complaints import asking, extending, outcome

    if apply_ == bool(reason):
        raise UsageProblem(_("give --reason to ask, or --apply to extend"), hint="crmctl complaint extend --help")

    def act(run: Run, plain: str) -> Outcome:
        if apply_:
            return extending.apply(run, plain, stage)
        date = asking.moment(until, run.zone, "--until", end_of_day=True)
        return extending.ask(run, plain, extending.Wish(stage, reason or "", date))

    outcome.changed(call, "extend", number, act, then=f"crmctl complaint extend {{number}} --stage {stage} --apply")
    return None


@command(example="crmctl complaint link CMP-20261121-0007 C-000123 --reason -", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@click.argument("customer")
@personal_option("--reason", help=N_("How it was found out."))
def link_command(call: Invocation, number: str, customer: str, reason: str | None) -> int | None:
    """Record whose complaint it is that was opened with --unidentified; the complaint keeps its row and its key."""
    from crmctl.complaints import linking, outcome
    from crmctl.customers import showing

    whose = showing.parse_number(customer)
    outcome.changed(call, "link", number, lambda run, plain: linking.link(run, plain, whose, reason or ""))
    return None


@command(example="crmctl complaint attach CMP-20261121-0007 letter.pdf", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@click.argument("file", type=click.Path(allow_dash=False))
@personal_option("--text", help=N_("What it is."))
def attach_command(call: Invocation, number: str, file: str, text: str | None) -> int | None:
    """Keep a file with a complaint, sealed under the customer's key (CMP-12)."""
    from pathlib import Path

    from crmctl.complaints import attaching, outcome

    def act(run: Run, plain: str) -> Outcome:
        return attaching.attach(run, plain, attaching.read(run, Path(file)), text or "")

    outcome.changed(call, "attach", number, act)
    return None
