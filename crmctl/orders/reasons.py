"""Why a row of an order file was rejected, besides what may be wrong with any table."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.i18n import N_

CUSTOMER_UNKNOWN = "CUSTOMER_UNKNOWN"
CUSTOMER_AMBIGUOUS = "CUSTOMER_AMBIGUOUS"
NAME_SHARED = "NAME_SHARED"
ORDER_OF_ANOTHER = "ORDER_OF_ANOTHER"
ORDER_TWICE = "ORDER_TWICE"
# Flags: the row is taken, and counted as worth a second look.
RATE_UNKNOWN = "RATE_UNKNOWN"
AMOUNT_ROUNDED = "AMOUNT_ROUNDED"

REASONS: Mapping[str, tuple[str, str]] = {
    CUSTOMER_UNKNOWN: (
        N_("no customer has what the row says of its customer"),
        N_("import the customers first; --source must name the system that their codes come from"),
    ),
    CUSTOMER_AMBIGUOUS: (
        N_("what the row says of its customer fits several customers, or different ones"),
        N_("compare with the candidates; give the customer number or a code"),
    ),
    NAME_SHARED: (
        N_("the row gives a name only, and several customers have it"),
        N_("compare with the candidates; give the customer number, a code or the mobile number"),
    ),
    ORDER_OF_ANOTHER: (
        N_("the order with this number is another customer's"),
        N_("correct the number or the customer; --source keeps numbers of different systems apart"),
    ),
    ORDER_TWICE: (
        N_("an earlier row of the file has this order with other values"),
        N_("one row an order: add up its lines, or remove the row that is out of date"),
    ),
    "CUSTOMER_NUMBER_INVALID": (N_("{field} is not a customer number"), N_("as in C-000123")),
}
