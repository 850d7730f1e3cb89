"""The decider gives the same customers whatever the chunk size, and keeps strangers apart (design §5, §8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.customers.decide import (
    ADD_CONTACT,
    CREATE,
    DUPLICATE,
    IDENTITY_CONFLICT,
    MERGE,
    NO_IDENTITY,
    NO_MATCH,
    REJECT,
    SHARED_KEY,
    Candidate,
    Decision,
    Known,
    decide,
)

MOBILE, EMAIL, ORG, PERSON, CONTACT, ROW, CODE = 1, 2, 7, 9, 11, 10, 8


def ident(kind: int, value: str) -> bytes:
    return value.encode().ljust(16, b"\0") + bytes((kind,))


def person(number: int, name: str = "", mobile: str = "", email: str = "") -> Candidate:
    unique = (ident(MOBILE, mobile),) if mobile else ()
    supporting = (ident(EMAIL, email),) if email else ()
    bare = not unique and not supporting
    return Candidate(
        number, False, (ident(ROW, f"{name}"),) if bare else unique, supporting, ident(PERSON, name) if name else None,
        None, (), False, bare,
    )  # fmt: skip


def company(number: int, name: str, contact: str = "", mobile: str = "", email: str = "", code: str = "") -> Candidate:
    supporting = tuple(ident(k, v) for k, v in ((MOBILE, mobile), (EMAIL, email)) if v)
    unique = (ident(ORG, name), *((ident(CODE, code),) if code else ()))
    return Candidate(
        number, True, unique, supporting, ident(ORG, name), ident(CONTACT, contact) if contact else None,
        supporting, bool(contact or supporting), False,
    )  # fmt: skip


class Base:
    """A database of identities: what the decisions of a chunk would have written."""

    def __init__(self) -> None:
        self.holders: dict[bytes, list[int]] = {}
        self.names: set[tuple[bytes, int]] = set()
        self.next = 1

    def decide(self, rows: list[Candidate], mode: str, waiting: Known | None = None) -> list[Decision]:
        done: list[Decision] = []
        while len(done) < len(rows):
            facts, chunk = Known(holders={k: list(v) for k, v in self.holders.items()}), Known()
            rest = rows[len(done) :]
            decided = decide(rest, facts, waiting or Known(), chunk, mode, self.next)
            while decided.missing:
                facts.names |= decided.missing & self.names
                facts.asked |= decided.missing
                chunk = Known()
                decided = decide(rest, facts, waiting or Known(), chunk, mode, self.next)
            assert decided.decisions, "a row at the head of a chunk with nothing waiting is always decided"
            for row, decision in zip(rest, decided.decisions, strict=False):
                done.append(decision._replace(held=()))
                self._write(row, done[-1], mode)
            self.next += decided.created
        return done

    def _write(self, row: Candidate, decision: Decision, mode: str) -> None:
        customer = decision.customer_id
        if decision.operation in (CREATE, MERGE):
            for mark in row.unique:
                held = self.holders.setdefault(mark, [])
                if customer not in held:
                    held.append(customer)
            marks, names = row.supporting, (row.name, row.contact_name)
        elif decision.operation == ADD_CONTACT:
            marks, names = row.contact_keys, (row.contact_name,)
        else:
            return
        for mark in marks:
            held = self.holders.setdefault(mark, [])
            if -customer not in held:
                held.append(-customer)
        self.names |= {(name, customer) for name in names if name is not None}


def operations(rows: list[Candidate], mode: str = "create") -> list[int]:
    return [decision.operation for decision in Base().decide(rows, mode)]


def test_the_same_person_by_mobile_or_by_mailbox_and_name_is_a_duplicate() -> None:
    rows = [person(2, "li", "138", "li@x"), person(3, "li", "138", "new@x"), person(4, "li", "139", "li@x")]

    assert operations(rows) == [CREATE, DUPLICATE, DUPLICATE]


def test_strangers_who_share_a_mailbox_are_never_merged_and_flagged() -> None:
    first, second = Base().decide([person(2, "li", "138", "info@x"), person(3, "wang", "139", "info@x")], "create")

    assert (first.operation, first.flag) == (CREATE, "")
    assert (second.operation, second.flag) == (CREATE, SHARED_KEY)


def test_a_number_issued_again_is_a_conflict_that_names_the_holder() -> None:
    decisions = Base().decide([person(2, "li", "138"), person(3, "wang", "138")], "create")

    assert decisions[1] == Decision(REJECT, code=IDENTITY_CONFLICT, others=(decisions[0].customer_id,))


def test_keys_of_two_customers_are_a_conflict() -> None:
    decisions = Base().decide(
        [company(2, "A", code="1"), company(3, "B", code="2"), company(4, "A", code="2")], "upsert"
    )

    assert decisions[2] == Decision(REJECT, code=IDENTITY_CONFLICT, others=(1, 2))


def test_a_contact_of_a_company_is_not_the_individual_of_that_name() -> None:
    decisions = Base().decide([company(2, "A", "li", "138", "li@x"), person(3, "li", "138", "li@x")], "create")

    assert [decision.operation for decision in decisions] == [CREATE, CREATE]
    assert decisions[1].flag == SHARED_KEY


def test_a_new_contact_is_added_to_a_known_company_and_a_known_one_is_a_duplicate() -> None:
    rows = [company(2, "A", "li", "138"), company(3, "A", "wang", "139"), company(4, "A", "li", "137"), company(5, "A")]

    assert operations(rows) == [CREATE, ADD_CONTACT, DUPLICATE, DUPLICATE]


def test_a_row_without_any_key_is_flagged_and_recognised_again() -> None:
    first, second = Base().decide([person(2, "li"), person(3, "li")], "create")

    assert (first.operation, first.flag, second.operation) == (CREATE, NO_IDENTITY, DUPLICATE)


@pytest.mark.parametrize(("mode", "expected"), [("update", [REJECT, REJECT]), ("upsert", [CREATE, MERGE])])
def test_update_rejects_whom_it_does_not_know_and_upsert_creates_them(mode: str, expected: list[int]) -> None:
    decisions = Base().decide([person(2, "li", "138"), person(3, "li", "138")], mode)

    assert [decision.operation for decision in decisions] == expected
    assert {decision.code for decision in decisions if decision.operation == REJECT} <= {NO_MATCH}


few = st.sampled_from(["", "a", "b", "c"])
rows_of_few = st.lists(
    st.one_of(
        st.builds(person, st.just(0), few, few, few),
        st.builds(company, st.just(0), st.sampled_from("ABC"), few, few, few, few),
    ),
    max_size=25,
)


@given(rows_of_few, st.integers(1, 7), st.sampled_from(["create", "update", "upsert"]))
def test_the_chunk_size_never_matters(rows: list[Candidate], size: int, mode: str) -> None:
    numbered = [row._replace(number=at + 2) for at, row in enumerate(rows)]
    one_by_one, chunked, whole = Base(), Base(), Base()

    expected = [decision for row in numbered for decision in one_by_one.decide([row], mode)]
    parts = [numbered[at : at + size] for at in range(0, len(numbered), size)]

    assert [decision for part in parts for decision in chunked.decide(part, mode)] == expected
    assert whole.decide(numbered, mode) == expected


@given(rows_of_few, st.integers(1, 7))
def test_a_chunk_waiting_to_be_written_counts_like_a_written_one(rows: list[Candidate], size: int) -> None:
    first, rest = rows[:size], rows[size:]
    written = Base()
    written.decide(first, "create")
    expected = written.decide(rest, "create")

    facts, waiting = Known(), Known()
    decided = decide(first, facts, Known(), waiting, "create", 1)
    after = decide(rest, Known(), waiting, Known(), "create", 1 + decided.created)

    assert all(number <= decided.created for _name, number in after.missing)
    for got, wanted in zip(after.decisions, expected, strict=True):
        assert got[:4] == wanted[:4]
