"""The list of tags."""

from __future__ import annotations

from crmctl.customers.tags import TagsSettings
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.policy.model import spellings


def test_the_starter_tags_cover_every_category_and_are_found_by_any_name() -> None:
    tags = load(shipped("policies")).settings("tags")
    assert isinstance(tags, TagsSettings)
    assert {tag.category for tag in tags.tags} == {"attribute", "interaction", "need"}
    assert spellings(tags.tags)["大客户"] == "key_account"
    assert set(tags.provides()["tag"]) == {tag.code for tag in tags.tags}
