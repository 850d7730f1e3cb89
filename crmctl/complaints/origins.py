"""By what a row of a sheet is known again, so that no complaint is imported twice.

By the number that the system it comes from gave it; without one, by customer, time and matter, as a digest under the
customer's own key: with the key it says nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import sha256

from sqlalchemy import Connection

from crmctl.cases import numbers
from crmctl.complaints.tables import complaint
from crmctl.security.sealing import DataKey, hmac_of_key
from crmctl.store import bulk

KIND = "complaint_row"  # among the numbers of cases
Place = tuple[int, int]


def numbered(source: str, number: str) -> str:
    """Return the mark of a row with a number of the system `source`."""
    return sha256(f"crmctl/v1/{KIND}\x1f{source}\x1f{number}".encode()).hexdigest()


def unnumbered(key: DataKey, received_at: str, matter: str) -> str:
    """Return the mark of a customer's row without a number; `received_at` is empty where the row does not say."""
    return hmac_of_key(key.secret, f"crmctl/v1/{KIND}\x1f{received_at}\x1f{matter}".encode()).hex()


def known(conn: Connection, marks: Collection[str]) -> dict[str, str]:
    """Return the marks of complaints that there are, each with the stamp at which its complaint was received."""
    places = numbers.places_of(conn, KIND, marks)
    columns = ("customer_id", "complaint_id", "received_at")
    rows = bulk.fetch_pairs(conn, complaint, columns[:2], sorted(set(places.values())), columns)
    received = {(row[0], row[1]): row[2] for row in rows}
    return {mark: received.get(place, "") for mark, place in places.items()}


def keep(conn: Connection, marks: Iterable[tuple[str, Place]]) -> None:
    """Note the marks of new complaints, each with customer and own number."""
    numbers.keep(conn, KIND, [(mark, *place) for mark, place in marks])
