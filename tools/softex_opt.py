"""`softex-opt`: read IR of any level, apply passes, print it.

Errors are one line each, `file:line:col: error: …`. Exit codes: 0 fine, 1 the input is wrong (or
an expected error did not come), 2 the command line is.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import DiagnosticException, ParseError
from xdsl.utils.target import Target
from xdsl.xdsl_opt_main import xDSLOptMain

from softex_mlir.compiler.transforms import get_all_passes
from softex_mlir.dialects import register_all_dialects
from softex_mlir.dialects.text import LocatedParser, Problem, operations_in_errors, problem_of
from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically

TARGETS = ("mlir",)
"""Outputs of xDSL that make sense for our levels."""

SEPARATOR = re.compile(rb"^// -----[ \t]*$", re.MULTILINE)
"""A line of its own, as in MLIR: comments may speak of it."""
EXPECTED = re.compile(
    r"expected-error\s*(?:@(?P<where>[+-]\d+|above|below))?\s*\{\{(?P<text>.*?)\}\}"
)


def unmet_expectations(text: str, line_offset: int, problems: Sequence[Problem]) -> list[str]:
    """Compare problems with the `expected-error` comments of a piece of input."""
    rest = list(problems)
    complaints: list[str] = []
    for number, line in enumerate(text.splitlines(), 1 + line_offset):
        for match in EXPECTED.finditer(line):
            named = {"above": -1, "below": 1}
            where = match["where"] or "0"
            at = number + (named[where] if where in named else int(where))
            found = next((p for p in rest if p.line == at and match["text"] in p.message), None)
            if found is None:
                complaints.append(f"line {at}: expected error not found: {match['text']}")
            else:
                rest.remove(found)
    return complaints + [f"unexpected: {problem}" for problem in rest]


class UnreadableInput(UserError):
    """Input that is no text."""


class SoftexOptMain(xDSLOptMain):
    """xDSL's driver with our dialects, passes, targets and errors."""

    version_format = "softex-opt (xdsl {xdsl_version})"

    def register_all_dialects(self) -> None:
        """Our dialects and the upstream ones they are used with."""
        register_all_dialects(self.ctx)

    def register_all_passes(self) -> None:
        """Our passes, and all of xDSL's."""
        for name, factory in get_all_passes().items():
            self.register_pass(name, factory)

    def register_all_targets(self) -> None:
        """IR text, and assembly text (`asm`) of modules with registers."""
        from xdsl.targets import get_all_targets

        targets = get_all_targets()
        for name in TARGETS:
            self.available_targets[name] = targets[name]

        def assembly() -> type[Target]:
            from softex_mlir.compiler.backend.print_assembly import AssemblyTarget

            return AssemblyTarget

        self.available_targets["asm"] = assembly

    def read(self) -> list[tuple[str, int]]:
        """The input in pieces, each with the number of lines before it."""
        if self.args.input_file in (None, "-"):
            content = sys.stdin.buffer.read()
        else:
            with open(self.args.input_file, "rb") as file:
                content = file.read()
        pieces = SEPARATOR.split(content) if self.args.split_input_file else [content]
        result: list[tuple[str, int]] = []
        offset = 0
        for piece in pieces:
            try:
                result.append((piece.decode(), offset))
            except UnicodeDecodeError as error:
                line = offset + 1 + piece[: error.start].count(b"\n")
                column = error.start - piece.rfind(b"\n", 0, error.start)
                problem = Problem(self.input_name(), line, column, "not UTF-8 text")
                raise UnreadableInput(str(problem)) from error
            offset += piece.count(b"\n")
        return result

    def process(self, text: str, line_offset: int) -> str:
        """Parse a piece of input, apply the passes, return the output."""
        parser = LocatedParser(self.ctx, text, self.input_name(), line_offset)
        module = parser.parse_module(not self.args.no_implicit_module)
        assert isinstance(module, ModuleOp)
        if not self.args.disable_verify:
            module.verify()
        self.apply_passes(module)
        return self.output_resulting_program(module).rstrip("\n") + "\n"

    def input_name(self) -> str:
        """The input's name for messages."""
        return "<stdin>" if self.args.input_file in (None, "-") else self.args.input_file

    def execute(self) -> int:
        """Do everything; returns the exit code."""
        failures: list[str] = []
        outputs: list[str] = []
        for text, offset in self.read():
            problems: list[Problem] = []
            try:
                with operations_in_errors():
                    outputs.append(self.process(text, offset))
            except (ParseError, DiagnosticException, UserError) as error:
                problems.append(problem_of(error, self.input_name(), offset))
            if self.args.verify_diagnostics:
                complaints = unmet_expectations(text, offset, problems)
                failures += [f"{self.input_name()}: {complaint}" for complaint in complaints]
            else:
                failures += [str(problem) for problem in problems]
        self.write("// -----\n".join(outputs))
        for failure in failures:
            print(failure, file=sys.stderr)
        return 1 if failures else 0

    def write(self, text: str) -> None:
        """Write the output."""
        if self.args.output_file is not None:
            write_atomically(Path(self.args.output_file), text)
            return
        sys.stdout.write(text)
        sys.stdout.flush()


def _usage_message(error: BaseException) -> str:
    """What is wrong with the command line, in one line."""
    message = " ".join(str(error).replace("^", "").split())
    wrong = re.fullmatch(
        r"Incompatible types: given \((.*?),?\), expected <class '(\w+)'>", message
    )
    return f"pass option: expected {wrong[2]}, found {wrong[1]}" if wrong else message


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `softex-opt` command."""
    from xdsl.utils.exceptions import ArgSpecParseError

    try:
        tool = SoftexOptMain("softex-opt: read, transform and print IR of any level", arguments)
    except (ValueError, TypeError, KeyError, ArgSpecParseError) as error:
        print(f"softex-opt: error: {_usage_message(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        code = tool.execute()
    except UserError as error:
        message = str(error)
        print(
            message if ": error: " in message else f"softex-opt: error: {message}", file=sys.stderr
        )
        code = 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        place = error.filename or "output"
        print(f"softex-opt: error: {place}: {error.strerror}", file=sys.stderr)
        code = 1
    raise SystemExit(code)


if __name__ == "__main__":
    main()
