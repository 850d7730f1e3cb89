"""Where the epochs of a key store stand: how old, what they wrap, from when they may be destroyed, what is overdue.

An epoch may be destroyed `key_horizon_days` after it was made, and not before it has been out of use for what of that
is left after `key_rotation_days`. Rotated on time both fall on the same day; after a late rotation the second keeps
the copies made last from dying at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from crmctl.clock import parse_stamp
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.security.keyepochs import epochs_of
from crmctl.security.keymirror import differs
from crmctl.security.keystore import KeyStore
from crmctl.workspace import Workspace


@dataclass(frozen=True)
class Terms:
    """After how many days a new master key is due, and a replaced one is to be destroyed."""

    rotation: int
    horizon: int


@dataclass(frozen=True)
class Epoch:
    """One master key: when it was made and replaced, how many keys it ever wrapped and wraps now.

    `destroy_from` is None for the newest: it has to be replaced first.
    """

    epoch: int
    created_at: datetime
    replaced_at: datetime | None
    wraps: int
    holds: int
    destroy_from: datetime | None


def terms_of(place: Workspace) -> Terms:
    """Return the terms that crmctl.yaml sets. Raises InvalidInput for other than whole days, or the wrong way round."""
    rotation, horizon = place.get("key_rotation_days"), place.get("key_horizon_days")
    if type(rotation) is int and type(horizon) is int and 0 < rotation <= horizon:
        return Terms(rotation, horizon)
    raise InvalidInput(
        _("key_rotation_days and key_horizon_days: whole days from 1, the horizon no shorter than the rotation"),
        hint=_("correct them in crmctl.yaml"),
        code="CONFIG_INVALID",
    )


def epochs(store: KeyStore, terms: Terms) -> list[Epoch]:
    """Return the master epochs of a store, oldest first."""
    rows, holds = store.rows.info().masters, epochs_of(store.rows).wrapped()
    found = []
    for row, following in zip(rows, (*rows[1:], None), strict=True):
        made = parse_stamp(row.created_at)
        replaced = None if following is None else parse_stamp(following.created_at)
        found.append(
            Epoch(row.epoch, made, replaced, row.wraps, holds.get(row.epoch, 0), _destroy_from(made, replaced, terms))
        )
    return found


def _destroy_from(made: datetime, replaced: datetime | None, terms: Terms) -> datetime | None:
    if replaced is None:
        return None
    return max(made + timedelta(terms.horizon), replaced + timedelta(terms.horizon - terms.rotation))


def warnings(store: KeyStore, terms: Terms, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield what is overdue at a moment, each with what to do about it."""
    found = epochs(store, terms)
    newest = found[-1]
    age = (at - newest.created_at).days
    if age >= terms.rotation:
        yield _("master key {epoch} is {days} days old").format(epoch=newest.epoch, days=age), "crmctl keys rotate"
    for epoch in found[:-1]:
        if epoch.holds:
            message = _("{number} keys are still wrapped under master key {epoch}")
            yield message.format(number=epoch.holds, epoch=epoch.epoch), "crmctl keys rotate"
        if epoch.destroy_from is not None and at >= epoch.destroy_from:
            message = _("master key {epoch} is overdue for destruction since {day}")
            day = epoch.destroy_from.date().isoformat()
            yield message.format(epoch=epoch.epoch, day=day), f"crmctl keys destroy {epoch.epoch}"
    index = store.info.indexes[-1]
    if len(store.info.indexes) > 1:
        yield _("the change of the index key is not finished"), "crmctl keys rotate --index"
    elif at - parse_stamp(index.created_at) >= timedelta(terms.horizon):
        days = (at - parse_stamp(index.created_at)).days
        yield (
            _("index key {epoch} is {days} days old").format(epoch=index.epoch, days=days),
            "crmctl keys rotate --index",
        )


def mirror_differs(store: KeyStore) -> bool:
    """Say whether the mirror, if there is one, holds anything else than the store. Raises as its opening does."""
    return store.mirror is not None and differs(store.rows, store.mirror.store().rows)
