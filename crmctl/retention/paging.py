"""A plan page by page: what is left of it is drawn from the database and done in chunks, whatever was killed before.

Some pages at a time where the database takes them, as no two have a customer in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from crmctl.process import uncollected
from crmctl.runs.plans import Item
from crmctl.runs.run import Run
from crmctl.store import abreast, engine

Tell = Callable[[int], None]
Left = Callable[[Connection, int, int, int], list[Item]]  # `judging.undecided`, `doomed` or `unarchived`
Task = Callable[[], Mapping[str, int]]  # one chunk, in a transaction of its own


def each(
    run: Run,
    number: int,
    pages: tuple[Left, int],
    task: Callable[[int, Sequence[Item]], Task],
    tell: Tell,
    *,
    ordinal: int = 0,
    alone: bool = False,
) -> int:
    """Do what is to be done with every page of what is left of a plan; return the ordinal after the last.

    Until a look from the beginning finds nothing. `pages` is what is left, and how many items to a page; `task` takes
    ordinal and page, prepares it in this thread, a little ahead, and returns what does it. With `alone` one is done
    after the other.
    """
    many = 1 if alone else abreast.at_a_time(run.engine)
    while True:
        begun = ordinal
        numbered = enumerate(_onward(run, number, *pages), begun)
        tasks = (partial(_sized, task(at, page), len(page)) for at, page in numbered)
        with closing(abreast.done(tasks, many)) as sizes:  # nobody is at work when this one's locks go
            for items in sizes:
                tell(items)
                ordinal += 1
        if ordinal == begun:
            return ordinal


def _sized(task: Task, size: int) -> int:
    task()
    return size


def _onward(run: Run, number: int, left: Left, size: int) -> Iterator[list[Item]]:
    """Yield what is left of a plan, by customer number, once from the beginning to the end.

    What is done with lies before the page: looking from there on does not walk over all of it again.
    """
    after = 0
    while True:
        if run.held is not None:  # lost, another run may be at work
            run.held.check()
        with engine.read(run.engine) as conn, uncollected():
            page = left(conn, number, size, after)
        if not page:
            return
        yield page
        after = page[-1].customer_id
