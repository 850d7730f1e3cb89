"""`crmctl help`."""

from __future__ import annotations

import json

import golden
import pytest

from crmctl.cli.topics import TOPICS
from crmctl.errors import EXIT_CODES


def test_every_exit_code_is_listed() -> None:
    document = json.loads(golden.call(["help", "exit-codes", "-o", "json"]).stdout)
    lines = golden.call(["help", "exit-codes"]).stdout.splitlines()[2:]

    assert {row["code"]: row["meaning"] for row in document["exit_codes"]} == dict(EXIT_CODES)
    assert [line.split(maxsplit=1) for line in lines] == [[str(code), text] for code, text in EXIT_CODES.items()]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_told_and_named_in_the_command_s_help(topic: str) -> None:
    assert golden.call(["help", topic]).exit_code == 0
    assert topic in golden.call(["help", "-h"]).stdout


@pytest.mark.parametrize("words", [[], ["customer"], ["help"]])
def test_help_of_a_command_is_its_help_page(words: list[str]) -> None:
    assert golden.call(["help", *words]).stdout == golden.call([*words, "--help"]).stdout


def test_other_words_are_refused_with_what_there_is() -> None:
    result = golden.call(["help", "customer", "nonsense"])

    assert result.exit_code == 2
    assert "exit-codes, cron, policies" in result.stderr
