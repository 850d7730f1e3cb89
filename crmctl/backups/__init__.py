"""Backups of data and of keys, never together; restored, drilled, and what was destroyed stays destroyed (SEC-02).

creating    a set is written, read back, registered; then old ones go (keeping)
datapart    the database as of one moment (sqlitecopy, servercopy) and the configuration; keyspart: wrapped keys
manifest    what a set says of itself; evidence: who vouches for it; agefile: sealed to public keys
places      where sets may lie
register    which sets there are; listing, standing: what people and doctor are told
verifying   sets are read to the end (checking), opened with a private key (opening) and looked into (inside)
restoring   a new workspace from a set; reconcile: what was destroyed stays so; drilling: the same, on trial
"""
