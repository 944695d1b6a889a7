"""What `softex compile` and `softex-opt` print about passes, with the names of mlir-opt's options.

Everything goes to stderr, headers are comments.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import ModulePass

Between: TypeAlias = "Callable[[ModulePass | None, ModuleOp, ModulePass | None], None]"
"""What is called between passes."""


def unknown_pass(name: str, known: Collection[str]) -> str:
    """What to say about a pass that does not exist."""
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"there is no pass '{name}'{hint} (softex-opt --list-passes prints all)"


@dataclass
class PassInstrumentation:
    """Called between passes; see mlir-opt's documentation of the options.

    Attributes:
        after: names of passes after which the IR is printed.
        only_changed: of these, only those that changed it; of all if none is named.
        statistics: print what each pass added and removed.
        others: what else to call between passes.
    """

    after_all: bool = False
    after: Collection[str] = ()
    before_all: bool = False
    before: Collection[str] = ()
    only_changed: bool = False
    timing: bool = False
    statistics: bool = False
    others: Sequence[Between] = ()
    _text: str = ""
    _started: float = 0.0
    _spent: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    _counted: Counter[str] = field(default_factory=Counter[str])
    _moved: list[tuple[str, Counter[str], Counter[str]]] = field(
        default_factory=list[tuple[str, "Counter[str]", "Counter[str]"]]
    )

    def __post_init__(self) -> None:
        if self.only_changed and not self.after:
            self.after_all = True

    @property
    def wanted(self) -> bool:
        """Whether anything is asked for."""
        return (
            self.timing
            or self.statistics
            or self.after_all
            or self.before_all
            or bool(self.after or self.before)
        )

    def check_names(self, known: Collection[str]) -> None:
        """Raise `ValueError` if an option names a pass that does not exist."""
        for name in (*self.after, *self.before):
            if name not in known:
                raise ValueError(unknown_pass(name, known))

    def __call__(
        self, before: ModulePass | None, module: ModuleOp, after: ModulePass | None
    ) -> None:
        """Print and note the time between two passes; None before the first and after the last."""
        for other in self.others:
            other(before, module, after)
        if self.statistics:
            self._count(before, module)
        if before is not None:
            self._spent.append((before.name, time.perf_counter() - self._started))
            if self.after_all or before.name in self.after:
                text = str(module)
                if not self.only_changed or text != self._text:
                    _print(f"IR Dump After {before.name}", text)
        if after is not None:
            if self.before_all or after.name in self.before:
                _print(f"IR Dump Before {after.name}", str(module))
            if self.only_changed:
                self._text = str(module)
        self._started = time.perf_counter()

    def _count(self, before: ModulePass | None, module: ModuleOp) -> None:
        now = Counter(op.name for op in module.walk())
        if before is not None:
            self._moved.append((before.name, now - self._counted, self._counted - now))
        self._counted = now

    def finish(self) -> None:
        """Print the statistics and the times, if they are asked for."""
        if self.statistics:
            sys.stderr.write("\n".join(self._statistics()) + "\n")
        if not self.timing:
            return
        total = sum(seconds for _, seconds in self._spent)
        lines = [
            *_heading("Execution time report"),
            f"//   Total Execution Time: {total:.4f} seconds",
            "//",
            "//   ----Wall Time----  ----Name----",
        ]
        lines += [_time_line(name, seconds, total) for name, seconds in self._spent]
        sys.stderr.write("\n".join([*lines, _time_line("Total", total, total)]) + "\n")

    def _statistics(self) -> Iterator[str]:
        yield from _heading("Pass statistics report")
        for name, added, removed in self._moved:
            yield f"// {name}"
            rows = [(f"{op} added", count) for op, count in sorted(added.items())]
            rows += [(f"{op} removed", count) for op, count in sorted(removed.items())]
            yield from (f"//   (S) {count:>7,} {what}" for what, count in rows)


def _heading(title: str) -> list[str]:
    rule = f"// ===-{'-' * 73}-==="
    return [rule, f"//                         ... {title} ...", rule]


def _time_line(name: str, seconds: float, total: float) -> str:
    return f"//   {seconds:8.4f} ({seconds / total if total else 1.0:6.1%})  {name}"


def _print(header: str, text: str) -> None:
    sys.stderr.write(f"// -----// {header} //----- //\n{text}\n\n")


def split_names(options: Iterable[str]) -> tuple[str, ...]:
    """Names from options that may each give several, separated by commas."""
    return tuple(name for option in options for name in option.split(",") if name)


def list_passes() -> str:
    """One line a pass: its options with their defaults, and what it does."""
    from xdsl.passes import get_pass_option_infos

    from softex_mlir.compiler.transforms import get_all_passes

    rows: list[tuple[str, str]] = []
    for name, factory in get_all_passes().items():
        found = factory()
        options = [
            f"{info.name.replace('_', '-')}={info.default_value or repr('')}"
            for info in get_pass_option_infos(found)
        ]
        spelled = f"{name}{{{' '.join(options)}}}" if options else name
        words = " ".join((found.__doc__ or "").split()) or "Of xDSL"
        rows.append((spelled, words.partition(". ")[0].rstrip(".")))
    return "".join(f"{spelled}: {text}\n" for spelled, text in rows)
