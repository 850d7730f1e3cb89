"""Policy kind `sources`: the written documents and their clauses, which every rule cites."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crmctl.i18n import N_, _
from crmctl.policy.model import Finding, Labels, Lookup, Many, Settings, Text

Duty = Literal["enforce", "record", "measure", "report", "org"]
Paragraph = Annotated[str, StringConstraints(pattern=r"^§\S.*$", max_length=40)]


class Clause(Settings):
    """One clause in a few words; never its full text."""

    duty: Annotated[Many[Duty], Field(min_length=1)] = Field(
        alias="class", description=N_("what it asks of the program; org: of people only")
    )
    text: Labels = Field(description=N_("what it says, in short"))


class Document(Settings):
    """A written policy of the company."""

    id: Annotated[Text, StringConstraints(pattern=r"^\S+$")] = Field(description=N_("how clauses name it; quote it"))
    title: Labels = Field(description=N_("its title"))
    note: Labels | None = Field(None, description=N_("what to know about it"))
    clauses: dict[Paragraph, Clause] = Field({}, description=N_("its clauses by paragraph sign"))


class SourcesSettings(Settings):
    """The written documents and their clauses."""

    documents: Many[Document] = Field(description=N_("the documents, in order"))

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return every clause as rules cite it: `004 §9(二)`."""
        return {"clause": set(self.clauses())}

    def clauses(self) -> dict[str, Clause]:
        """Return every clause by the name rules cite it with."""
        return {
            f"{document.id} {paragraph}": clause
            for document in self.documents
            for paragraph, clause in document.clauses.items()
        }

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield documents listed twice."""
        seen: set[str] = set()
        for position, document in enumerate(self.documents):
            if document.id in seen:
                yield Finding(("documents", position, "id"), _("document {id} is listed twice").format(id=document.id))
            seen.add(document.id)
