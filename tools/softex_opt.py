"""`softex-opt`: read IR of any level, apply passes, print it.

Errors are one line each, `file:line:col: error: …`. Exit codes: 0 fine, 1 the input is wrong (or
an expected error did not come), 2 the command line is.
"""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipeline
from xdsl.utils.arg_spec import parse_pipeline
from xdsl.utils.exceptions import DiagnosticException, ParseError
from xdsl.utils.target import Target
from xdsl.xdsl_opt_main import xDSLOptMain

from softex_mlir.compiler.compilation_context import CompilationContext
from softex_mlir.compiler.sidecar import Heading, take_weights
from softex_mlir.compiler.transforms import get_all_passes
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects import register_all_dialects
from softex_mlir.dialects.text import LocatedParser, Problem, operations_in_errors, problem_of
from softex_mlir.errors import UserError
from softex_mlir.files import CLOSED_PIPE, prepare_streams, read_bytes, write_atomically
from softex_mlir.tools.pass_options import (
    PassInstrumentation,
    list_passes,
    split_names,
    unknown_pass,
)
from softex_mlir.tools.reproducer import Reproducer, pipeline_of

FLAGS = {
    "print-ir-after-all": "Print the IR after every pass",
    "print-ir-after-change": "Of these, only what a pass changed",
    "print-ir-before-all": "Print the IR before every pass",
    "timing": "Print how long each pass took",
    "pass-statistics": "Print what each pass added and removed",
}
LISTS = {
    "print-ir-after": "Print the IR after this pass",
    "print-ir-before": "Print the IR before this pass",
}
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

    context: CompilationContext
    instrumentation: PassInstrumentation
    reproducer: Reproducer | None

    def register_all_dialects(self) -> None:
        """Our dialects and the upstream ones they are used with, in a context for weights."""
        self.ctx = self.context = CompilationContext()
        register_all_dialects(self.ctx)

    def register_all_arguments(self, arg_parser: ArgumentParser) -> None:
        """xDSL's arguments, and mlir-opt's for looking at passes."""
        super().register_all_arguments(arg_parser)
        arg_parser.add_argument(
            "--list-passes", action="store_true", help="Print a line a pass, with its options"
        )
        arg_parser.add_argument(
            "--weights",
            metavar="FILE",
            help="Data of the module's weights (.safetensors); default: the file that the module "
            "names, or that of the same name beside it",
        )
        arg_parser.add_argument(
            "--mlir-pass-pipeline-crash-reproducer",
            metavar="FILE",
            help="If a pass fails, write its input and its name here",
        )
        arg_parser.add_argument(
            "--run-reproducer",
            action="store_true",
            help="Run the passes that the input's line '// configuration: -p …' says",
        )
        group = arg_parser.add_argument_group("printing of passes, to stderr")
        for name, text in FLAGS.items():
            group.add_argument(f"--mlir-{name}", action="store_true", help=text)
        for name, text in LISTS.items():
            group.add_argument(
                f"--mlir-{name}", action="append", default=[], metavar="PASS", help=text
            )

    def setup_pipeline(self) -> None:
        """The passes that are asked for, and what is printed between them."""
        given: dict[str, Any] = vars(self.args)
        self.instrumentation = PassInstrumentation(
            after_all=given["mlir_print_ir_after_all"] or given["print_between_passes"],
            after=split_names(given["mlir_print_ir_after"]),
            before_all=given["mlir_print_ir_before_all"],
            before=split_names(given["mlir_print_ir_before"]),
            only_changed=given["mlir_print_ir_after_change"],
            timing=given["mlir_timing"] or given["time_passes"],
            statistics=given["mlir_pass_statistics"],
        )
        self.reproducer = None
        if (file := given["mlir_pass_pipeline_crash_reproducer"]) is not None:
            self.reproducer = Reproducer(Path(file), self.weights)
            self.instrumentation.others = [self.reproducer]
        self.instrumentation.check_names(self.available_passes)
        passes = given["passes"]
        if given["run_reproducer"]:
            passes = pipeline_of(Path(self.input_name()))
        specs = tuple(parse_pipeline(passes))
        for spec in specs:
            if spec.name not in self.available_passes:
                raise ValueError(unknown_pass(spec.name, self.available_passes))
        passes = tuple(self.available_passes[spec.name]().from_spec(spec) for spec in specs)
        self.pipeline = PassPipeline(passes, self.between)

    def weights(self) -> tuple[WeightStore, str]:
        """The data of the module's weights, and the model's name."""
        return self.context.weights, self.context.model_name

    def between(
        self, before: ModulePass | None, module: ModuleOp, after: ModulePass | None
    ) -> None:
        """What happens between two passes."""
        self.instrumentation(before, module, after)
        if not self.args.disable_verify:
            module.verify()

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
            content = read_bytes(Path(self.args.input_file))
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
        heading = self.take_weights(module)
        with nullcontext() if self.reproducer is None else self.reproducer.watching():
            self.apply_passes(module)
        self.report_missed(heading)
        heading = self.keep_weights(heading)
        folder = Path() if self.args.output_file is None else Path(self.args.output_file).parent
        with heading.on(module, folder):
            return self.output_resulting_program(module).rstrip("\n") + "\n"

    def take_weights(self, module: ModuleOp) -> Heading:
        """Read the module's weights into the context; says in which file they are, if in one."""
        path = Path(self.input_name())
        heading = Heading.take(module, path.parent)
        given = self.args.weights
        named = heading.weights if given is None else Path(given)
        file = named or path.with_suffix(".safetensors")
        self.context.weights = take_weights(module, path, named)
        self.context.model_name = heading.model
        return Heading(heading.model, file if len(self.context.weights) else None)

    def report_missed(self, heading: Heading) -> None:
        """Say so if passes left something alone because nobody gave them the data."""
        missed = sorted(self.context.weights.missed)
        if missed and heading.weights is None:
            names = ", ".join(f"@{name}" for name in missed[:3]) + ", …" * (len(missed) > 3)
            sys.stderr.write(
                f"{self.input_name()}: note: passes asked for the data of {len(missed)} weights "
                f"({names}) and left alone what they could not see: name a file with --weights\n"
            )

    def keep_weights(self, heading: Heading) -> Heading:
        """Write changed weights beside the output; says in which file the weights are then."""
        weights, output = self.context.weights, self.args.output_file
        if not weights.changed or self.args.target != "mlir":
            return heading
        if output is None or self.args.split_input_file:
            sys.stderr.write(
                f"{self.input_name()}: note: the weights changed, and there is no file beside "
                "standard output to write them to: give -o FILE.mlir to go on from here\n"
            )
            return heading
        file = Path(output).with_suffix(".safetensors")
        weights.save(file)
        return Heading(heading.model, file)

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
        self.instrumentation.finish()
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


def _listed() -> int:
    sys.stdout.write(list_passes())
    sys.stdout.flush()
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `softex-opt` command."""
    from xdsl.utils.exceptions import ArgSpecParseError

    prepare_streams()
    try:
        tool = SoftexOptMain("softex-opt: read, transform and print IR of any level", arguments)
    except (ValueError, TypeError, KeyError, ArgSpecParseError) as error:
        print(f"softex-opt: error: {_usage_message(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        code = _listed() if tool.args.list_passes else tool.execute()
    except UserError as error:
        message = str(error)
        print(
            message if ": error: " in message else f"softex-opt: error: {message}", file=sys.stderr
        )
        code = 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = CLOSED_PIPE
    except OSError as error:
        place = error.filename or "output"
        print(f"softex-opt: error: {place}: {error.strerror}", file=sys.stderr)
        code = 1
    raise SystemExit(code)


if __name__ == "__main__":
    main()
