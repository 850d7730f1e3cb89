"""`python -m crmctl`."""

from __future__ import annotations

import sys

from crmctl.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
