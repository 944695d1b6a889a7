"""Break files of every kind and run the commands that read them.

    python test/fuzz/campaign.py [KIND …] [--cases N] [--minutes M] [--first SEED] [--keep DIR]

A case is its kind and its number: the same files in every run. What went wrong stays in DIR with
the command; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import fork_server
from kinds import KINDS, SEEDS


def case(kind: str, number: int, directory: Path) -> tuple[list[str], fork_server.Outcome]:
    """Write the files of a case and run its command."""
    for path in directory.iterdir():
        path.unlink()
    command = KINDS[kind](random.Random(f"{kind} {number}"), directory)
    return command, fork_server.run(command, directory)


def campaign(kinds: list[str], cases: int, minutes: float, first: int, keep: Path) -> int:
    """Run cases of each kind; the number of those that went wrong."""
    fork_server.load(SEEDS.programs)
    wrong = 0
    for kind in kinds:
        start = time.monotonic()
        limit = 60 * minutes / len(kinds)
        statuses: Counter[int] = Counter()
        problems: Counter[str] = Counter()
        slowest = 0.0
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            number = first
            while number < first + cases and time.monotonic() - start < limit:
                command, outcome = case(kind, number, directory)
                statuses[outcome.status] += 1
                slowest = max(slowest, outcome.seconds)
                if outcome.problem:
                    problems[outcome.problem] += 1
                    kept = keep / f"{kind}-{number}"
                    if problems[outcome.problem] <= 3 and sum(problems.values()) < 200:
                        shutil.copytree(directory, kept, dirs_exist_ok=True)
                        text = " ".join(command).replace(name, str(kept))
                        (kept / "outcome.txt").write_text(
                            f"{text}\n{outcome.problem}\n{outcome.output}"
                        )
                number += 1
        wrong += sum(problems.values())
        ended = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
        print(
            f"{kind:12} {number - first:7,} cases, {sum(problems.values())} wrong, "
            f"slowest {slowest:.1f} s, exit status {ended}",
            flush=True,
        )
        for problem, count in problems.most_common(12):
            print(f"    {count:5} {problem[:160]}", flush=True)
    return wrong


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
    given = parser.parse_args()
    wrong = campaign(
        given.kinds or list(KINDS), given.cases, given.minutes, given.first, given.keep.resolve()
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
