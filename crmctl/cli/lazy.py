"""Groups which know their commands from the table and import one only to run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import click

from crmctl.cli.helptext import SETTINGS, Context, write_examples
from crmctl.cli.nouns import GROUPS
from crmctl.cli.shared import SharedOption, shared_options
from crmctl.cli.table import COMMANDS, Entry
from crmctl.i18n import N_, _


def resolve(entry: Entry) -> click.Command:
    """Import the command behind a table entry."""
    from importlib import import_module

    module, _colon, attribute = entry.target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, click.Command):
        raise TypeError(f"{entry.target} is no command")
    found.name = entry.path.rpartition(" ")[2]
    return found


def translated(parameter: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    """Return a parameter's help line in the language in use; its declaration holds the message id."""
    original: str | None = getattr(parameter, "help", None)
    if not original:
        return None
    parameter.help = _(original)
    try:
        return parameter.get_help_record(context)
    finally:
        parameter.help = original


class OwnHelp(click.Command):
    """Gives a command the help option from our own catalogue; click's would search for catalogues at each start."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the -h/--help option."""
        if self._help_option is None:
            self._help_option = click.Option(
                ("-h", "--help", "show_help"),
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_help,
                help=N_("Show this page and exit."),
            )
        return self._help_option


def _show_help(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(context.get_help())
        context.exit()


def write_options(page: click.HelpFormatter, context: click.Context, command: click.Command) -> None:
    """Write a command's own options, then those that work everywhere."""
    own: list[tuple[str, str]] = []
    everywhere: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = translated(parameter, context)
        if record is not None:
            shared = isinstance(parameter, SharedOption) or parameter.name in ("show_help", "version")
            (everywhere if shared else own).append(record)
    for title, records in (
        (_("Options"), own),
        (_("Options that work everywhere, before or after the verb"), everywhere),
    ):
        if records:
            with page.section(title):
                page.write_dl(records)


class LazyGroup(OwnHelp, click.Group):
    """The program itself (path "") or one noun."""

    context_class = Context

    default = ""  # the verb that is meant where none of the words is one

    def __init__(self, path: str, about: str, examples: Sequence[str], params: Sequence[click.Parameter] = ()) -> None:
        super().__init__(
            name=path or "crmctl",
            help=about,
            params=[*shared_options(), *params],
            no_args_is_help=False,
            context_settings=dict(SETTINGS),
        )
        self.path = path
        self.examples = examples

    def entries(self) -> dict[str, str]:
        """Return the names below this group with their help lines, in table order."""
        prefix = f"{self.path} " if self.path else ""
        nouns = {group.path: group.help for group in GROUPS}
        found: dict[str, str] = {}
        for entry in COMMANDS:
            if entry.path.startswith(prefix):
                name = entry.path[len(prefix) :].partition(" ")[0]
                found.setdefault(name, nouns.get(prefix + name, entry.help))
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names below this group."""
        return list(self.entries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the group or command of this name, importing it."""
        path = f"{self.path} {cmd_name}".strip()
        for group in GROUPS:
            if group.path == path:
                found = LazyGroup(path, group.help, (group.example,))
                found.default = group.default
                return found
        for entry in COMMANDS:
            if entry.path == path:
                return resolve(entry)
        return None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words after this group; with a default verb they may leave the verb out."""
        if self.default and any(not word.startswith("-") for word in args) and not self.entries().keys() & set(args):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command the first word names. Raises click.UsageError with a suggestion."""
        name = args[0]
        found = self.get_command(ctx, name)
        if found is None and not ctx.resilient_parsing:
            self._unknown(ctx, name)
        return (name if found else None), found, args[1:]

    def _unknown(self, context: click.Context, name: str) -> NoReturn:
        if name.startswith("-"):
            raise click.NoSuchOption(name, ctx=context)
        error = click.UsageError(_("{path}: no such command").format(path=f"{self.path} {name}".strip()), context)
        error.suggestions = self._similar(name)  # type: ignore[attr-defined]
        raise error

    def _similar(self, name: str) -> list[str]:
        """Return commands that were perhaps meant: of a similar name here, else under a noun."""
        from difflib import get_close_matches

        prefix = f"{self.path} " if self.path else ""
        near = [prefix + match for match in get_close_matches(name.lower(), list(self.entries()), n=3)]
        verbs = {entry.path: entry.path.rpartition(" ")[2] for entry in COMMANDS}
        alike = get_close_matches(name.lower(), sorted(set(verbs.values())), n=1)
        return near or [path for path, verb in verbs.items() if verb in alike][:3]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command named next. Raises click.UsageError with this group's help when none is."""
        words = "_protected_args" if hasattr(ctx, "_protected_args") else "protected_args"  # click 8.2 renamed it
        if not getattr(ctx, words) and not ctx.args:
            error = click.UsageError(_("a command is missing"), ctx)
            error.page = ctx.get_help()  # type: ignore[attr-defined]
            raise error
        return super().invoke(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help page; it begins with examples."""
        write_examples(formatter, self.examples)
        formatter.write_usage(ctx.command_path, f"[{_('OPTIONS')}] {_('COMMAND')} …")
        formatter.write_paragraph()
        formatter.write_text(_(self.help or ""))
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(text)) for name, text in self.entries().items()])
        write_options(formatter, ctx, self)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete names from the table and options from this group; nothing is imported."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=_(text)) for name, text in self.entries().items() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)
