"""Policy kind `notify`: what contradicts itself is told when the files are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from farends import HEAD

from crmctl.locate import shipped
from crmctl.notify.policy import NotifySettings, seconds, settings_of
from crmctl.policy import check, load

LABELS = "labels: {zh: 群, en: Group}"


def problems(folder: Path, channels: str, settings: str = "") -> list[str]:
    for path in shipped("policies").glob("[!_]*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "notify.yaml").write_text(HEAD + settings + "  channels:\n" + channels, "utf-8")
    return [problem.text for problem in check(folder).problems]


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        ("by: wecom", "needs webhook_file"),
        ("by: dingtalk, secret_file: s", "needs webhook_file"),
        ("by: mail, spool: data/mail, people_file: p", "needs from"),
        ("by: command", "needs command"),
        ("by: command, command: [send]", "full path"),
        ("by: wecom, webhook_file: u, secret_file: s", "secret_file does not belong"),
        ("by: wecom, webhook_file: u, from: crm@example.cn", "from does not belong"),
        ("by: wecom, webhook_file: u, timeout: 1 minute", "longer than a run"),
        ("by: wecom, webhook_file: u, timeout: soon", "period"),
        ("by: wecom, webhook_file: u, at_most: 0", ""),
        ("by: fax, webhook_file: u", ""),
        ("by: wecom, webhook_file: u, url: x", ""),
        ('by: mail, spool: s, people_file: p, from: "crm@example.cn\\r\\nBcc: a@b.cn"', "e-mail"),
    ],
)
def test_what_a_channel_cannot_be(tmp_path: Path, channel: str, told: str) -> None:
    found = problems(tmp_path, f"    - {{code: group, {LABELS}, {channel}}}\n")
    assert len(found) == 1, found
    assert told in found[0]


def test_a_name_is_one_channels(tmp_path: Path) -> None:
    line = f"    - {{code: group, {LABELS}, by: wecom, webhook_file: u}}\n"
    assert problems(tmp_path, line) == []
    assert problems(tmp_path, line * 2) != []


def test_a_channel_is_one_for_everybody(tmp_path: Path) -> None:
    line = f"    - {{code: group, {LABELS}, by: wecom, webhook_file: u}}\n"
    assert problems(tmp_path, line) == []
    path = tmp_path / "notify.yaml"
    path.write_text(path.read_text("utf-8").replace("settings:", "scope: {org_unit: [hq]}\nsettings:"), "utf-8")
    assert check(tmp_path).problems != []


def test_the_examples_of_the_shipped_policy_are_sound(tmp_path: Path) -> None:
    """Each commented example is a channel once its # is taken away."""
    text = (shipped("policies") / "notify.yaml").read_text("utf-8")
    begin, end = text.index("  #   channels:\n"), text.index("  channels: []")
    lines = [line.removeprefix("  #   ") for line in text[begin:end].splitlines()[1:]]
    example = "\n".join(f"  {line}" for line in lines if line.strip("# "))
    assert problems(tmp_path, example + "\n") == []
    found = load(tmp_path).settings("notify")
    assert isinstance(found, NotifySettings)
    assert {channel.by for channel in found.channels} == {"wecom", "dingtalk", "mail", "command"}


def test_nothing_is_sent_anywhere_unless_somebody_says_where() -> None:
    assert settings_of(load(shipped("policies"))).channels == ()


def test_periods() -> None:
    assert [seconds(text) for text in ("1 second", "10 seconds", "5 minutes", "2 days")] == [1, 10, 300, 172800]
