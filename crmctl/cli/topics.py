"""`crmctl help [COMMAND… | TOPIC]`."""

from __future__ import annotations

import click

from crmctl.cli.helptext import Page, page_width
from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.errors import EXIT_CODES, UsageProblem
from crmctl.i18n import N_, _

CRON = N_(
    "Under cron nobody can be asked and nothing shows progress. Every command works with an empty environment, "
    "LANG=C and any working folder; name the workspace and let the exit status speak."
)
CRON_LINES = """\b
CRMCTL_WORKSPACE=/srv/crm
15 2 * * *  crmctl -q --no-input customer import /srv/in/customers.csv
45 5 * * 1  crmctl -q --no-input audit verify --rows || [ $? -eq 14 ]"""
CRON_STATUS = N_(
    "With -q a command that succeeds is silent, so cron mails only trouble. Exit 3 means that some records were "
    "rejected and the rest is committed; 11 that another run held the lock; 14 that the log is valid and its newest "
    "entries are not signed yet. An exit status that you do not know is a failure."
)
CRON_AGAIN = N_(
    "A run that starts late or twice is correct: the second one changes nothing. An import says so with exit 0, or "
    "with 3 while the file still has rows to reject."
)
POLICIES = N_(
    "The rules are YAML files in the workspace's policies folder. Each file names its kind, version, owner and the "
    "clause of the written policy that it carries out. Numbers that the company decides live in company.yaml; a rule "
    "that needs an undecided one refuses and names it."
)
POLICIES_LINES = """\b
crmctl policy validate             every problem of every file, with its line
crmctl policy list                 what is in force
crmctl policy schema customers     what a file of this kind may contain"""
POLICIES_LATE = N_(
    "The same strict reading happens before every run: an unknown or doubled key is an error, never silently ignored."
)
TOPICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "exit-codes": (N_("What each exit status means."), ()),
    "cron": (N_("Running crmctl from cron."), (CRON, CRON_LINES, CRON_STATUS, CRON_AGAIN)),
    "policies": (N_("The policy files."), (POLICIES, POLICIES_LINES, POLICIES_LATE)),
}


@command(example="crmctl help exit-codes", exits=(0, 2), formats=("table", "json"))
@click.argument("words", nargs=-1, metavar="[COMMAND… | TOPIC]")
def help_command(call: Invocation, words: tuple[str, ...]) -> None:
    """Explain a command or a topic.

    Topics: exit-codes, cron, policies. Without words, the commands are listed.
    """
    name = " ".join(words)
    if name == "exit-codes":
        codes = [(code, _(meaning)) for code, meaning in EXIT_CODES.items()]
        columns = (Column("code", N_("Exit"), right=True), Column("meaning", N_("Meaning")))
        call.emit({}, Table(columns, codes, key="exit_codes"))
    elif name in TOPICS:
        title, texts = TOPICS[name]
        call.emit({"topic": name, "title": _(title), "text": [_(text) for text in texts]}, *_page(texts))
    else:
        page = _help_of(words)
        call.emit({"topic": name, "text": page.split("\n")}, *page.rstrip("\n").split("\n"))


def _page(texts: tuple[str, ...]) -> list[str]:
    page = Page(width=page_width())
    page.write_text("\n\n".join(_(text) if not text.startswith("\b") else text for text in texts))
    return page.getvalue().rstrip("\n").split("\n")


def _help_of(words: tuple[str, ...]) -> str:
    """Return the help page of the program, a noun or a command. Raises UsageProblem for other words."""
    from crmctl.cli.app import root

    program: click.Command = root()
    context = program.make_context("crmctl", [], resilient_parsing=True)
    for word in words:
        found = program.get_command(context, word) if isinstance(program, click.Group) else None
        if found is None:
            raise UsageProblem(
                _("{words}: neither a command nor a topic").format(words=" ".join(words)),
                hint=_("topics: {topics}; crmctl --help lists the commands").format(topics=", ".join(TOPICS)),
            )
        context = found.make_context(word, [], parent=context, resilient_parsing=True)
        program = found
    return context.get_help()
