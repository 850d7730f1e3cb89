"""Approvals (审批): acts that somebody else has to agree to, bound to exactly what is to be done (USE-01, DES-04).

One mechanism for every four-eyes act: a request carries the hash of its subject, decisions are by other people, it
expires and is used once. Knows no subject: what is approved is a hash and a number.
"""
