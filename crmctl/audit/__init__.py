"""The log: entries that cannot be changed unseen, the change log whose leaves they commit to, and their verification.

tables      the log, its head, its checkpoints; the change log
tree        Merkle trees of RFC 6962: roots, frontiers, proofs
entries     build an entry, append it at the end of the caller's transaction
changes     build the changes of a chunk, with leaves and root
objects     which tables the change log protects
verify      the three levels: entries, changes, rows (verify_entries, verify_changes, verify_rows)
listing     look into the log
note        signed notes and checkpoints of C2SP; signing, following, checkpoints, anchors: who makes, who gets them
looks       whom one command showed, and its verification (verify_looks)
export      which entries leave the log, their bytes; ocsf: the same as events; leaving: to whom, who agreed
bundle      an export that outsiders verify (proofs, bundle_leaves), and its verification (bundle_verify, bundle_parts)
pruned      what a log says of its beginning without texts; pruning: how they go; verify_kept: what stays provable
verifier/   the stand-alone verifier and the pages that go with it; no part of the program but what it writes

A foundation: knows no subject. A room that writes protected rows uses `entries` and `changes`, and names its tables in
`objects.PROTECTED`. Import its files directly; this package imports nothing itself.
"""
