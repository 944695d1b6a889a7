"""Textual IR: reading it with the place of every operation and error.

`read_module` is for files that a user or another tool wrote. What the text does to xDSL's parser,
the answer is a module or one `TextError`, `file:line:col: error: …`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from xdsl.context import Context
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr, UnknownLoc
from xdsl.ir import Attribute, IRNode, Operation, TypeAttribute
from xdsl.parser import Parser, ParserState, UnresolvedOperand
from xdsl.utils.diagnostic import Diagnostic
from xdsl.utils.exceptions import DiagnosticException, ParseError
from xdsl.utils.lexer import Input, Span
from xdsl.utils.mlir_lexer import MLIRLexer, MLIRToken, MLIRTokenKind, StringLiteral

from softex_mlir.dialects.literals import ExactLiterals
from softex_mlir.dialects.locations import LateLocations
from softex_mlir.errors import UserError

T = TypeVar("T")
MOST_BITS = (1 << 24) - 1
"""Bits of an integer type, as in MLIR."""


@dataclass
class Problem:
    """What is wrong and where; line 0: somewhere."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: error: {self.message}"


class TextError(UserError, ValueError):
    """Text that is no valid module."""


class TextLexer(MLIRLexer):
    """xDSL's lexer in linear time, for which text beyond ASCII is text.

    xDSL 0.74 matches a string literal with a repetition inside a repetition: behind a quote that
    is never closed it tries every way to cut the rest of the line, longer than anybody waits. It
    prints characters beyond ASCII as escaped bytes, which it does not read as a string again.
    """

    _string = re.compile(r'"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+"')

    def _lex_string_literal(self, start_pos: int) -> MLIRToken:
        if self._string.match(self.input.content, start_pos) is None:
            end = self.input.get_end_of_line(start_pos)
            message = "string without a closing quote on its line, or with an unknown escape"
            raise ParseError(Span(start_pos, end, self.input), message)
        token = super()._lex_string_literal(start_pos)
        if token.kind is not MLIRTokenKind.BYTES_LIT:
            return token
        try:
            StringLiteral.from_span(token.span).bytes_contents.decode("utf-8")
        except UnicodeDecodeError:
            return token
        return MLIRToken(MLIRTokenKind.STRING_LIT, token.span)


class LocatedParser(ExactLiterals, LateLocations):
    """A parser that remembers where each operation was read.

    `parse_module` raises nothing but `ParseError`: what else xDSL's parser and the constructors of
    attributes raise on wrong text becomes one where the parser stands.
    """

    def __init__(self, context: Context, text: str, name: str, line_offset: int = 0):
        super().__init__(context, "", name)
        self._resume_from(ParserState(TextLexer(Input(text, name))))
        self.bound_aliases(len(text))
        self.file = StringAttr(name)
        self.line_offset = line_offset
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.places: dict[Operation, tuple[int, int]] = {}
        """Line and column of each operation, whatever its location says."""
        self.first_uses: dict[str, Span] = {}
        """Where each value was used first without being known."""

    def parse_module(self, allow_implicit_module: bool = True) -> ModuleOp:
        """The whole text."""
        try:
            module = super().parse_module(allow_implicit_module)
            self.place_resources(module)
            return module
        except ParseError:
            self._blame_unknown_value()
            raise
        except RecursionError:
            message = "nested too deeply"
        except Exception as error:
            message = str(error) or type(error).__name__
        raise ParseError(self._current_token.span, message)

    def resolve_operand(self, operand: UnresolvedOperand, type: Attribute) -> Any:
        """The value of an operand; one that is not known yet may be defined later."""
        if operand.operand_name not in self.ssa_values:
            self.first_uses.setdefault(operand.operand_name, operand.span)
        return super().resolve_operand(operand, type)

    def _blame_unknown_value(self) -> None:
        """At the end of the text, xDSL says which values are missing, but not where."""
        at_end = self._current_token.kind is MLIRTokenKind.EOF
        for name in self.forward_ssa_references if at_end else ():
            if (span := self.first_uses.get(name)) is not None:
                raise ParseError(span, f"%{name} is used but not defined") from None

    def _parse_optional_integer_or_float_type(self) -> TypeAttribute | None:
        """An integer type computes its limits: of huge ones that takes all memory."""
        bits = self._builtin_integer_type_regex.match(self._current_token.text)
        if bits is not None and (len(bits[1]) > 8 or int(bits[1]) > MOST_BITS):
            self.raise_error(f"expected an integer type of at most {MOST_BITS} bits")
        return super()._parse_optional_integer_or_float_type()

    def parse_comma_separated_list(
        self, delimiter: Parser.Delimiter, parse: Callable[[], T], context_msg: str = ""
    ) -> list[T]:
        """xDSL 0.74 prints the types of a loop nest's results in parentheses, but reads none."""
        in_parentheses = self._current_token.kind is MLIRTokenKind.L_PAREN
        if delimiter is Parser.Delimiter.NONE and parse == self.parse_attribute and in_parentheses:
            delimiter = Parser.Delimiter.PAREN
        return super().parse_comma_separated_list(delimiter, parse, context_msg)

    def parse_operation(self) -> Operation:
        """One operation, with its location."""
        start = self.pos
        op = super().parse_operation()
        line = bisect_right(self.lines, start)
        column = start - self.lines[line - 1] + 1
        self.places[op] = line, column
        if isinstance(op.location, UnknownLoc):
            op.location = FileLineColLoc(
                self.file, IntAttr(line + self.line_offset), IntAttr(column)
            )
        return op


def _raise_with_operation(self: Diagnostic, ir: IRNode, underlying_error: Exception) -> NoReturn:
    """Instead of printing the whole module into the error, remember the operation at fault."""
    if not hasattr(underlying_error, "operation"):
        operation = next(iter(self.op_messages), ir if isinstance(ir, Operation) else None)
        underlying_error.operation = operation  # pyright: ignore[reportAttributeAccessIssue]
    raise underlying_error


@contextmanager
def operations_in_errors() -> Generator[None]:
    """While it lasts, errors that xDSL raises about IR carry the operation and not its text."""
    before = Diagnostic.raise_exception
    Diagnostic.raise_exception = _raise_with_operation
    try:
        yield
    finally:
        Diagnostic.raise_exception = before


def _located(operation: Operation | None) -> FileLineColLoc | None:
    """The source of an operation, or of the closest one around it that has a source."""
    while operation is not None:
        if isinstance(operation.location, FileLineColLoc):
            return operation.location
        operation = operation.parent_op()
    return None


def problem_of(error: Exception, file: str, line_offset: int = 0) -> Problem:
    """What to tell about an error that a parser, a verifier or a pass raised."""
    if isinstance(error, ParseError):
        place = error.span.get_location()
        message = " ".join(error.msg.split())
        return Problem(file, place.line + line_offset, place.col, message)
    location = _located(getattr(error, "operation", None))
    message = str(error).strip()
    if location is None:
        return Problem(file, 0, 0, message)
    return Problem(location.filename.data, location.line.data, location.column.data, message)


def read_module(text: str, name: str) -> ModuleOp:
    """The verified module that a text says, of all registered dialects.

    Raises:
        TextError: the text is no module or its verification fails, with the place in `name`.
    """
    from softex_mlir.dialects import register_all_dialects

    context = Context()
    register_all_dialects(context)
    with operations_in_errors():
        try:
            module = LocatedParser(context, text, name).parse_module()
            module.verify()
        except (ParseError, DiagnosticException) as error:
            raise TextError(str(problem_of(error, name))) from error
    return module
