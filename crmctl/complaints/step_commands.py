"""`crmctl complaint …` from respond to rectify: what is found out, proposed, agreed and done."""

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

CHANGING_EXITS = (0, 1, 2, 4, 6, 7, 8, 10, 11, 12, 13, 74, 130, 143)


@command(example="crmctl complaint respond CMP-20261121-0007 --text -", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--text", help=N_("What was said."))
@happened_options
def respond_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record the first response to the complainant (CMP-04)."""
    from crmctl.complaints import outcome

    outcome.told(call, "respond", "responded", number, given)
    return None


@command(
    example="crmctl complaint verify CMP-20261121-0007 --department 安装部 --cause process --text @verify.txt",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option("--department", required=True, help=N_("Responsible party: a department."))
@click.option("--cause", required=True, help=N_("Why it came to it: code, label or synonym of the policy."))
@personal_option("--text", help=N_("What was found out."))
@click.option("--about", multiple=True, metavar="STAFF", help=N_("Whom of the staff it turns out to be about."))
@happened_options
def verify_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record what verification found: responsible party and cause (CMP-05).

    Whom it turns out to be about keeps out of it from now on. Until it is rectified, verifying again corrects.
    """
    from crmctl.complaints import asking, handling, outcome

    finding = handling.Finding(given["department"], given["cause"], given["text"] or "", given["about"])
    outcome.changed(
        call, "verify", number, lambda run, plain: handling.verify(run, plain, finding, asking.happened(run, given))
    )
    return None


@command(
    example="crmctl complaint propose CMP-20261121-0007 --measures @plan.txt --due 2026-11-28",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@personal_option("--measures", help=N_("Corrective measures."))
@personal_option("--compensation", help=N_("Compensation, where called for."))
@click.option("--due", required=True, metavar="TIME", help=N_("By when the measures are done; a day means its end."))
@happened_options
def propose_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record the handling plan as it was put to the customer; each further one is the next version (CMP-07, CMP-08)."""
    from crmctl.complaints import asking, handling, outcome

    if not given["measures"]:
        raise UsageProblem(_("--measures is missing"), hint=_("a plan says what will be done (CMP-07)"))

    def act(run: Run, plain: str) -> Outcome:
        due = asking.moment(given["due"], run.zone, "--due", end_of_day=True)
        assert due is not None  # it is required
        plan = handling.Plan(due, given["measures"], given["compensation"] or "")
        return handling.propose(run, plain, plan, asking.happened(run, given))

    outcome.changed(call, "propose", number, act)
    return None


@command(example="crmctl complaint agree CMP-20261121-0007", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--text", help=N_("What the customer said."))
@happened_options
def agree_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record that the customer agreed to the newest plan: its date is promised from now on (CMP-08)."""
    from crmctl.complaints import asking, handling, outcome

    outcome.changed(
        call, "agree", number,
        lambda run, plain: handling.agree(run, plain, given["text"] or "", asking.happened(run, given)),
    )  # fmt: skip
    return None


@command(example="crmctl complaint refuse CMP-20261121-0007 --text -", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--text", help=N_("What the customer said."))
@happened_options
def refuse_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record that the customer refused the newest plan: another is needed (CMP-08)."""
    from crmctl.complaints import outcome

    outcome.told(call, "refuse", "refused", number, given)
    return None


@command(example="crmctl complaint rectify CMP-20261121-0007 --text @done.txt", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--text", help=N_("What was done."))
@happened_options
def rectify_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record that the measures of the agreed plan are done (CMP-09)."""
    from crmctl.complaints import outcome

    outcome.told(call, "rectify", "rectified", number, given)
    return None


@command(example="crmctl complaint progress CMP-20261121-0007 --text -", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--text", help=N_("What the customer was told."))
@happened_options
def progress_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record what the customer was told of the progress (CMP-10)."""
    from crmctl.complaints import outcome

    outcome.told(call, "progress", "progressed", number, given)
    return None


@command(example="crmctl complaint mediate CMP-20261121-0007 --text -", exits=CHANGING_EXITS, changes=True)
@click.argument("number")
@personal_option("--text", help=N_("What was offered, and by whom."))
@happened_options
def mediate_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record that mediation was offered (CON-04): without it nothing is closed without agreement."""
    from crmctl.complaints import outcome

    outcome.told(call, "mediate", "mediated", number, given)
    return None


@command(
    example=(
        "crmctl complaint handoff CMP-20261121-0007 --department 安装部 --text -",
        "crmctl complaint handoff CMP-20261121-0007 --to 1002",
    ),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option(
    "--department", default="", help=N_("A department that is to help; its answer is recorded with `answer`.")
)
@click.option("--to", default="", metavar="STAFF", help=N_("Who handles it from now on."))
@personal_option("--text", help=N_("What is asked."))
@happened_options
def handoff_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Pass a complaint on: to a department for its part, or to somebody who handles it from now on (CMP-20, CMP-21).

    The first receiver stays on record. Whoever it is about, or is above them, cannot handle it.
    """
    from crmctl.complaints import asking, handling, outcome

    to = {"department": given["department"], "staff": given["to"]}
    if not any(to.values()):
        raise UsageProblem(_("say --department or --to"), hint="crmctl complaint handoff --help")
    outcome.changed(
        call, "handoff", number,
        lambda run, plain: handling.hand_on(run, plain, to, given["text"] or "", asking.happened(run, given)),
    )  # fmt: skip
    return None


@command(
    example="crmctl complaint answer CMP-20261121-0007 --department 安装部 --text @answer.txt",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option("--department", required=True, help=N_("The department that answers."))
@personal_option("--text", help=N_("Its answer."))
@happened_options
def answer_command(call: Invocation, number: str, **given: Any) -> int | None:  # noqa: ANN401
    """Record the answer of a department that the complaint was passed to (CMP-20)."""
    from crmctl.complaints import asking, handling, outcome

    outcome.changed(
        call, "answer", number,
        lambda run, plain: handling.answer(
            run, plain, given["department"].strip(), given["text"] or "", asking.happened(run, given)
        ),
    )  # fmt: skip
    return None


@command(
    example="crmctl complaint classify CMP-20261121-0007 --severity serious --reason -",
    exits=CHANGING_EXITS,
    changes=True,
)
@click.argument("number")
@click.option("--category", default="", help=N_("What it is about: code, label or synonym."))
@click.option("--severity", default="", help=N_("How severe: code, label or synonym."))
@personal_option("--reason", help=N_("Why."))
def classify_command(call: Invocation, number: str, category: str, severity: str, reason: str | None) -> int | None:
    """Judge category or severity anew (CMP-06). No limit that runs gets longer by it."""
    from crmctl.complaints import handling, outcome

    if not (category or severity) or not reason:
        raise UsageProblem(_("say what it is now, and why"), hint=_("--category or --severity, and --reason"))
    outcome.changed(
        call, "classify", number, lambda run, plain: handling.classify(run, plain, category, severity, reason)
    )
    return None
