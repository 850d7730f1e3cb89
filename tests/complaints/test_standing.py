"""What `crmctl doctor` says of complaints."""

from __future__ import annotations

import json

from desks import ADMIN, SUPERVISOR, Desk

SAID = ("--complainant", "李四光", "--contact", "13912345679", "--matter", "渗水三天", "--demand", "上门维修")
OPEN = ("complaint", "open", "C-1", "--channel", "phone", "--category", "quality", *SAID)


def said(desk: Desk) -> list[tuple[str, str]]:
    """Return (level, message) of what doctor finds about complaints."""
    found = desk.say(ADMIN, "doctor", "-o", "json")
    return [
        (each["level"], each["message"])
        for each in json.loads(found.stdout)["findings"]
        if each["subject"] == "complaints"
    ]


def test_doctor_counts_complaints_without_a_handler_and_says_when_nobody_is_told(desk: Desk) -> None:
    """CMP-04: a complaint nobody handles is seen every morning; a workspace without complaints hears nothing."""
    assert said(desk) == []
    first = desk.json(SUPERVISOR, *OPEN)["number"]  # nobody of the staff register entered it: nobody handles it
    second = desk.json(SUPERVISOR, *OPEN)["number"]
    unhandled = ("warns", "open complaints that nobody handles: 2")
    assert unhandled in said(desk)
    desk.json(SUPERVISOR, "complaint", "mark-duplicate", second, "--of", first, "--reason", "同一来电")
    assert ("warns", unhandled[1].replace("2", "1")) in said(desk)


def test_levels_of_escalation_without_channels_are_told(desk: Desk) -> None:
    desk.json(SUPERVISOR, *OPEN)
    (told,) = [message for _level, message in said(desk) if "no level of escalation" in message]
    assert told.startswith("complaints")
    assert "complaints.yaml" in told and "complaints.regulator.yaml" not in told  # that one is switched off
    desk.edit("complaints.yaml", "when: at_end, to: [handler, ", "when: at_end, channels: [group], to: [handler, ")
    channel = "  channels:\n    - {code: group, labels: {zh: 群, en: Group}, by: command, command: [/bin/true]}\n"
    notify = desk.folder / "policies" / "notify.yaml"
    text = notify.read_text("utf-8")
    assert "  channels: []\n" in text
    notify.write_text(text.replace("  channels: []\n", channel), "utf-8")
    assert desk.say(ADMIN, "policy", "validate").exit_code == 0
    still = [message for _level, message in said(desk) if "no level of escalation" in message]
    assert [message.split(":")[0].split(", ") for message in still] == [
        [name for name in told.split(":")[0].split(", ") if name != "complaints.yaml"]
    ]
