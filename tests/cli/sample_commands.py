"""Commands that show what the front door does; run as a program, it is crmctl with these commands added.

They hold what hostile data holds, and fail in the ways commands fail.
"""

from __future__ import annotations

import sys
import threading
import time

import click

from crmctl.cli import lazy, nouns, table
from crmctl.cli.options import Invocation, command, personal_option
from crmctl.cli.render import Column, Table
from crmctl.errors import IntegrityFailed, LimitExceeded, PolicyInvalid
from crmctl.i18n import N_

HOSTILE = "\x1b]52;c;YWJj\x07\u202eevil\u200b\x9b31m\n2"
CANARY = ("张三丰", "13812345678", "zhang.san@example.com", "11010519491231002X")


@command(example="crmctl probe list", exits=(0, 6), as_of=True)
@click.option("--tier", help=N_("Only this tier."))
def list_command(call: Invocation, tier: str | None) -> None:
    """List what there is.

    A second
    paragraph.
    """
    columns = (
        Column("id", {"zh": "编号", "en": "Number"}, right=True),
        Column("name", {"zh": "名称", "en": "Name"}),
        Column("tier", N_("Exit"), show={"core": "核心", "": ""}.__getitem__),
        Column("secret", detail=True),
    )
    rows = [
        (1, "杭州某某科技有限公司", "core", [1]),
        (2, "Acme", "", None),
        (3, "=1+1", "core", True),
        (4, HOSTILE, "core", None),
    ]
    call.say("four rows", "good")
    call.emit({"run_id": 7, "tier": tier}, Table(columns, rows, key="things"))


@command(example="crmctl probe change", changes=True)
def change_command(call: Invocation) -> int:
    """Change something."""
    call.emit({"dry_run": call.dry_run, "as_of": call.as_of}, "changed")
    return 3


@command(example="crmctl probe settle", as_of=True)
def settle_command(call: Invocation) -> None:
    """Show how it was called."""
    call.emit(
        {
            "workspace": str(call.workspace) if call.workspace else None,
            "lang": call.lang,
            "quiet": call.quiet,
            "verbose": call.verbose,
            "timeout": call.timeout,
            "given": sorted(call.given),
            "color": call.color,
        }
    )


@command(example="crmctl probe find --mobile")
@personal_option("--mobile", help=N_("A mobile number."))
@personal_option("--name", help=N_("A name."), multiple=True)
def find_command(call: Invocation, mobile: str | None, name: tuple[str, ...]) -> None:
    """Find by personal values."""
    call.emit({"mobile": mobile, "names": list(name)})


@command(example="crmctl probe ask")
def ask_command(call: Invocation) -> int:
    """Ask."""
    return 0 if call.confirm("Really?", "--yes") else 1


@command(example="crmctl probe fail limit")
@click.argument("how")
def fail_command(call: Invocation, how: str) -> None:
    """Fail in a way of one's choice."""
    if how == "limit":
        raise LimitExceeded("too much\x1b[2J", hint="less", details={"rows": 5})
    if how == "policy":
        problem = {"path": "p.yaml", "line": 3, "column": 1, "code": "P101", "message": "bad", "hint": "fix"}
        raise PolicyInvalid("1 problem", details={"problems": [problem] * 60})
    if how == "integrity":
        raise IntegrityFailed("broken")
    if how == "full":
        raise OSError(28, "No space left on device")
    if how == "deep":
        _recurse(0)
    if how == "chain":
        try:
            _use(CANARY)
        except ValueError as error:
            raise RuntimeError(f"[SQL: INSERT] [parameters: {CANARY}]") from error
    _use(CANARY)


def _use(values: tuple[str, ...]) -> None:
    raise ValueError(f"cannot use {values[0]} {values[1]} {values[2]!r} in {values}")


def _recurse(depth: int) -> int:
    return _recurse(depth + 1) + 1


@command(example="crmctl probe wait")
def wait_command(call: Invocation) -> None:
    """Wait to be interrupted."""
    with call.progress("waiting", total=10) as progress:
        progress.advance(5)
        try:
            print("ready", flush=True)
            time.sleep(30)
        finally:
            call.say("rolled back")


@command(example="crmctl probe thread")
def thread_command(call: Invocation) -> None:
    """Let a thread fail."""
    worker = threading.Thread(target=_use, args=(CANARY,))
    worker.start()
    worker.join()


ADDED = tuple(
    table.Entry(f"probe {name}", f"sample_commands:{name}_command", f"Probe {name}.")
    for name in ("list", "change", "settle", "find", "ask", "fail", "wait", "thread")
)
GROUP = nouns.GroupEntry("probe", "Probes.", "crmctl probe list")


def install() -> None:
    """Add these commands to the program."""
    sys.modules["sample_commands"] = sys.modules[__name__]
    lazy.COMMANDS = (*table.COMMANDS, *ADDED)
    lazy.GROUPS = (*nouns.GROUPS, GROUP)


if __name__ == "__main__":
    from crmctl.cli.app import main

    install()
    sys.exit(main())
