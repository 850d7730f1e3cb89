"""`policy schema KIND --template`: a file that is right once it is filled in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmctl import i18n
from crmctl.policy import check
from crmctl.policy.checking import check_files
from crmctl.policy.header import Header
from crmctl.policy.kinds import BY_NAME, KINDS
from crmctl.policy.problems import Problem, Report
from crmctl.policy.shapes import fields
from crmctl.policy.template import BLANK, template

AT = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = [kind.name for kind in KINDS]


def problems(kind: str, text: str) -> list[Problem]:
    name = f"{kind}.yaml"
    return list(check_files({name: text.encode()}, {name: Report(name)}, Report("whole"), AT, alone=True).problems)


def peeled(text: str) -> str:
    """Return the template with one sign removed from every line that may be there."""
    head, body = text.split("\n", 4)[:4], text.split("\n", 4)[4]
    return "\n".join([*head, re.sub(r"(?m)^( *)# ", r"\1", body)])


def unfilled(text: str, problem: Problem) -> bool:
    """Whether a problem is that of a blank to fill, or of fields that depend on each other."""
    if problem.warning:  # an example of an exception is of the past
        return True
    told = ("field", "times and every", "over which time orders count", "either days or months")
    between_fields = problem.code.startswith("P3") or any(words in problem.message for words in told)
    return between_fields or BLANK in text.splitlines()[problem.line - 1]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("peel", [False, True], ids=["as written", "with what may be there"])
def test_nothing_is_wrong_but_the_blanks(kind: str, peel: bool) -> None:
    text = peeled(template(BY_NAME[kind])) if peel else template(BY_NAME[kind])
    found = problems(kind, text)
    assert [problem.as_line() for problem in found if not unfilled(text, problem)] == []
    assert not {problem.code for problem in found} & {"P101", "P103", "P104", "P112", "P113", "P117"}


@pytest.mark.parametrize("kind", NAMES)
def test_every_field_is_there_with_its_meaning_and_those_needed_come_first(kind: str) -> None:
    text = template(BY_NAME[kind])
    head, settings = text.split("\nsettings:\n")
    for model, part, indent in ((Header, head, ""), (BY_NAME[kind].model(), settings, "  ")):
        order = []
        for name, info in fields(model).items():
            if name == "settings" or name == "scope" and not BY_NAME[kind].model().scopes:
                continue
            found = re.search(rf"^{indent}(# )?{name}:.*$", part, re.MULTILINE)
            assert found, name
            assert (info.description or "") in found[0]
            order.append((found.start(), info.is_required(), bool(found[1])))
        order.sort()
        required = [needed for _place, needed, _hidden in order]
        assert required == sorted(required, reverse=True)
        assert all(not hidden for _place, needed, hidden in order if needed)


def test_a_filled_template_is_a_policy(folder: Path) -> None:
    text = template(BY_NAME["tags"]).replace("owner: …", "owner: legal").replace("code: code", "code: example")
    text = text.replace("category: code", "category: example").replace("{zh: …, en: …}", "{zh: 示例, en: Example}")
    text = text.replace('"001 §1"', '"004 §5①"')
    (folder / "tags.yaml").write_text(text, encoding="utf-8")
    assert [problem.as_line() for problem in check(folder, AT).problems] == []


def test_the_template_speaks_the_readers_language() -> None:
    i18n.use("zh")
    assert "政策" in template(BY_NAME["tags"]) or "标签" in template(BY_NAME["tags"])
