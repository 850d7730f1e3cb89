"""What a person sees, word for word, in both languages."""

from __future__ import annotations

import golden
import pytest


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("help", ["crmctl --help"]),
        ("help-customer", ["crmctl customer --help"]),
        ("help-order", ["crmctl order --help", "crmctl order import --help", "crmctl order list --help"]),
        (
            "help-owner",
            [
                "crmctl owner --help",
                "crmctl owner list --help",
                "crmctl owner take --help",
                "crmctl owner reclaim --help",
                "crmctl owner handover --help",
                "crmctl owner handover 1001 --help",
                "crmctl owner handover",
                "crmctl owner handover 1001",
                "crmctl owner handover shw",
            ],
        ),  # fmt: skip
        (
            "help-sla",
            [
                "crmctl sla --help",
                "crmctl sla explain --help",
                "crmctl calendar --help",
                "crmctl calendar show --help",
                "crmctl calendar import --help",
            ],
        ),
        (
            "help-complaint",
            [
                "crmctl complaint open --help",
                "crmctl complaint close --help",
                "crmctl complaint extend --help",
                "crmctl complaint opne",
                "crmctl complaint open",
            ],
        ),
        ("help-hold", ["crmctl hold --help", "crmctl hold set --help", "crmctl hold set C-1", "crmctl hold lift x"]),
        (
            "help-backup",
            [
                "crmctl backup --help",
                "crmctl backup create --help",
                "crmctl backup verify --help",
                "crmctl backup restore --help",
                "crmctl backup drill --help",
                "crmctl backup verify",
            ],
        ),
        (
            "help-purge",
            [
                "crmctl purge --help",
                "crmctl purge plan --help",
                "crmctl purge run --help",
                "crmctl purge verify --help",
                "crmctl purge form --help",
                "crmctl purge run x",
                "crmctl purge form 12",
            ],
        ),
        (
            "help-paper",
            [
                "crmctl paper --help",
                "crmctl paper add --help",
                "crmctl paper list --help",
                "crmctl paper destroyed --help",
                "crmctl paper add",
                "crmctl paper move 3",
            ],
        ),
        ("help-topics", ["crmctl help exit-codes", "crmctl help cron", "crmctl help policies", "crmctl help --help"]),
        (
            "usage",
            ["crmctl lst", "crmctl customer improt", "crmctl help -o yaml", "crmctl -o json lst", "crmctl -n help"],
        ),
    ],
)
def test_transcript(name: str, lines: list[str], lang: str) -> None:
    golden.check(f"{name}.{lang}", golden.transcript(lines, env={"CRMCTL_LANG": lang, "COLUMNS": "80"}))
