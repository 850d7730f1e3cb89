"""Backups of data and of keys, never together; restored, drilled, and what was destroyed stays destroyed (SEC-02)."""
