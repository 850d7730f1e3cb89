"""A new workspace: its policy files name a schema that is really there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import workspaces

from crmctl.policy import check
from crmctl.policy.kinds import BY_NAME, KINDS
from crmctl.policy.schema import json_schema


@pytest.mark.parametrize("demo", [False, True])
def test_every_policy_file_names_the_schema_of_its_kind(tmp_path: Path, demo: bool) -> None:
    policies = workspaces.make(tmp_path / "w", demo=demo) / "policies"
    found = set()
    for path in policies.glob("*.yaml"):
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text(encoding="utf-8"))
        assert named, path.name
        schema = json.loads((policies / named[1]).read_text(encoding="utf-8"))
        assert schema == json_schema(BY_NAME[path.stem])
        found.add(path.stem)
    assert found == {kind.name for kind in KINDS}
    assert {path.stem for path in (policies / "schema").iterdir()} == found
    assert check(policies).problems == ()
