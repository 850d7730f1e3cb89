"""A re-grade's plan beyond the limits of its policies: applied once somebody else agreed to it (design §4)."""

from __future__ import annotations

from crmctl.approvals.beyond import Beyond, Leave, spending

BEYOND = Beyond("tier.regrade", "crmctl tier regrade --plan --ask")
ask, leave = BEYOND.ask, BEYOND.leave
__all__ = ["BEYOND", "Leave", "ask", "leave", "spending"]
