"""Leaves of the change log: their bytes, and the builder's rows against the definition."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.audit import changes, tree
from crmctl.audit.tables import change

digests = st.binary(min_size=32, max_size=32)
numbers = st.integers(0, 2**53)
names = st.frozensets(st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True), max_size=6)


def defined_leaf(row: tuple[Any, ...]) -> bytes:
    """The leaf as design §5 and the room's contract define it, in plain words."""
    named = dict(zip(changes.CHANGE_COLUMNS, row, strict=True))

    def hexed(name: str) -> str | None:
        return named[name].hex() if named[name] is not None else None

    canonical = {
        "change": named["change_id"],
        "customer": named["customer_id"],
        "object": named["object"],
        "object_id": named["object_id"],
        "operation": named["operation"],
        "version": named["version"],
        "fields": json.loads(named["fields"]),
        "clear_before": hexed("clear_before_hash"),
        "clear_after": hexed("clear_after_hash"),
        "sealed_before": hexed("sealed_before_hash"),
        "sealed_after": hexed("sealed_after_hash"),
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(b"\x00" + named["salt"] + text.encode("ascii")).digest()


@given(st.data())
def test_rows_and_leaves_are_as_defined(data: st.DataObject) -> None:
    made = changes.Changes(data.draw(numbers), data.draw(st.integers(0, 99)), data.draw(numbers))
    for _ in range(data.draw(st.integers(1, 4))):
        of = data.draw(numbers), data.draw(st.sampled_from(["customer", "contact"])), data.draw(numbers)
        fields = changes.fields_json(data.draw(names))
        before = changes.Before("{}", b"envelope", data.draw(digests), data.draw(st.none() | digests))
        after = changes.After(data.draw(digests), data.draw(st.none() | digests))
        kind = data.draw(st.sampled_from(["create", "update", "destroy"]))
        if kind == "create":
            made.create(of, fields, after)
        elif kind == "update":
            made.update(of, data.draw(st.integers(2, 9)), fields, before, after)
        else:
            made.destroy(of, data.draw(st.integers(2, 9)), fields, before)
        row = made.rows[-1]
        assert row[:3] == (of[0], made.rows[0][1] + len(made.rows) - 1, made.rows[0][2])
        assert row[4] == len(made.rows) - 1
        assert (row[5], row[6], row[7]) == (of[1], of[2], kind)
        assert row[17] == defined_leaf(row) == changes.leaf_of(row)
    assert made.summary() == (len(made.rows), tree.root([row[17] for row in made.rows]).hex())


def test_the_leaf_of_a_known_change() -> None:
    """Golden: a change of this form is recomputed by others, for years."""
    row = (3, 7, 1, 0, 0, "customer", 3, "update", 2, '["name","region"]', "{}", b"old", bytes(range(16)),
           bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32, None, b"")  # fmt: skip
    text = (
        '{"change":7,"clear_after":"' + "02" * 32 + '","clear_before":"' + "01" * 32 + '","customer":3,'
        '"fields":["name","region"],"object":"customer","object_id":3,"operation":"update","sealed_after":null,'
        '"sealed_before":"' + "03" * 32 + '","version":2}'
    )
    assert changes.leaf_of(row) == sha256(b"\x00" + bytes(range(16)) + text.encode()).digest()
    assert changes.leaf_of(row).hex() == "9b390894ae12b4e0e8e9840d09731b669d2d63ba7839c06655878700ddfd00e0"


def test_column_order_is_the_tables() -> None:
    assert tuple(change.c.keys()) == changes.CHANGE_COLUMNS


def test_salts_differ_and_cover_more_than_one_draw() -> None:
    made = changes.Changes(1, 0, 1)
    for number in range(5000):
        made.create((number, "customer", number), "[]", changes.After(bytes(32), None))
    salts = {row[12] for row in made.rows}
    assert len(salts) == 5000
    assert {len(salt) for salt in salts if salt} == {16}


def test_an_envelope_that_did_not_change_is_not_kept_twice() -> None:
    made = changes.Changes(1, 0, 1)
    before = changes.Before('{"a":1}', b"envelope", bytes(32), b"s" * 32)
    made.update((1, "customer", 1), 2, "[]", before, changes.After(b"c" * 32, b"s" * 32))
    made.update((1, "customer", 1), 3, "[]", before, changes.After(b"c" * 32, b"t" * 32))
    made.destroy((1, "customer", 1), 4, "[]", before)
    assert [row[11] for row in made.rows] == [None, b"envelope", b"envelope"]
    assert [row[10] for row in made.rows] == ['{"a":1}'] * 3


def test_clear_json_is_canonical() -> None:
    values = {"name": "公司", "amount": 12, "region": None, "at": "2026-11-21T12:00:00Z"}
    assert changes.clear_json(values) == '{"amount":12,"at":"2026-11-21T12:00:00Z","name":"公司"}'.encode()
    assert changes.clear_hash(values) == sha256(changes.clear_json(dict(reversed(values.items())))).digest()


@pytest.mark.parametrize("value", [1.5, True, b"x", ["a"], {"a": 1}])
def test_clear_json_takes_text_and_integers_only(value: Any) -> None:
    with pytest.raises(TypeError, match="text and integers"):
        changes.clear_json({"a": value})


@pytest.mark.parametrize("name", ["Name", "1a", "公司", "a b", "", 'a"', "a" * 65])
def test_field_names_are_plain(name: str) -> None:
    with pytest.raises(ValueError, match="field name"):
        changes.fields_json(frozenset({name}))


def test_no_leaf_without_its_salt() -> None:
    made = changes.Changes(1, 0, 1)
    made.create((1, "customer", 1), "[]", changes.After(bytes(32), None))
    with pytest.raises(ValueError, match="salt"):
        changes.leaf_of((*made.rows[0][:12], None, *made.rows[0][13:]))


@given(st.lists(st.tuples(numbers, st.sampled_from(["customer", "contact"]), numbers, digests, digests), max_size=4))
def test_many_new_objects_are_logged_as_each_would_be(created: list[tuple[int, str, int, bytes, bytes]]) -> None:
    made, singly = changes.Changes(5, 6, 7), changes.Changes(5, 6, 7)
    made.create_all(created[:1], "[]")
    made.create_all(created[1:], "[]")
    for customer, kind, number, clear, sealed in created:
        singly.create((customer, kind, number), "[]", changes.After(clear, sealed))
    assert [row[:12] + row[13:17] for row in made.rows] == [row[:12] + row[13:17] for row in singly.rows]
    assert [row[17] for row in made.rows] == [defined_leaf(row) for row in made.rows]
    assert made.summary() == (len(created), tree.root([row[17] for row in made.rows]).hex())
    assert len({row[12] for row in made.rows}) == len(created)


@given(st.lists(st.tuples(numbers, numbers, st.integers(2, 9), digests, digests, digests), max_size=4))
def test_many_updates_are_logged_as_each_would_be(updated: list[tuple[int, int, int, bytes, bytes, bytes]]) -> None:
    made, singly = changes.Changes(5, 6, 7), changes.Changes(5, 6, 7)
    many = [(c, "customer", n, v, "{}", before, after, sealed) for c, n, v, before, after, sealed in updated]
    made.update_all(many[:1], '["tier"]')
    made.update_all(many[1:], '["tier"]')
    for customer, number, version, before, after, sealed in updated:
        of = (customer, "customer", number)
        was = changes.Before("{}", None, before, sealed)
        singly.update(of, version, '["tier"]', was, changes.After(after, sealed))
    assert [row[:12] + row[13:17] for row in made.rows] == [row[:12] + row[13:17] for row in singly.rows]
    assert [row[17] for row in made.rows] == [defined_leaf(row) for row in made.rows]
    assert made.upcoming == 7 + len(updated)


@given(st.lists(st.tuples(numbers, numbers, st.integers(2, 9), digests, st.none() | digests), max_size=4))
def test_many_destroyed_objects_are_logged_as_each_would_be(
    destroyed: list[tuple[int, int, int, bytes, bytes | None]],
) -> None:
    made, singly = changes.Changes(5, 6, 7), changes.Changes(5, 6, 7)
    many = [((c, "contact", n), version, clear, sealed) for c, n, version, clear, sealed in destroyed]
    salts = iter([bytes([number]) * 16 for number in range(len(many))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes.Changes, "_salt", lambda _self: next(salts))
        rows = [*made.destroy_all(many[:1], "[]"), *made.destroy_all(many[1:], "[]")]
    for of, version, clear, sealed in many:
        singly.destroy(of, version, "[]", changes.Before("{}", None, clear, sealed))
    named = [dict(zip(changes.DESTROYED_COLUMNS, row, strict=True)) for row in rows]
    whole = [tuple(row.get(name) for name in changes.CHANGE_COLUMNS) for row in named]
    assert [row[:10] + row[13:17] for row in whole] == [row[:10] + row[13:17] for row in singly.rows]
    assert all(row[10:13] == (None, None, None) for row in whole)
    salted = [(*row[:12], bytes([number]) * 16, *row[13:]) for number, row in enumerate(whole)]
    assert [row[17] for row in whole] == [defined_leaf(row) for row in salted]
    assert (made.rows, made.upcoming) == ([], 7 + len(many))
    assert made.summary() == (len(many), tree.root([row[17] for row in whole]).hex())
