"""Generate a customer file of any size with known counts.

    python -m benchmarks.generate --rows 1000000 --seed 7 --out customers.csv --expected customers.json

The file has thirteen columns, as an old system exports them: many spellings of one mobile or e-mail address, a few
per cent of broken rows (one fault each), the same person again, and strangers who share somebody's mailbox. The counts
in the second file are what `crmctl customer import --mode create` must arrive at. They are exact because company
names, mobiles and mailboxes come from permutations of the row number and never repeat unless a row means them to.
The same options give the same bytes. Memory stays flat: only a reservoir of earlier rows is remembered.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.faults import FAULTS
from benchmarks.parties import BYTES_PER_ROW, HEADER, Numbers, Party, invent, spell

RESERVOIR = 8192  # earlier rows that may come again
BLOCK = 4096  # rows written at once


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to generate; shares are fractions of all rows."""

    rows: int
    seed: int
    lang: str
    invalid: float
    duplicates: float
    strangers: float
    contacts: float
    conflicts: float


SAME_BY = ("mobile", "email", "both")


def _again(fresh: Party, earlier: Party, same_by: str, b: bytes) -> Party:
    """Return the earlier party once more: known by its mobile, its mailbox or both, the other one new."""
    company = earlier.company.replace("（集团）", "(集团)") if b[34] & 1 else earlier.company
    return earlier._replace(
        company=company,
        mobile=fresh.mobile if same_by == "email" else earlier.mobile,
        email=fresh.email if same_by == "mobile" else earlier.email,
    )


def _other_name(fresh: Party, earlier: Party) -> Party:
    """Make sure that two people do not agree in name by chance."""
    return (
        fresh if fresh.name != earlier.name else fresh._replace(name=earlier.name + ("-Kim" if fresh.english else "子"))
    )


class Draw:
    """The reservoir of earlier rows, uniform over all of them (Vitter's algorithm R)."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._seen = 0
        self._kept: list[Party] = []

    def keep(self, party: Party) -> None:
        """Remember a good row, perhaps in place of another."""
        self._seen += 1
        if len(self._kept) < RESERVOIR:
            self._kept.append(party)
        else:
            place = int(self._chance.random() * self._seen)
            if place < RESERVOIR:
                self._kept[place] = party

    def take(self, want: Callable[[Party], bool], *, forget: bool = False) -> Party | None:
        """Return one remembered row that is wanted, or None; `forget` takes it out for good."""
        for _ in range(16 if self._kept else 0):
            place = int(self._chance.random() * len(self._kept))
            party = self._kept[place]
            if want(party):
                if forget:
                    self._kept[place] = self._kept[-1]
                    self._kept.pop()
                return party
        return None


def _anybody(party: Party) -> bool:
    return True


def _organisation(party: Party) -> bool:
    return bool(party.company)


def _individual(party: Party) -> bool:
    return not party.company


def _special(kind: str, fresh: Party, draw: Draw, b: bytes) -> tuple[Party, str] | None:
    """Return the party and the outcome of a row that refers to an earlier one, or None where there is none yet."""
    if kind == "duplicate":
        same_by = SAME_BY[b[35] % 3]
        earlier = draw.take(_anybody)
        return None if earlier is None else (_again(fresh, earlier, same_by, b), f"duplicate_{same_by}")
    if kind == "stranger":
        # one stranger to a mailbox: two of one name by chance would be one person
        earlier = draw.take(_anybody, forget=True)
        return None if earlier is None else (_other_name(fresh, earlier)._replace(email=earlier.email), "stranger")
    if kind == "contact":
        earlier = draw.take(_organisation, forget=True)
        if earlier is None:
            return None
        return _other_name(fresh, earlier)._replace(company=earlier.company, type=earlier.type), "contact"
    earlier = draw.take(_individual)
    if earlier is None:
        return None
    return _other_name(fresh, earlier)._replace(company="", type="individual", mobile=earlier.mobile), "conflict"


def _kinds(recipe: Recipe) -> Callable[[bytes], str]:
    """Return the function that chooses what a row is from three random bytes."""
    limits, reached = [], 0.0
    for kind in ("invalid", "duplicates", "strangers", "contacts", "conflicts"):
        reached += getattr(recipe, kind)
        limits.append((int(reached * 16_777_216), kind.removesuffix("s")))

    def kind_of(three: bytes) -> str:
        value = int.from_bytes(three, "little")
        if value >= limits[-1][0]:
            return "good"
        return next(kind for limit, kind in limits if value < limit)

    return kind_of


def lines(recipe: Recipe, outcomes: Counter[str]) -> Iterator[str]:
    """Yield the file's lines after the header, counting into `outcomes` what each must become."""
    chance = random.Random(recipe.seed)
    numbers = Numbers(chance.getrandbits(62), chance.getrandbits(62))
    draw, kind_of = Draw(chance), _kinds(recipe)
    for start in range(0, recipe.rows, BLOCK):
        size = min(BLOCK, recipe.rows - start)
        block = chance.randbytes(size * BYTES_PER_ROW)
        for index in range(start, start + size):
            place = (index - start) * BYTES_PER_ROW
            b = block[place : place + BYTES_PER_ROW]
            party, outcome = invent(index, recipe.lang, numbers, b), "good"
            kind = kind_of(b[36:39])
            if kind not in ("good", "invalid"):
                party, outcome = _special(kind, party, draw, b) or (party, outcome)
            cells = spell(party, b)
            if kind == "invalid":
                name, spoil = FAULTS[b[35] % len(FAULTS)]
                spoil(cells, index, b)
                outcome = f"invalid_{name}"
            elif outcome == "good":
                draw.keep(party)
            outcomes[outcome] += 1
            yield ",".join(cells) + "\r\n"


def expectation(recipe: Recipe, outcomes: Counter[str]) -> dict[str, object]:
    """Return the counts that an import in mode `create` must report, and how they come about."""
    faults = {kind.removeprefix("invalid_"): n for kind, n in sorted(outcomes.items()) if kind.startswith("invalid_")}
    if outcomes["conflict"]:
        faults["identity_conflict"] = outcomes["conflict"]
    same = {kind.removeprefix("duplicate_"): n for kind, n in sorted(outcomes.items()) if kind.startswith("duplicate_")}
    return {
        "recipe": asdict(recipe),
        "counts": {
            "read": recipe.rows,
            "created": outcomes["good"] + outcomes["stranger"],
            "updated": outcomes["contact"],
            "unchanged": 0,
            "duplicate": sum(same.values()),
            "rejected": sum(faults.values()),
            "flagged": outcomes["stranger"],
        },
        "duplicate_by": same,
        "rejected_by": faults,
    }


def write(recipe: Recipe, out: Path, encoding: str) -> dict[str, object]:
    """Write the file and return its expectation, with the file's size and SHA-256."""
    outcomes: Counter[str] = Counter()
    digest, size = hashlib.sha256(), 0
    with out.open("wb") as file:
        pending = [HEADER + "\r\n"]
        for line in lines(recipe, outcomes):
            pending.append(line)
            if len(pending) == BLOCK:
                size += _flush(pending, file.write, digest.update, encoding)
        size += _flush(pending, file.write, digest.update, encoding)
    return expectation(recipe, outcomes) | {"encoding": encoding, "bytes": size, "sha256": digest.hexdigest()}


def _flush(pending: list[str], put: Callable[[bytes], object], hashed: Callable[[bytes], object], encoding: str) -> int:
    data = "".join(pending).encode(encoding)
    pending.clear()
    put(data)
    hashed(data)
    return len(data)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--encoding", choices=("utf-8", "gb18030"), default="utf-8")
    parser.add_argument("--lang", choices=("zh", "en", "mixed"), default="mixed")
    parser.add_argument("--invalid", type=float, default=0.03, help="share of rows with one fault")
    parser.add_argument("--duplicates", type=float, default=0.05, help="share of rows about somebody already there")
    parser.add_argument("--strangers", type=float, default=0.015, help="share of rows with somebody else's mailbox")
    parser.add_argument("--contacts", type=float, default=0.0, help="share of new contacts of a known company")
    parser.add_argument("--conflicts", type=float, default=0.0, help="share of re-issued mobiles: another name")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--expected", type=Path, help="where to write the expected counts (JSON)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write the files that the command line asks for."""
    a = _arguments(argv)
    recipe = Recipe(a.rows, a.seed, a.lang, a.invalid, a.duplicates, a.strangers, a.contacts, a.conflicts)
    if sum((recipe.invalid, recipe.duplicates, recipe.strangers, recipe.contacts, recipe.conflicts)) > 1:
        sys.exit("the shares of special rows add up to more than 1")
    expected = json.dumps(write(recipe, a.out, a.encoding), ensure_ascii=False, indent=1)
    if a.expected:
        a.expected.write_text(expected + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
