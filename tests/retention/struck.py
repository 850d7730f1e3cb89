"""The program as a person at a time, in small pieces, with a signal sent to itself: `struck.py POINT UID TIME words…`.

POINT is what tests/faults/strike.py takes, or empty; TIME is an ISO time at which the clock stands. A purge of sixty
customers then has several chunks, as one of sixty thousand has.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

PIECE = 7  # customers in a transaction

if __name__ == "__main__":
    point, uid, time, *words = sys.argv[1:]
    sys.path.append(str(Path(__file__).parents[1] / "faults"))
    from strike import arm

    from crmctl import clock
    from crmctl.retention import clearing, emptying, forgetting, purging

    os.getresuid = lambda: (int(uid),) * 3
    clock.now = lambda: datetime.fromisoformat(time)
    if os.environ.get("STRUCK_SIZES") != "own":
        purging.SHREDDED, purging.JUDGED, forgetting.PER_SLICE = PIECE, 3 * PIECE, PIECE
        emptying.AT_ONCE, clearing.AT_ONCE = 2, 2
    if point:
        arm(point)
    sys.argv[1:] = words
    from crmctl.cli.app import main

    sys.exit(main())
