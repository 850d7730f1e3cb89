"""Checks of a whole folder: header, references, scopes, periods; what is broken in one file hides nothing in others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmctl.errors import PolicyInvalid
from crmctl.locate import shipped
from crmctl.policy import check, load
from crmctl.policy.checking import check_files
from crmctl.policy.kinds import BY_NAME
from crmctl.policy.nodes import Fields, Items, Node
from crmctl.policy.nodes import Path as Steps
from crmctl.policy.problems import Mark, Report
from crmctl.policy.reading import read_tree
from crmctl.policy.shapes import keys_at

AT = datetime(2026, 11, 21, tzinfo=UTC)
Edit = Callable[[str, str, str], None]


def told(folder: Path) -> list[tuple[str, int, str]]:
    return [(Path(problem.path).name, problem.line, problem.code) for problem in check(folder, AT).problems]


def line_of(folder: Path, name: str, text: str) -> int:
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_syntax_error_hides_nothing_in_the_other_files(folder: Path, edit: Edit) -> None:
    edit("tags.yaml", "  tags:\n", '  tags: "\n')
    edit("tiers.yaml", "rank: 2", "rnak: 2")
    edit("calendar.yaml", "CN", "CH")
    problems = check(folder, AT).problems
    assert {(Path(problem.path).name, problem.code) for problem in problems} >= {
        ("tags.yaml", "P101"),
        ("tiers.yaml", "P103"),
        ("tiers.yaml", "P105"),
        ("calendar.yaml", "P203"),
    }
    assert check(folder, AT).policies is None


def test_a_broken_company_file_does_not_make_every_reference_wrong(folder: Path, edit: Edit) -> None:
    edit("company.yaml", "currency: CNY", "currency: yuan")
    assert [code for _name, _line, code in told(folder)] == ["P205"]


def test_a_value_that_company_yaml_does_not_have(folder: Path, edit: Edit) -> None:
    edit("tiers.yaml", "{gte: $core_annual_amount}", "{gte: $core_anual_amount}")
    (problem,) = check(folder, AT).problems
    assert (problem.code, problem.line) == ("P302", line_of(folder, "tiers.yaml", "$core_anual_amount"))
    assert problem.hint == "did you mean 'core_annual_amount'?"


def test_a_clause_that_sources_yaml_does_not_have(folder: Path, edit: Edit) -> None:
    edit("calendar.yaml", '"004 §9(四)"', '"004 §9(六)"')
    (problem,) = check(folder, AT).problems
    text = (folder / "calendar.yaml").read_text(encoding="utf-8").splitlines()[problem.line - 1]
    assert problem.code == "P303"
    assert text[problem.column - 1 :].startswith('"004 §9(六)"')


def test_an_owner_nobody_knows(folder: Path, edit: Edit) -> None:
    edit("calendar.yaml", "owner: information post", "owner: informaton post")
    (problem,) = check(folder, AT).problems
    assert (problem.code, problem.hint) == ("P307", "did you mean 'information post'?")


def test_an_owner_by_any_of_its_names(folder: Path, edit: Edit) -> None:
    edit("calendar.yaml", "owner: information post", "owner: 客户信息管理岗")
    edit("tags.yaml", "owner: information post", "owner: Information")
    assert told(folder) == []


def test_a_scope_of_unknown_units(folder: Path, edit: Edit) -> None:
    edit("calendar.yaml", "version: 1", "version: 1\nscope: {org_unit: [haed], customer_type: [enterprise]}")
    (problem,) = check(folder, AT).problems
    assert (problem.code, problem.hint) == ("P307", "did you mean 'head'?")


def second_calendar(folder: Path, name: str, change: str) -> None:
    text = (folder / "calendar.yaml").read_text(encoding="utf-8")
    wanted = text.replace("name: working", f"name: {name}").replace("version: 1", f"version: 1\n{change}")
    (folder / f"calendar.{name}.yaml").write_text(wanted, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("", ["P304"]),
        ("scope: {org_unit: [head]}", []),
        ("effective: {from: 2027-01-01}", ["P304"]),
        ("mode: report", ["P304"]),
    ],
)
def test_policies_of_equal_scope_do_not_overlap(folder: Path, change: str, expected: list[str]) -> None:
    second_calendar(folder, "other", change)
    assert [code for _name, _line, code in told(folder)] == expected


def test_one_policy_follows_another(folder: Path, edit: Edit) -> None:
    edit("calendar.yaml", "version: 1", "version: 1\neffective: {until: 2026-12-31}")
    second_calendar(folder, "other", "effective: {from: 2027-01-01}")
    text = (folder / "calendar.other.yaml").read_text(encoding="utf-8")
    (folder / "calendar.other.yaml").write_text(text.replace("effective: {until: 2026-12-31}\n", ""), encoding="utf-8")
    assert told(folder) == []
    policies = load(folder)
    assert policies.policy("calendar", at=datetime(2026, 12, 31, tzinfo=UTC).date()).name == "working"
    assert policies.policy("calendar", at=datetime(2027, 1, 1, tzinfo=UTC).date()).name == "other"


def test_the_same_policy_twice(folder: Path) -> None:
    text = (folder / "calendar.yaml").read_text(encoding="utf-8")
    (folder / "calendar.working.yaml").write_text(text, encoding="utf-8")
    assert [code for _name, _line, code in told(folder)] == ["P304", "P305"]


def test_file_name_and_header_agree(folder: Path, edit: Edit) -> None:
    (folder / "calendar.yaml").rename(folder / "calendar.shop.yaml")
    edit("tags.yaml", "kind: tags", "kind: tiers")
    codes = [(name, code) for name, _line, code in told(folder)]
    assert ("calendar.shop.yaml", "P115") in codes
    assert ("tags.yaml", "P115") in codes


def test_what_would_not_be_read_is_said(folder: Path) -> None:
    (folder / "shop.yml").write_text("kind: tags\n", encoding="utf-8")
    (folder / "_draft.yaml").write_text("anything", encoding="utf-8")
    assert told(folder) == [("shop.yml", 1, "P115")]


def test_the_company_file_must_exist(folder: Path) -> None:
    (folder / "company.yaml").unlink()
    assert "P308" in [code for _name, _line, code in told(folder)]


def test_what_is_no_file_is_no_crash(folder: Path) -> None:
    (folder / "tags.shop.yaml").mkdir()
    (folder / "tiers.shop.yaml").symlink_to(folder / "nowhere")
    assert told(folder) == [("tags.shop.yaml", 1, "P100"), ("tiers.shop.yaml", 1, "P100")]


def test_a_folder_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        load(tmp_path / "nowhere")
    assert [problem["code"] for problem in caught.value.details["problems"]] == ["P100"]


def test_load_raises_with_every_problem(folder: Path, edit: Edit) -> None:
    edit("tiers.yaml", "rank: 2", "rank: two")
    edit("tags.yaml", "schema: 1", "schema: 2")
    with pytest.raises(PolicyInvalid) as caught:
        load(folder)
    assert [problem["code"] for problem in caught.value.details["problems"]] == ["P203", "P201"]
    assert "2" in caught.value.message


def test_an_exception_expires_by_the_companys_day(folder: Path, edit: Edit) -> None:
    exception = "exceptions: [{match: {customer: C-000001}, reason: court, approved_by: legal, expires: 2026-11-20}]\n"
    edit("tags.yaml", "settings:\n", exception + "settings:\n")
    in_shanghai_next_day = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
    assert [problem.code for problem in check(folder, in_shanghai_next_day).problems] == ["P401"]
    assert [problem.code for problem in check(folder, datetime(2026, 11, 20, 15, tzinfo=UTC)).problems] == ["P402"]
    assert check(folder).problems == ()
    assert check(folder, in_shanghai_next_day).policies is not None


SHIPPED = {path.name: path.read_bytes() for path in sorted(shipped("policies").glob("[!_]*.yaml"))}


def keys(node: Node, path: Steps) -> list[tuple[Steps, Mark]]:
    if isinstance(node, Fields):
        inside = [place for name, entry in node.entries.items() for place in keys(entry.value, (*path, name))]
        return [((*path, name), entry.mark) for name, entry in node.entries.items()] + inside
    if isinstance(node, Items):
        return [place for number, value in enumerate(node.values) for place in keys(value, (*path, number))]
    return []


@functools.cache
def known_keys() -> list[tuple[str, str, Mark]]:
    found = []
    for name, data in SHIPPED.items():
        root = read_tree(data, Report(name))
        assert root is not None
        model = BY_NAME[name.partition(".")[0]].model()
        for path, mark in keys(root, ()):
            if path[0] == "settings" and path[-1] in keys_at(model, path[1:-1]):
                found.append((name, str(path[-1]), mark))
    return found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_misspelt_key_anywhere_is_reported_exactly_there(data: st.DataObject) -> None:
    name, key, mark = data.draw(st.sampled_from(known_keys()))
    lines = SHIPPED[name].decode().splitlines(keepends=True)
    line = lines[mark.line - 1]
    assert line[mark.column - 1 :].startswith(key)
    lines[mark.line - 1] = f"{line[: mark.column - 1]}{key}zz{line[mark.column - 1 + len(key) :]}"
    report = Report(name)
    check_files({name: "".join(lines).encode()}, {name: report}, Report("."), alone=True)
    assert (mark.line, mark.column, "P103") in {(p.line, p.column, p.code) for p in report.problems}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(st.data())
def test_a_damaged_file_is_reported_or_fine_but_never_a_crash(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["access.yaml", "calendar.yaml", "company.yaml", "tags.yaml", "tiers.yaml"]))
    text = SHIPPED[name].decode()
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    damage = data.draw(st.text(st.sampled_from("abc01:-? {}[],&*!|>'\"%@#\n\t~<.$§中："), max_size=12))
    others = {file: SHIPPED[file] for file in ("company.yaml", "sources.yaml", "tiers.yaml")}
    damaged = {**others, name: (text[:start] + damage + text[start + length :]).encode()}
    reports = {file: Report(file) for file in damaged}
    checked = check_files(damaged, reports, Report("."), AT)
    assert checked.policies is not None or checked.problems


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.one_of(st.booleans(), st.integers(), st.text(max_size=8)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abckind"), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(sorted(BY_NAME)),
)
def test_settings_of_any_shape_are_bound_or_reported(shape: object, kind: str) -> None:
    import json

    header = f"kind: {kind}\nschema: 1\nversion: 1\nowner: legal\nsettings: "
    name = f"{kind}.yaml"
    report = Report(name)
    checked = check_files(
        {name: (header + json.dumps(shape) + "\n").encode()}, {name: report}, Report("."), AT, alone=True
    )
    assert (checked.policies is None) == bool(report.problems)
    assert isinstance(shape, dict) or report.problems
