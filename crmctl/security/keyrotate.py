"""A new master key, and every key wrapped under it instead of the old one (security.md 2(a), Rotation).

Old and new epochs stand side by side until the last key is rewrapped: killed at any moment, the store opens, and
running it again goes on. Nothing is lost: the old master key stays until it is destroyed by name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from crmctl.clock import stamp
from crmctl.errors import IntegrityFailed, KeyMissing
from crmctl.i18n import _
from crmctl.security import keymirror, masters
from crmctl.security.keyepochs import epochs_of
from crmctl.security.keyrows import IndexRow, MasterRow
from crmctl.security.keystore import KeyStore
from crmctl.security.keywrap import KeyWrapper
from crmctl.security.sealing import KEY_BYTES

KEYS_AT_ONCE = 50_000  # in one transaction: a fifth of a second, during which an import waits
_PROBE = 1  # number of an index key that is only wrapped to be unwrapped


class Rewrapped(NamedTuple):
    """How many keys were put under the newest master key, and how many are under older ones still.

    Those were added meanwhile by a command that had begun before; the next rotation takes them along.
    """

    keys: int
    left: int


def new_master(store: KeyStore, at: datetime) -> int:
    """Take the next master key from its provider, prove it, and let the store know it; return its epoch.

    Raises KeyMissing or InvalidInput when there is no fit one: nothing is changed then.
    """
    epoch = store.wrapper.epoch + 1
    if store.mirror is not None:
        store.mirror.ready(0)
    key = masters.next_key(store.source, epoch)
    wrapper = _proven(store, key, epoch)
    row = MasterRow(epoch, stamp(at), wrapper.proof(epoch), 0)
    if store.mirror is not None:
        mirror = store.mirror.store().rows
        keymirror.share_masters(store, store.mirror, [row])
        head = store.rows.info()
        epochs_of(mirror).put_head(replace(head, masters=(*head.masters, row)), store.rows.receipts())
    epochs_of(store.rows).add_master(row)
    store.reload()  # reads it from its provider once more and holds it against the proof
    return epoch


def _proven(store: KeyStore, key: bytes, epoch: int) -> KeyWrapper:
    known = store.wrapper.masters()
    if key in known.values():
        raise KeyMissing(
            _("the provider gives the same master key for epoch {epoch} as for an older one").format(epoch=epoch),
            hint=_("make a new one there (32 random bytes in base64); nothing was changed"),
            code="MASTER_SAME",
        )
    wrapper = KeyWrapper(store.instance, {**known, epoch: key})
    secret = os.urandom(KEY_BYTES)
    again = KeyWrapper(store.instance, {epoch: masters.read(store.source, epoch)})
    if again.unwrap_index(wrapper.wrap_index(secret, _PROBE), _PROBE, epoch) != secret:
        raise IntegrityFailed(_("master key {epoch}: does not open what it wrapped").format(epoch=epoch))
    return wrapper


def rewrap(store: KeyStore, tell: Callable[[int], None]) -> Rewrapped:
    """Put every key under the newest master key, and the mirror in step; `tell` hears how many more are done."""
    epochs, epoch, done = epochs_of(store.rows), store.wrapper.epoch, 0
    for row in store.rows.info().indexes:
        if row.master_epoch < epoch:
            secret = store.wrapper.unwrap_index(row.wrapped, row.epoch, row.master_epoch)
            epochs.set_index(_index(store.wrapper, secret, row))
            done += 1
    for changed in epochs.rewrap(epoch, KEYS_AT_ONCE, store.wrapper.rewrap):
        done += changed
        tell(changed)
    if store.mirror is not None:
        keymirror.level(store.rows, store.mirror.store().rows)
    store.reload()
    return Rewrapped(done, sum(number for held, number in epochs.wrapped().items() if held < epoch))


def waiting(store: KeyStore, epoch: int) -> int:
    """Return how many keys are wrapped under older master keys than `epoch`."""
    return sum(number for held, number in epochs_of(store.rows).wrapped().items() if held < epoch)


def new_index(store: KeyStore, at: datetime) -> int:
    """Add a random index key of the next epoch; return the epoch."""
    epoch = max(row.epoch for row in store.info.indexes) + 1
    secret = os.urandom(KEY_BYTES)
    row = _index(store.wrapper, secret, IndexRow(epoch, stamp(at), b"", 0))
    if store.mirror is not None:
        store.mirror.ready(row.master_epoch)
        epochs_of(store.mirror.store().rows).set_index(row)
    epochs_of(store.rows).set_index(row)
    store.reload()
    return epoch


def drop_index(store: KeyStore, epoch: int) -> None:
    """Destroy an index key in both stores."""
    if store.mirror is not None:
        store.mirror.ready(0)
    epochs_of(store.rows).drop_index(epoch)
    if store.mirror is not None:
        epochs_of(store.mirror.store().rows).drop_index(epoch)
    store.reload()


def _index(wrapper: KeyWrapper, secret: bytes, row: IndexRow) -> IndexRow:
    return row._replace(wrapped=wrapper.wrap_index(secret, row.epoch), master_epoch=wrapper.epoch)
