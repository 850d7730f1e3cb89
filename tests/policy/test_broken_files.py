"""Broken files and folders, each with the exact list reported for it (tests/policy/broken/expected.txt)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmctl.policy.validating import check_paths

BROKEN = Path(__file__).parent / "broken"
AT = datetime(2026, 11, 21, tzinfo=UTC)


def expectations() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (BROKEN / "expected.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line[3:], [])
        else:
            lines.append(line)
    return found


EXPECTED = expectations()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_problem_of_a_broken_file_is_reported_at_its_place(name: str) -> None:
    problems, count = check_paths([BROKEN / name], AT)
    lines = [problem.moved(Path(problem.path).name if "/" in name else name).as_line() for problem in problems]
    assert lines == EXPECTED[name]
    assert count == (len(list((BROKEN / name).glob("*.yaml"))) if name.endswith("/") else 1)


def test_every_broken_file_has_its_expectation() -> None:
    files = {path.name for path in BROKEN.glob("*.yaml")}
    folders = {f"{path.name}/" for path in BROKEN.iterdir() if path.is_dir()}
    assert files | folders == set(EXPECTED)
    assert len(EXPECTED) >= 20
    assert all(EXPECTED.values())


def test_nine_mistakes_of_one_file_come_in_one_pass() -> None:
    problems, _count = check_paths([BROKEN / "tiers.nine_mistakes.yaml"], AT)
    assert len(problems) >= 9
    assert len({(problem.line, problem.column) for problem in problems}) == len(problems)
    assert sum("did you mean" in problem.hint for problem in problems) >= 4


def test_problems_are_told_in_the_place_of_the_characters_not_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tags.yaml"
    path.write_text('kind: tags\nx-作者: 王\ndescription: {zh: "标签", de: 甲}\n', encoding="utf-8")
    problems, _count = check_paths([path], AT)
    assert (3, 25) in {(problem.line, problem.column) for problem in problems}
