"""The options that work everywhere, before and after the verb; the later one wins.

Each group and each command declares the same set (click refuses a group's option after the verb otherwise). Given
values gather in the context, from left to right; `-v` adds up.
"""

from __future__ import annotations

from typing import Any

import click

from crmctl.i18n import N_

FORMATS = ("table", "json", "ndjson", "csv", "xlsx")
WORKSPACE_VARIABLE = "CRMCTL_WORKSPACE"
OWNED = "crmctl.cli.owned"  # in the context's meta: the process is ours alone and may be hardened
DOOR = "crmctl.cli.door"  # there too: broker mode's door, where the workspace has one
_GIVEN = "crmctl.cli.given"


class SharedOption(click.Option):
    """An option that works everywhere; help pages list them apart, without click's notes on ranges and defaults."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return spelling and meaning."""
        record = super().get_help_record(ctx)
        return (record[0], self.help or "") if record else None


def given(context: click.Context) -> dict[str, Any]:
    """Return the shared options given so far on this command line, by name."""
    found: dict[str, Any] = context.meta.setdefault(_GIVEN, {})
    return found


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    name = parameter.name
    source = context.get_parameter_source(name) if name else None
    if name is None or source is None or source.name != "COMMANDLINE":
        return
    known = given(context)
    known[name] = known.get(name, 0) + value if name == "verbose" else value


def _option(*declarations: str, **settings: Any) -> SharedOption:
    return SharedOption(declarations, expose_value=False, callback=_remember, **settings)


def shared_options(
    formats: tuple[str, ...] = FORMATS, *, changes: bool = True, as_of: bool = True
) -> list[click.Parameter]:
    """Return fresh shared options; a command narrows the forms, says whether it changes anything and looks back."""
    options = [
        _option(
            "-w", "--workspace", metavar="DIR", help=N_("Workspace; else CRMCTL_WORKSPACE, else upwards from here.")
        ),
        _option(
            "-o", "--output", type=click.Choice(formats), help=N_("Form of the result; without it, the first of these.")
        ),
        _option("--as-of", metavar="TIME", help=N_("Answer as of a past date or time."), hidden=not as_of),
        _option("-n", "--dry-run", is_flag=True, help=N_("Show what would change; write nothing."), hidden=not changes),
        _option("--yes", is_flag=True, help=N_("Answer yes to the command's question.")),
        _option("--no-input", is_flag=True, help=N_("Never ask; fail and name the flag instead.")),
        _option("-q", "--quiet", is_flag=True, help=N_("Say nothing but the result and failures.")),
        _option("-v", "--verbose", count=True, help=N_("Log what happens; twice for details.")),
        _option(
            "--lang",
            type=click.Choice(("zh", "en")),
            help=N_("Language of messages; else CRMCTL_LANG, workspace, LANG."),
        ),
        _option("--log-format", type=click.Choice(("text", "json")), help=N_("Form of log lines on standard error.")),
        _option("--no-color", is_flag=True, help=N_("No colour; NO_COLOR does the same.")),
        _option(
            "--lock-timeout",
            type=click.FloatRange(min=0),
            metavar="SECONDS",
            help=N_("Wait this long for a lock; default 30."),
        ),
        _option(
            "--job", metavar="NAME", hidden=True, help=N_("Act as a job of access.yaml: cron of a service account.")
        ),
    ]
    return list(options)


def headers_option() -> click.Option:
    """Return the option of commands that make sheets: whose words head the columns."""
    return click.Option(
        ("--headers",),
        type=click.Choice(("zh", "en", "code")),
        expose_value=False,
        callback=_remember,
        help=N_("Column headings: Chinese, English, or the codes; default the language in use."),
    )
