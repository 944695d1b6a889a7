"""Break files of every kind and run the commands that read them.

    python test/fuzz/campaign.py [KIND …] [--cases N] [--minutes M] [--first SEED] [--keep DIR]
                                 [--state FILE]

A case is its kind and its number: the same files in every run. What went wrong stays in DIR with
the command; the exit status is 1 then. With a state file the campaign goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import fork_server
from kinds import KINDS, SEEDS

ROUND = 250
"""Cases of a kind before the next kind's turn: however early a campaign ends, all had theirs."""
MOST_KEPT = 3
"""Cases that are kept of one problem."""


@dataclass
class Tally:
    """What the cases of one kind did."""

    next: int
    cases: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter[str])
    problems: Counter[str] = field(default_factory=Counter[str])

    def line(self, kind: str) -> str:
        ended = ", ".join(
            f"{count:,} x {status}" for status, count in sorted(self.statuses.items())
        )
        rate = self.cases / self.seconds if self.seconds else 0.0
        return (
            f"{kind:12} {self.cases:7,} cases, {self.problems.total()} wrong, {rate:.0f} a second, "
            f"slowest {self.slowest:.1f} s, exit status {ended}"
        )


def write_case(kind: str, number: int, directory: Path) -> list[str]:
    """The files of a case in an otherwise empty directory, and its command."""
    for path in directory.iterdir():
        path.unlink()
    return KINDS[kind](random.Random(f"{kind} {number}"), directory)


def run_round(kind: str, tally: Tally, last: int, keep: Path, deadline: float) -> None:
    """Run cases of a kind up to number `last`."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        worker = None
        while tally.next < last and time.monotonic() < deadline:
            if worker is None:
                worker = fork_server.Worker(lambda n: write_case(kind, n, directory), directory)
            outcome = worker.run(tally.next)
            if not worker.alive:
                worker.close()
                worker = None
            tally.cases += 1
            tally.seconds += outcome.seconds
            tally.slowest = max(tally.slowest, outcome.seconds)
            tally.statuses[str(outcome.status)] += 1
            if outcome.problem:
                tally.problems[outcome.problem] += 1
                if tally.problems[outcome.problem] <= MOST_KEPT:
                    keep_case(kind, tally.next, outcome, keep)
            tally.next += 1
        if worker is not None:
            worker.close()


def keep_case(kind: str, number: int, outcome: fork_server.Outcome, keep: Path) -> None:
    """The files of a case, its command and what it said, in a folder of its own."""
    kept = keep / f"{kind}-{number}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    command = " ".join(write_case(kind, number, kept))
    (kept / "outcome.txt").write_text(f"{command}\n{outcome.problem}\n{outcome.output}")


def campaign(
    kinds: list[str], cases: int, minutes: float, first: int, keep: Path, state: Path | None
) -> int:
    """Run cases of each kind; the number of those that went wrong."""
    tallies = {kind: Tally(first) for kind in kinds} | read_state(state)
    fork_server.load(SEEDS.programs)
    deadline = time.monotonic() + 60 * minutes
    try:
        for last in range(first + ROUND, first + cases + ROUND, ROUND):
            for kind in kinds:
                run_round(kind, tallies[kind], min(last, first + cases), keep, deadline)
                write_state(state, tallies)
    except KeyboardInterrupt:
        write_state(state, tallies)
    for kind in kinds:
        print(tallies[kind].line(kind))
        for problem, count in tallies[kind].problems.most_common(12):
            print(f"    {count:5} {problem[:160]}")
    return sum(tallies[kind].problems.total() for kind in kinds)


def read_state(path: Path | None) -> dict[str, Tally]:
    """What earlier runs did, by kind."""
    if path is None or not path.exists():
        return {}
    tallies = {kind: Tally(**fields) for kind, fields in json.loads(path.read_text()).items()}
    for tally in tallies.values():
        tally.statuses, tally.problems = Counter(tally.statuses), Counter(tally.problems)
    return tallies


def write_state(path: Path | None, tallies: dict[str, Tally]) -> None:
    if path is None:
        return
    new = path.with_suffix(".new")
    new.write_text(json.dumps({kind: vars(tally) for kind, tally in tallies.items()}, indent=1))
    new.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument(
        "--minutes", type=float, default=float(os.environ.get("FUZZ_MINUTES", "inf"))
    )
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), metavar="DIR")
    parser.add_argument("--state", type=Path, metavar="FILE")
    given = parser.parse_args()
    kinds = given.kinds or list(KINDS)
    keep = given.keep.resolve()
    wrong = campaign(kinds, given.cases, given.minutes, given.first, keep, given.state)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
