"""Policy kind `tags`: the controlled list of tags (客户标签) a customer may carry (TAG-01, TAG-02, TAG-04)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from crmctl.i18n import N_
from crmctl.policy.model import CodeItem, Figure, Finding, Lookup, Many, Reference, Settings, Sources, lint_codes


class CategoryRef(Reference):
    """The code of a tag category."""

    what = "tag_category"
    __slots__ = ()


class Category(CodeItem):
    """What a tag tells about: attributes, interactions, needs."""

    source: Sources = Field((), description=N_("clauses it comes from"))


class Tag(CodeItem):
    """One tag."""

    category: CategoryRef = Field(description=N_("what it tells about"))


class TagsSettings(Settings):
    """The tags a customer may carry; others are rejected."""

    categories: Annotated[Many[Category], Field(min_length=1)] = Field(description=N_("kinds of tags"))
    tags: Many[Tag] = Field(description=N_("the tags"))
    confirm_every: Figure | None = Field(None, description=N_("days after which a tag has to be confirmed"))
    accuracy_target: Figure | None = Field(None, description=N_("share of right tags aimed at, in per cent"))
    source: Sources = Field((), description=N_("clauses the tags come from"))

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes of tags and categories."""
        return {
            "tag": [tag.code for tag in self.tags],
            "tag_category": [category.code for category in self.categories],
        }

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice."""
        yield from lint_codes(self.categories, ("categories",))
        yield from lint_codes(self.tags, ("tags",))
