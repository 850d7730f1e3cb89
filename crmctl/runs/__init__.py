"""One execution of one command: who, under which policies, with which lock, recorded how it ended.

`runs.run` opens a run and records it; `runs.limits` are the safety limits on what a run may change. May import
policy, store, security and audit; knows no subject.
"""
