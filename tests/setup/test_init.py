"""A new workspace: its policy files name a schema that is really there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import workspaces

from crmctl.cli.app import main
from crmctl.locate import shipped
from crmctl.policy import check
from crmctl.policy.kinds import BY_NAME, KINDS
from crmctl.policy.schema import cases_schema, json_schema


@pytest.mark.parametrize("demo", [False, True])
def test_every_policy_file_names_the_schema_of_its_kind(tmp_path: Path, demo: bool) -> None:
    policies = workspaces.make(tmp_path / "w", demo=demo) / "policies"
    found = set()
    for path in policies.glob("*.yaml"):
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text(encoding="utf-8"))
        assert named, path.name
        schema = json.loads((policies / named[1]).read_text(encoding="utf-8"))
        assert schema == json_schema(BY_NAME[path.stem.partition(".")[0]])
        found.add(path.stem.partition(".")[0])
    assert found == {kind.name for kind in KINDS}
    assert {path.stem for path in (policies / "schema").iterdir()} == {*found, "tests"}
    assert check(policies).problems == ()


def test_every_file_of_cases_comes_along_and_names_its_schema(tmp_path: Path) -> None:
    policies = workspaces.make(tmp_path / "w") / "policies"
    shipped_cases = {path.name: path.read_bytes() for path in (shipped("policies") / "tests").glob("*.yaml")}
    assert {path.name: path.read_bytes() for path in (policies / "tests").iterdir()} == shipped_cases
    for text in shipped_cases.values():
        assert text.startswith(b"# yaml-language-server: $schema=../schema/tests.json\n")
    assert json.loads((policies / "schema" / "tests.json").read_text(encoding="utf-8")) == cases_schema()


def test_an_upgrade_brings_the_schemas_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = workspaces.make(tmp_path / "w")
    schema = place / "policies" / "schema"
    before = {path.name: path.read_bytes() for path in schema.iterdir()}
    (schema / "tiers.json").write_text("{}", encoding="utf-8")
    (schema / "tests.json").unlink()
    told = []
    for _time in range(2):
        assert main(["--lang", "en", "-w", str(place), "db", "upgrade", "-o", "json"]) == 0
        told.append(json.loads(capsys.readouterr().out)["schemas"])
    assert told == [2, 0]
    assert {path.name: path.read_bytes() for path in schema.iterdir()} == before
