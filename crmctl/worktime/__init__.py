"""Working calendars and time limits: when a limit ends, how much of it is spent, and the working of both.

limits      what people write: `7 working days`, `48 小时` → Limit; `Within`, the type of policy fields
calendars   which days are worked and why; `calendar_for` chooses by org unit or name
deadlines   due, elapsed, remaining; docs/clocks.md says the same for people
pauses      times in which a clock stands still
explain     every counted interval and every skipped day
clocks      how a subject answers `sla explain` for its cases
"""
