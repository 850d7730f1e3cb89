"""Complaints (投诉): from acceptance to closing on real clocks, none hidden, none closed early (CMP-01 to CMP-23)."""
