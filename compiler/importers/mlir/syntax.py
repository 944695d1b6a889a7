"""Reading MLIR text of other compilers: operations that xDSL has no syntax for.

Named operations of linear algebra share one: ``linalg.matmul {..} ins(%a, %b : T, T)
outs(%c : T) -> T``, with an attribute or a region here and there. They are read into
unregistered operations, just as their generic form is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import (
    DenseArrayBase,
    FunctionType,
    ModuleOp,
    StringAttr,
    SymbolRefAttr,
    UnregisteredOp,
    i1,
    i32,
    i64,
)
from xdsl.dialects.utils import parse_func_op_like
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.parser import Parser
from xdsl.utils.exceptions import DiagnosticException, ParseError

from softex_mlir.dialects import register_all_dialects
from softex_mlir.dialects.text import LocatedParser, TextError, operations_in_errors, problem_of

Syntax = Callable[[Parser, type[Operation]], Operation]
REGISTERED = ("linalg.generic", "linalg.yield", "linalg.index")
"""Operations of linear algebra as xDSL has them."""


def name_of(op: Operation) -> str:
    """The name of an operation, registered or not."""
    return op.op_name.data if isinstance(op, UnregisteredOp) else op.name


def attribute_of(op: Operation, name: str) -> Attribute | None:
    """An attribute, wherever an operation keeps it."""
    return op.properties.get(name, op.attributes.get(name))


def read_text(text: str, name: str) -> tuple[ModuleOp, Mapping[Operation, tuple[int, int]]]:
    """A module in which operations that are registered nowhere may stand, and the line and column
    of each operation.

    Raises:
        TextError: the text is no module, with the place in the file `name`.
    """
    context = _Context()
    with operations_in_errors():
        try:
            parser = LocatedParser(context, text, name)
            return parser.parse_module(), parser.places
        except (ParseError, DiagnosticException) as error:
            raise TextError(str(problem_of(error, name))) from error


class _Context(Context):
    """A context that knows the syntax of `linalg`'s named operations."""

    def __init__(self) -> None:
        super().__init__(allow_unregistered=True)
        self._extra: dict[str, type[Operation]] = {}
        register_all_dialects(self)

    def get_optional_op(
        self, name: str, *, dialect_stack: Sequence[str] = ()
    ) -> type[Operation] | None:
        syntax = SYNTAX.get(name)
        if syntax is None and name.startswith("linalg.") and name not in REGISTERED:
            syntax = _structured
        if syntax is None and "." in name and self._get_known_op(name) is None:
            syntax = _syntax_of_others(name)
        if syntax is None:
            return super().get_optional_op(name, dialect_stack=dialect_stack)
        return self._extra.setdefault(name, _with_syntax(name, syntax))


def _syntax_of_others(name: str) -> Syntax:
    if name.startswith(("arith.", "math.")):
        return _plain
    if name.startswith(OTHER_WAYS):
        return _other_way
    return _runtime if name.startswith(("hal.", "util.")) else _unknown


def _with_syntax(name: str, syntax: Syntax) -> type[Operation]:
    base: Any = UnregisteredOp.with_name(name)

    class WithSyntax(base):
        @classmethod
        def parse(cls, parser: Parser) -> Operation:
            return syntax(parser, cls)

    return WithSyntax


def _structured(parser: Parser, kind: type[Operation]) -> Operation:
    """``[keyword = attr]* [{..}] ins(..) outs(..) [keyword = attr]* [region] [-> types]``."""
    properties: dict[str, Attribute] = {}
    inner = _short_body(parser)
    _attributes(parser, properties)
    ins = _operands(parser, "ins")
    outs = _operands(parser, "outs")
    _attributes(parser, properties)
    region = inner(ins, outs) if inner is not None else _region(parser)
    _attributes(parser, properties)
    types = _result_types(parser)
    properties["operandSegmentSizes"] = DenseArrayBase.from_list(i32, [len(ins), len(outs)])
    regions = [] if region is None else [region]
    found = types or [value.type for value in outs]
    return kind.create(
        operands=[*ins, *outs], result_types=found, properties=properties, regions=regions
    )


def _attributes(parser: Parser, properties: dict[str, Attribute]) -> None:
    """Attributes in braces, as ``keyword = attribute`` and as ``dimension(1)``."""
    while True:
        if parser.parse_optional_punctuation("<"):
            word = parser.parse_optional_identifier()
            if word is not None:
                properties["kind"] = StringAttr(word)
            properties |= parser.parse_optional_attr_dict()
            parser.parse_punctuation(">")
        elif parser.parse_optional_keyword("attrs"):
            parser.parse_punctuation("=")
            properties |= parser.parse_optional_attr_dict()
        elif parser.parse_optional_keyword("dimension"):
            parser.parse_punctuation("(")
            properties["dimension"] = DenseArrayBase.from_list(i64, [parser.parse_integer()])
            parser.parse_punctuation(")")
        elif not _keyword(parser, properties) and not _braces(parser, properties):
            return


KEYWORDS = ("indexing_maps", "permutation", "dimensions", "kind", "cast")


def _keyword(parser: Parser, properties: dict[str, Attribute]) -> bool:
    for name in KEYWORDS:
        if parser.parse_optional_keyword(name):
            parser.parse_punctuation("=")
            properties[name] = parser.parse_attribute()
            return True
    return False


def _braces(parser: Parser, properties: dict[str, Attribute]) -> bool:
    found = parser.parse_optional_attr_dict()
    properties |= found
    return bool(found)


def _operands(parser: Parser, keyword: str) -> list[SSAValue]:
    if not parser.parse_optional_keyword(keyword):
        return []
    position = parser.pos
    parser.parse_punctuation("(")
    names = parser.parse_comma_separated_list(
        Parser.Delimiter.NONE, parser.parse_unresolved_operand
    )
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return list(parser.resolve_operands(names, types, position))


def _result_types(parser: Parser) -> list[Attribute]:
    if not parser.parse_optional_punctuation("->"):
        return []
    found = parser.parse_optional_comma_separated_list(Parser.Delimiter.PAREN, parser.parse_type)
    return [parser.parse_type()] if found is None else list(found)


def _region(parser: Parser) -> Region | None:
    """A body whose arguments stand before it: ``(%in: f32, %acc: f32) { .. }``."""
    arguments = parser.parse_optional_comma_separated_list(
        Parser.Delimiter.PAREN, parser.parse_argument
    )
    if arguments is None:
        return None
    return parser.parse_region(arguments)


Body = Callable[[list[SSAValue], list[SSAValue]], Region]


def _short_body(parser: Parser) -> Body | None:
    """The body ``{ arith.addf }`` of a reduction or a map, which stands before the operands."""
    text = parser._current_token.span.input.content  # pyright: ignore[reportPrivateUsage]
    match = re.compile(r"\{\s*([a-z_]+\.[a-z_0-9]+)\s*(\{[^}]*\})?\s*\}").match(text, parser.pos)
    if match is None:
        return None
    parser.parse_punctuation("{")
    name = _bare_name(parser)
    parser.parse_optional_attr_dict()
    parser.parse_punctuation("}")
    context = parser.ctx

    def body(ins: list[SSAValue], outs: list[SSAValue]) -> Region:
        operands = [*ins, *outs]
        block = Block(arg_types=[_element(value) for value in operands])
        kind = context.get_op(name)
        # A reduction's operation takes the element and what is accumulated; a map's the elements.
        count = len(ins) if len(ins) > 1 else len(operands)
        used = block.args[: max(count, 1)]
        op = kind.create(operands=used, result_types=[_element(outs[0])])
        block.add_op(op)
        yielded = context.get_op("linalg.yield")
        block.add_op(yielded.create(operands=op.results))
        return Region(block)

    return body


def _bare_name(parser: Parser) -> str:
    return parser.parse_identifier()


def _element(value: SSAValue) -> Attribute:
    return getattr(value.type, "element_type", value.type)


# --- other dialects ----------------------------------------------------------------------------


def _global(parser: Parser, kind: type[Operation]) -> Operation:
    """``util.global private [mutable] @name = value : type``."""
    parser.parse_optional_visibility_keyword()
    mutable = parser.parse_optional_keyword("mutable")
    name = parser.parse_symbol_name()
    properties: dict[str, Attribute] = {"sym_name": name}
    properties |= parser.parse_optional_attr_dict()
    if parser.parse_optional_punctuation("="):
        properties["initial_value"] = parser.parse_attribute()
    if parser.parse_optional_punctuation(":"):
        properties["type"] = parser.parse_type()
    if mutable is not None:
        properties["is_mutable"] = StringAttr("")
    return kind.create(properties=properties)


def _load(parser: Parser, kind: type[Operation]) -> Operation:
    """``util.global.load [immutable] @name : type``."""
    parser.parse_optional_keyword("immutable")
    name = parser.parse_symbol_name()
    attributes = parser.parse_optional_attr_dict()
    parser.parse_punctuation(":")
    properties = {"global": SymbolRefAttr(name), **attributes}
    return kind.create(result_types=[parser.parse_type()], properties=properties)


def _assertion(parser: Parser, kind: type[Operation]) -> Operation:
    """``cf.assert %condition, "message"``."""
    condition = parser.resolve_operand(parser.parse_unresolved_operand(), i1)
    parser.parse_punctuation(",")
    message = StringAttr(parser.parse_str_literal())
    return kind.create(operands=[condition], properties={"msg": message})


def _function(parser: Parser, kind: type[Operation]) -> Operation:
    """``util.func public @name(%a: type) -> type { body }``."""
    visibility = parser.parse_optional_visibility_keyword()
    name, inputs, outputs, region, _, _, _ = parse_func_op_like(
        parser, reserved_attr_names=("sym_name", "function_type", "sym_visibility")
    )
    properties: dict[str, Attribute] = {
        "sym_name": StringAttr(name),
        "function_type": FunctionType.from_lists(inputs, outputs),
    }
    if visibility is not None:
        properties["sym_visibility"] = visibility
    return kind.create(properties=properties, regions=[region])


def _return(parser: Parser, kind: type[Operation]) -> Operation:
    """``util.return %a, %b : type, type``."""
    return kind.create(operands=_with_types(parser))


def _import(parser: Parser, kind: type[Operation]) -> Operation:
    """``hal.tensor.import wait(%fence) => %view "name" : !hal.buffer_view -> tensor``."""
    _fence(parser, "wait")
    return _boundary(parser, kind)


def _fence(parser: Parser, word: str) -> None:
    if parser.parse_optional_keyword(word):
        parser.parse_punctuation("(")
        parser.parse_unresolved_operand()
        parser.parse_punctuation(")")
        parser.parse_punctuation("=")
        parser.parse_punctuation(">")


def _barrier(parser: Parser, kind: type[Operation]) -> Operation:
    """``hal.tensor.barrier join(%a, %b : type, type) => %fence : !hal.fence``."""
    operands = _operands(parser, "join")
    parser.parse_punctuation("=")
    parser.parse_punctuation(">")
    parser.parse_unresolved_operand()
    parser.parse_punctuation(":")
    parser.parse_type()
    return kind.create(operands=operands, result_types=[value.type for value in operands])


def _export(parser: Parser, kind: type[Operation]) -> Operation:
    """``hal.tensor.export %a "name" : type -> !hal.buffer_view``."""
    return _boundary(parser, kind)


def _boundary(parser: Parser, kind: type[Operation]) -> Operation:
    """``%a "name" : type -> type``: a tensor that comes from a caller or goes to one."""
    value = parser.parse_unresolved_operand()
    given = parser.parse_optional_str_literal()
    parser.parse_punctuation(":")
    operand = parser.resolve_operand(value, parser.parse_type())
    parser.parse_punctuation("->")
    properties = {} if given is None else {"name": StringAttr(given)}
    return kind.create(
        operands=[operand], result_types=[parser.parse_type()], properties=properties
    )


def _runtime(parser: Parser, kind: type[Operation]) -> Operation:
    """An operation of IREE's runtime on one line, which says nothing of what is computed."""
    text = parser._current_token.span.input.content  # pyright: ignore[reportPrivateUsage]
    begin, end = text.rfind("\n", 0, parser.pos) + 1, text.find("\n", parser.pos)
    bound = "=" in text[begin : parser.pos]
    last = max(text.rfind("->", begin, end) + 2, text.rfind(" : ", begin, end) + 3)
    parser._resume_from(last if bound else end)  # pyright: ignore[reportPrivateUsage]
    return kind.create(result_types=[parser.parse_type()] if bound else [])


def _plain(parser: Parser, kind: type[Operation]) -> Operation:
    """``arith.remf %a, %b : type``: operands and result are of one type."""
    position = parser.pos
    names = parser.parse_comma_separated_list(
        Parser.Delimiter.NONE, parser.parse_unresolved_operand
    )
    attributes = parser.parse_optional_attr_dict()
    parser.parse_punctuation(":")
    one = parser.parse_type()
    operands = parser.resolve_operands(names, [one] * len(names), position)
    return kind.create(operands=operands, result_types=[one], properties=attributes)


OTHER_WAYS = ("stablehlo.", "chlo.", "mhlo.", "tosa.", "torch.")
"""Dialects that their own tools lower to linear algebra."""
LOWER = (
    "expected linear algebra (linalg on tensors), found a dialect that is lowered to it: "
    "stablehlo-opt --stablehlo-legalize-to-linalg, mlir-opt with the pipeline tosa-to-linalg, "
    'or output_type="linalg-on-tensors" of torch-mlir'
)


def _other_way(parser: Parser, kind: type[Operation]) -> Operation:
    parser.raise_error(LOWER)


def _unknown(parser: Parser, kind: type[Operation]) -> Operation:
    parser.raise_error(
        "an operation whose syntax is not known here: expected linalg on tensors with arith, math "
        "and func; print other dialects in generic form (--mlir-print-op-generic)"
    )


def _with_types(parser: Parser) -> list[SSAValue]:
    """``%a, %b : type, type``, or nothing."""
    position = parser.pos
    names = parser.parse_optional_undelimited_comma_separated_list(
        parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
    )
    if not names:
        return []
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_type)
    return list(parser.resolve_operands(names, types, position))


def _generate(parser: Parser, kind: type[Operation]) -> Operation:
    """``tensor.generate [%sizes] { body } : type``."""
    region = parser.parse_region()
    attributes = parser.parse_optional_attr_dict()
    parser.parse_punctuation(":")
    return kind.create(result_types=[parser.parse_type()], regions=[region], properties=attributes)


SYNTAX: dict[str, Syntax] = {
    "tensor.generate": _generate,
    "hal.tensor.import": _import,
    "hal.tensor.barrier": _barrier,
    "hal.tensor.export": _export,
    "util.func": _function,
    "util.return": _return,
    "util.global": _global,
    "util.global.load": _load,
    "cf.assert": _assertion,
}
