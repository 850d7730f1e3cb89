"""The shipped customer policy, and reading a file with it as an import does; people at their desks, with customers."""

from desks import _desks, desk
from readings import data, read, settings

__all__ = ["_desks", "data", "desk", "read", "settings"]
