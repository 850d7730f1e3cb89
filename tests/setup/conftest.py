"""A workspace with people, for commands that belong to one of them."""

from desks import _desks, desk  # noqa: F401
