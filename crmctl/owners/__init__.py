"""Owners (专属跟进人): who looks after which customer, why, and who did before (OWN-01 to OWN-06)."""
