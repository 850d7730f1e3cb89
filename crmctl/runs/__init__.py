"""One execution of one command: who, under which policies, with which lock, recorded how it ended.

`runs.run` opens a run and records it; `runs.limits` are the safety limits on what a run may change. `placing` says who
the actor is to the database, `allowance` how often a day they may, `denials` and `granted` log refusals and changed
rights. May import policy, store, security and audit; knows no subject.
"""
