"""The shipped customer policy, and reading a file with it as an import does."""

from readings import data, read, settings

__all__ = ["data", "read", "settings"]
