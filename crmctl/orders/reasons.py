"""Why a row of an order file was rejected, besides what may be wrong with any table."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.customers.meant import REASONS as MEANT
from crmctl.i18n import N_

ORDER_OF_ANOTHER = "ORDER_OF_ANOTHER"
ORDER_TWICE = "ORDER_TWICE"
# Flags: the row is taken, and counted as worth a second look.
RATE_UNKNOWN = "RATE_UNKNOWN"
AMOUNT_ROUNDED = "AMOUNT_ROUNDED"

REASONS: Mapping[str, tuple[str, str]] = {
    **MEANT,
    ORDER_OF_ANOTHER: (
        N_("the order with this number is another customer's"),
        N_("correct the number or the customer; --source keeps numbers of different systems apart"),
    ),
    ORDER_TWICE: (
        N_("an earlier row of the file has this order with other values"),
        N_("one row an order: add up its lines, or remove the row that is out of date"),
    ),
}
