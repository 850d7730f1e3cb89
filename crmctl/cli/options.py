"""`@command`: what a room writes its commands with.

    @command(example="crmctl customer list --tier core", exits=(0, 6, 10))
    @click.option("--tier", help=N_("Only this tier."))
    def list_command(call: Invocation, tier: str | None) -> int | None:
        '''List customers, masked.

        A second paragraph, if need be.
        '''

The docstring is the help, in English, and a message id paragraph by paragraph; so are option helps marked with `N_`.
A returned int is the exit status; failures are raised (crmctl.errors).
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from crmctl.cli.helptext import SETTINGS, Context, write_examples
from crmctl.cli.invocation import DEFAULT_TIMEOUT, Invocation
from crmctl.cli.lazy import OwnHelp, write_options
from crmctl.cli.personal import PersonalValue, personal_option, resolve_personal
from crmctl.cli.screen import is_terminal
from crmctl.cli.shared import DOOR, FORMATS, OWNED, WORKSPACE_VARIABLE, given, headers_option, shared_options
from crmctl.errors import EXIT_CODES, UsageProblem
from crmctl.i18n import _, lang
from crmctl.process import Behalf, guarded, harden, work_for

__all__ = ["Invocation", "PersonalValue", "command", "personal_option"]

_DOCUMENT_FORMATS = ("table", "json")
_TABULAR = ("csv", "xlsx")
Callback = Callable[..., "int | None"]


def paragraphs(docstring: str) -> list[str]:
    """Return a docstring's paragraphs, each one message id: lines joined, except where `\\b` keeps them."""
    found = []
    for block in inspect.cleandoc(docstring).split("\n\n"):
        found.append(block if block.startswith("\b") else " ".join(block.split()))
    return [block for block in found if block]


class Leaf(OwnHelp):
    """A command that does something: help in the reader's language, shared options, an Invocation for its callback."""

    context_class = Context
    examples: tuple[str, ...] = ()
    exits: tuple[int, ...] = (0,)
    formats: tuple[str, ...] = FORMATS
    changes = False
    silent = False
    as_of = True

    def invoke(self, ctx: click.Context) -> int:
        """Settle how the command was called, run it or have it run, return its exit status."""
        call = settle(ctx, self)
        _prepare(ctx, call)
        values = dict(ctx.params)
        door = ctx.meta.get(DOOR)
        work_for(Behalf(given(ctx).get("job") or "", door is not None and door.service))
        assert self.callback is not None
        with contextlib.ExitStack() as stack:
            if door is not None:
                from crmctl.cli.crossing import through

                call, values, status = stack.enter_context(through(door, self, call, values))
                if status is not None:
                    return status
            stack.enter_context(guarded())
            values = resolve_personal(call, self, values)
            return int(ctx.invoke(self.callback, call, **values) or 0)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what follows the command's name in its usage line, in the reader's language."""
        options = f"[{_('OPTIONS')}]"
        return [options if piece == self.options_metavar else piece for piece in super().collect_usage_pieces(ctx)]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help page: example, usage, meaning, options, exit codes."""
        write_examples(formatter, self.examples)
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text("\n\n".join(_(paragraph) for paragraph in paragraphs(self.help or "")))
        write_options(formatter, ctx, self)
        with formatter.section(_("Exit codes")):
            formatter.write_dl([(str(code), _(EXIT_CODES[code])) for code in self.exits])
            formatter.write_text(_("All of them: crmctl help exit-codes"))


def command(
    *,
    example: str | Sequence[str],
    exits: Sequence[int] = (0, 1, 2),
    changes: bool = False,
    formats: Sequence[str] | None = None,
    silent: bool | None = None,
    as_of: bool = False,
) -> Callable[[Callback], Leaf]:
    """Return the decorator that makes a function a command.

    `exits` are the statuses its help explains; `changes` gives it --dry-run; `formats` are the output forms it knows:
    all, or table and json where it changes something. `silent`: its table says only that all went well, so -q drops it
    (default: where it changes something). `as_of`: the command can look back, so --as-of applies.
    """
    known = tuple(formats or (_DOCUMENT_FORMATS if changes else FORMATS))

    def decorate(function: Callback) -> Leaf:
        declared = list(reversed(getattr(function, "__click_params__", ())))
        for parameter in declared:
            if isinstance(parameter, click.Option) and parameter.default == "":
                parameter.show_default = False  # an empty default is nothing to tell
            if isinstance(parameter, click.Option) and isinstance(parameter.type, click.Path):
                parameter.metavar = parameter.metavar or "PATH"  # click's own is in the language of whoever came first
        extra = [headers_option()] if set(_TABULAR) & set(known) else []
        leaf = Leaf(
            name=function.__name__.removesuffix("_command").replace("_", "-"),
            callback=function,
            params=[*declared, *extra, *shared_options(known, changes=changes, as_of=as_of)],
            help=inspect.getdoc(function) or "",
            context_settings={**SETTINGS, "show_default": True},
        )
        leaf.silent = changes if silent is None else silent
        leaf.as_of = as_of
        leaf.examples = (example,) if isinstance(example, str) else tuple(example)
        leaf.exits, leaf.formats, leaf.changes = tuple(exits), known, changes
        return leaf

    return decorate


def settle(context: click.Context, leaf: Leaf) -> Invocation:
    """Return how this command was called. Raises UsageProblem where a shared option does not fit it."""
    from pathlib import Path

    options = given(context)
    path = context.command_path.partition(" ")[2]
    output = options.get("output", "table" if "table" in leaf.formats else leaf.formats[0])
    _refuse_misfits(options, leaf, path, output)
    workspace = options.get("workspace") or os.environ.get(WORKSPACE_VARIABLE)
    return Invocation(
        command=path,
        workspace=Path(workspace) if workspace else None,
        output=output,
        headers=options.get("headers") or "",
        as_of=options.get("as_of"),
        dry_run=bool(options.get("dry_run")),
        yes=bool(options.get("yes")),
        no_input=bool(options.get("no_input")),
        quiet=bool(options.get("quiet")),
        silent=leaf.silent,
        verbose=int(options.get("verbose", 0)),
        lang=lang(),
        log_format=options.get("log_format", "text"),
        color=wants_color(bool(options.get("no_color"))),
        timeout=float(options.get("lock_timeout", DEFAULT_TIMEOUT)),
        given=frozenset(options),
    )


def _refuse_misfits(options: Mapping[str, Any], leaf: Leaf, path: str, output: str) -> None:
    """Raise UsageProblem for a shared option given before the verb that this command does not take."""
    if output not in leaf.formats:
        raise UsageProblem(
            _("{command}: -o {output} is not offered here").format(command=path, output=output),
            hint=_("choose one of: {choices}").format(choices=", ".join(leaf.formats)),
        )
    if options.get("dry_run") and not leaf.changes:
        raise UsageProblem(
            _("{command}: changes nothing, so --dry-run does not apply").format(command=path),
            hint=_("run it without --dry-run"),
        )
    if options.get("as_of") and not leaf.as_of:
        raise UsageProblem(
            _("{command}: does not look back, so --as-of does not apply").format(command=path),
            hint=_("run it without --as-of"),
        )
    if options.get("workspace") == "":  # an unset variable must not lead into whatever workspace lies around
        raise UsageProblem(_("-w: the workspace is empty"), hint=_("name a folder"))


def wants_color(refused: bool) -> bool:
    """Say whether standard error may be coloured: a terminal, no NO_COLOR, not TERM=dumb, not --no-color."""
    environment = os.environ
    return not (refused or environment.get("NO_COLOR") or environment.get("TERM") == "dumb") and is_terminal(sys.stderr)


def _prepare(context: click.Context, call: Invocation) -> None:
    """Start logging; in a process of our own, also protect its memory."""
    from crmctl import log

    if context.meta.get(OWNED):
        harden()
    log.configure(call.verbose, call.log_format, quiet=call.quiet)
