"""Every kind of import has settings and an importer that exist, and batches of unknown kinds are refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import workspaces

from crmctl.errors import InvalidInput
from crmctl.sheets import kinds
from crmctl.sheets.policy import SheetSettings


@pytest.mark.parametrize("name", [kind.name for kind in kinds.KINDS])
def test_settings_and_importer_exist(tmp_path: Path, name: str) -> None:
    with workspaces.running(workspaces.make(tmp_path / "crm"), "batch list", dry_run=False) as run:
        settings = kinds.settings_of(run, name)
        assert isinstance(settings, SheetSettings)
        assert settings.currencies
        assert settings.limits.columns == 200
    assert kinds.importer_of(name).kind == name
    assert kinds.label_of(name)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(InvalidInput, match="comet"):
        kinds.importer_of("comet")
    assert kinds.label_of("comet") == "comet"
