"""crmctl makes a written customer policy (客户关系管理制度) executable.

The map of the house, one line a room:

errors      every way to fail on purpose: class → exit code → hint
workspace   where a workspace is, its crmctl.yaml, configuration with sources
clock       the only reader of the system clock
files       safe open, atomic write, owner-only
printed     pages to print and sign, from a room's template
process     signals that roll back, no core dumps
locate      the policies/ and alembic/ that ship with the program
i18n, log   messages in Chinese and English; redacted logging to stderr
cli         front door: lazy command table, options, rendering, exit codes
front       broker mode: the caller's side, the service account's side, what crosses between
policy      YAML → settings, problems with file:line:column
store       metadata, sessions, bulk load per database, counters, migrations
security    keys, sealing, blind indexes, actor, permissions, masking, locks
audit       entries, tree, change leaves, verification
runs        a run: lock, actor, policy set, signals, limits
approvals   acts that somebody else has to agree to: asked, decided, used once
use         use of information: requests, records, the copies that left
sheets      tables that people keep: file → checked cells, batches, quarantine; whatever they are about
setup       init, doctor, config, db: a workspace from nothing to healthy
customers   import, quarantine, list, show, find, history
orders      what customers bought, when and for how much
staff       who works with customers, their posts, capacity, absences
worktime    working calendars and the clocks that run by them: deadlines, elapsed time, their working
cases       stages with limits, clocks that start, stop, pause and are extended; numbers without gaps
tiers       who belongs to which tier and why: grading, overrides, history
notify      notices to people outside the program: queued with the data, sent after it
owners      who looks after which customer and why: assignment, pools, hand-overs
satisfaction  what customers answered when they were asked
complaints  complaints from acceptance to closing, on real clocks
holds       what may not be destroyed for now, and why
paper       paper and media with customer information: where they are, and that they were destroyed
retention   what is destroyed when nobody needs it any more: planned, agreed to, done, proved
backups     backups of data and of keys, never together; restored and drilled
"""

__version__ = "0.1.0"
