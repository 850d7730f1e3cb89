"""Formats of single values: cell text → normal form, or a `Fault` with the reason's code. Pure, no policy, no clock."""
