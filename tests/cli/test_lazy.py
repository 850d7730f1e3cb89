"""Completion knows the commands without importing them."""

from __future__ import annotations

import sys

import golden
import pytest

from crmctl.cli import lazy


def completions(line: str, shell: str = "bash") -> list[str]:
    words = line.split(" ")
    env = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1) if shell == "bash" else words[-1],
        "_CRMCTL_COMPLETE": f"{shell}_complete",
    }
    return golden.spawn([], env=env).stdout.splitlines()


def test_nouns_verbs_options_and_choices() -> None:
    assert completions("crmctl cu") == ["plain,customer"]
    assert "plain,import" in completions("crmctl customer ")
    assert completions("crmctl customer --out") == ["plain,--output"]
    assert completions("crmctl help -o j") == ["plain,json"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    result = golden.spawn([], env={"_CRMCTL_COMPLETE": f"{shell}_source", "PATH": "/usr/bin:/bin"})

    assert result.exit_code == 0
    assert "_CRMCTL_COMPLETE" in result.stdout


def test_completing_verbs_imports_no_command() -> None:
    program = (
        "import sys, os; from crmctl.cli.app import main; sys.argv[1:] = []; main();"
        "print('modules:', *[name for name in sys.modules if name.endswith('commands') or name == 'sqlalchemy'])"
    )
    env = {"COMP_WORDS": "crmctl customer ", "COMP_CWORD": "2", "_CRMCTL_COMPLETE": "bash_complete"}

    result = golden.spawn(["-c", program], command=(sys.executable,), env=env)

    assert "plain,import" in result.stdout
    assert result.stdout.splitlines()[-1] == "modules:"


def test_a_target_that_is_no_command_is_a_bug_not_a_crash(monkeypatch: pytest.MonkeyPatch, samples: object) -> None:
    entry = lazy.Entry("probe odd", "sample_commands:HOSTILE", "x")
    monkeypatch.setattr(lazy, "COMMANDS", (*lazy.COMMANDS, entry))

    assert golden.call(["probe", "odd"]).exit_code == 70


def test_a_broken_command_does_not_disturb_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"COMP_WORDS": "crmctl probe odd ", "COMP_CWORD": "3", "_CRMCTL_COMPLETE": "bash_complete"}
    program = (
        "import sys; from crmctl.cli import lazy; from crmctl.cli.app import main; sys.argv[1:] = [];"
        "lazy.COMMANDS = (lazy.Entry('odd', 'crmctl.nowhere:command', 'x'),); print(main())"
    )

    result = golden.spawn(
        ["-c", program], command=(sys.executable,), env={**env, "COMP_WORDS": "crmctl odd ", "COMP_CWORD": "2"}
    )

    assert (result.stdout, result.stderr) == ("1\n", "")
