"""The log: entries that cannot be changed unseen, the change log whose leaves they commit to, and their verification.

tables      the log, its head, its checkpoints; the change log
tree        Merkle trees of RFC 6962: roots, frontiers, proofs
entries     build an entry, append it at the end of the caller's transaction
changes     build the changes of a chunk, with leaves and root
objects     which tables the change log protects
verify      the three levels: entries, changes, rows (verify_entries, verify_changes, verify_rows)
listing     look into the log

A foundation: knows no subject. A room that writes protected rows uses `entries` and `changes`, and names its tables in
`objects.PROTECTED`. Import its files directly; this package imports nothing itself.
"""
