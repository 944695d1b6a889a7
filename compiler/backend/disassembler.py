"""
Disassembler: machine code to operations on `riscv` and `xpulp`, the inverse of the assembler.

A function becomes one block with labels. All its instructions read the registers that
`get_register` names at its head: a value is called what its register is called, and whoever edits
the text needs no other names. Instructions for which there is no operation are `.word`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from xdsl.dialects import riscv as riscv_dialect
from xdsl.dialects import riscv_func, rv32
from xdsl.dialects.builtin import IntegerAttr, IntegerType, StringAttr
from xdsl.dialects.riscv import abstract_ops as shapes
from xdsl.dialects.riscv import ops as riscv
from xdsl.dialects.riscv.attrs import FastMathFlagsAttr, LabelAttr, i12, i20, si12, ui5
from xdsl.dialects.riscv.registers import FloatRegisterType, IntRegisterType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation

from softex_mlir.arithmetic import signed32
from softex_mlir.compiler.backend.assembler import load_immediate
from softex_mlir.compiler.backend.print_assembly import TRUNCATING
from softex_mlir.dialects.xpulp import XPulp
from softex_mlir.dialects.xpulp_base import TiedInstruction
from softex_mlir.isa_sim.isa import encoding as isa
from softex_mlir.isa_sim.isa.encoding import F_NAMES, X_NAMES, Decoded
from softex_mlir.isa_sim.isa.formats import ROUNDING_MODES

INSTRUCTION_BYTES = 4
"""Of every instruction that the assembler makes."""

_KEYS = {"rs": "rs1", "count": "rs1", "accumulator": "rd", "rs1_out": "rs1"}
"""Operands and results of operations that the instruction table names otherwise."""
_TARGETS = ("B", "J", "HLS", "HLSI")
"""Formats whose immediate is the distance to an instruction."""
_ZERO, _RA = X_NAMES.index("zero"), X_NAMES.index("ra")

Register = IntRegisterType | FloatRegisterType
Reader = Callable[[Register, bool], SSAValue]
"""What reads a register, for the first or for another operand of an instruction."""


@dataclass(frozen=True)
class Extent:
    """A function in the code: its symbol, and byte addresses of its start and behind its end."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Word:
    """One instruction, or what is in its place; `decoded` is None if that is none."""

    address: int
    word: int
    decoded: Decoded | None

    @property
    def target(self) -> int | None:
        """The address that it refers to."""
        if self.decoded is None or self.decoded.instruction.format not in _TARGETS:
            return None
        return self.address + self.decoded.operands["imm"]


def words_of(code: bytes, base: int) -> list[Word]:
    """The instructions of code at an address. Compressed ones are none here: nobody makes them."""
    found: list[Word] = []
    for offset in range(0, len(code), INSTRUCTION_BYTES):
        word = int.from_bytes(code[offset : offset + INSTRUCTION_BYTES], "little")
        decoded = isa.decode(word)
        whole = decoded is not None and decoded.length == INSTRUCTION_BYTES
        found.append(Word(base + offset, word, decoded if whole else None))
    return found


def disassemble(
    words: Sequence[Word],
    functions: Sequence[Extent],
    names: Mapping[int, str],
    comments: Mapping[int, str],
) -> list[riscv_func.FuncOp | riscv.AssemblySectionOp]:
    """The functions of code as operations.

    Args:
        functions: in order, one behind the other, all of the code.
        names: addresses outside the code that two instructions may load, by the symbol to write.
        comments: what to remark on instructions, by address.
    """
    labels = _labels(words, functions)
    by_address = {word.address: index for index, word in enumerate(words)}
    made: list[riscv_func.FuncOp | riscv.AssemblySectionOp] = []
    for function in functions:
        first = by_address.get(function.start, len(words))
        count = (function.end - function.start) // INSTRUCTION_BYTES
        lifted = _Function(words[first : first + count], labels, names, comments)
        last = function is functions[-1] and function.end in labels
        made.append(lifted.lift(function.name, labels[function.end] if last else None))
    return made


def _labels(words: Sequence[Word], functions: Sequence[Extent]) -> dict[int, str]:
    """Names of the addresses within the code that instructions refer to."""
    if not words:
        return {}
    within = range(words[0].address, words[-1].address + INSTRUCTION_BYTES + 1, INSTRUCTION_BYTES)
    wanted = sorted({w.target for w in words if w.target is not None and w.target in within})
    labels: dict[int, str] = {}
    for function in functions:
        inside = [a for a in wanted if function.start <= a < function.end]
        labels |= {a: f".L{function.name}_{n}" for n, a in enumerate(inside, 1)}
    return labels | {a: f".L{functions[-1].name}_end" for a in wanted if a not in labels}


@dataclass
class _Function:
    """One function on its way."""

    words: Sequence[Word]
    labels: Mapping[int, str]
    names: Mapping[int, str]
    comments: Mapping[int, str]
    registers: dict[tuple[Register, bool], SSAValue] = field(default_factory=lambda: {})

    def lift(self, name: str, end: str | None) -> riscv_func.FuncOp | riscv.AssemblySectionOp:
        """The function as an operation, a section if it does not end with a return.

        `end` is the label behind it.
        """
        body: list[Operation] = []
        position = 0
        while position < len(self.words):
            word = self.words[position]
            if word.address in self.labels:
                body.append(riscv.LabelOp(self.labels[word.address]))
            op, length = self.next(position)
            if (comment := self.comments.get(word.address)) is not None:
                op.attributes["comment"] = StringAttr(comment)
            body.append(op)
            position += length
        if end is not None:
            body.append(riscv.LabelOp(end))
        owners = (value.owner for value in self.registers.values())
        heads = [op for op in owners if isinstance(op, Operation)]
        if body and isinstance(body[-1], riscv_func.ReturnOp):
            return riscv_func.FuncOp(name, Region(Block([*heads, *body])), ((), ()))
        symbol = [
            riscv.DirectiveOp(".globl", name),
            riscv.DirectiveOp(".type", f"{name}, @function"),
            riscv.LabelOp(name),
        ]
        return riscv.AssemblySectionOp(".text", Region(Block([*heads, *symbol, *body])))

    def next(self, position: int) -> tuple[Operation, int]:
        """The operation at a place, and how many instructions it stands for."""
        word = self.words[position]
        if word.decoded is None:
            return _raw(word), 1
        following = self.words[position + 1] if position + 1 < len(self.words) else None
        constant = self.constant(word, following)
        if constant is not None:
            return constant
        if _is_return(word.decoded) and following is None:
            return riscv_func.ReturnOp(), 1
        op = _short(word.decoded, self.value)
        if op is None:
            op = _operation(word, self.value, self.labels)
        return op or _raw(word), 1

    def constant(self, word: Word, following: Word | None) -> tuple[Operation, int] | None:
        """A constant, if one or two instructions are what the assembler makes of it."""
        assert word.decoded is not None
        first, operands = word.decoded.instruction.name, word.decoded.operands
        if first == "addi" and operands["rs1"] == _ZERO and operands["rd"] != _ZERO:
            return _li(operands["rd"], operands["imm"]), 1
        if first != "lui":
            return None
        rd, value = operands["rd"], operands["imm"] << 12
        if following is not None and following.address not in self.labels:
            low = following.decoded
            if (
                low is not None
                and low.instruction.name == "addi"
                and (low.operands["rd"], low.operands["rs1"]) == (rd, rd)
            ):
                both = value + low.operands["imm"]
                if (symbol := self.names.get(both & 0xFFFFFFFF)) is not None:
                    return _li(rd, symbol), 2
                if len(load_immediate("", both)) == 2:
                    return _li(rd, both), 2
        made = load_immediate("", value)
        return (_li(rd, value), 1) if [name for name, _ in made] == ["lui"] else None

    def value(self, register: Register, again: bool = False) -> SSAValue:
        """What reads a register; `again` where a tied operand does, and must be the only one."""
        key = register, again
        if key not in self.registers:
            op = (
                rv32.GetRegisterOp(register)
                if isinstance(register, IntRegisterType)
                else riscv.GetFloatRegisterOp(register)
            )
            op.res.name_hint = register.register_name.data + ("_too" if again else "")
            self.registers[key] = op.res
        return self.registers[key]


def _li(rd: int, value: int | str) -> rv32.LiOp:
    if isinstance(value, int):
        value = signed32(value)
    return rv32.LiOp(value, rd=_integer(rd))


def _is_return(decoded: Decoded) -> bool:
    return decoded.instruction.name == "jalr" and decoded.operands == {
        "rd": _ZERO,
        "imm": 0,
        "rs1": _RA,
    }


def _raw(word: Word) -> Operation:
    return riscv.DirectiveOp(".word", f"{word.word:#010x}")


@cache
def _integer(number: int) -> IntRegisterType:
    return IntRegisterType.from_name(X_NAMES[number])


@cache
def _float(number: int) -> FloatRegisterType:
    return FloatRegisterType.from_name(F_NAMES[number])


def _register(kind: str, number: int) -> Register:
    return _integer(number) if kind == "x" else _float(number)


def _short(decoded: Decoded, value: Reader) -> Operation | None:
    """The pseudo-instruction that people write, where there is one."""
    operands = decoded.operands
    match decoded.instruction.name:
        case "addi" if not any(operands.values()):
            return riscv.NopOp()
        case "addi" if operands["imm"] == 0:
            return riscv.MVOp(value(_integer(operands["rs1"]), False), rd=_integer(operands["rd"]))
        case "fsgnj.s" if operands["rs1"] == operands["rs2"]:
            return riscv.FMVOp(value(_float(operands["rs1"]), False), rd=_float(operands["rd"]))
        case _:
            return None


@cache
def _classes() -> dict[str, type[IRDLOperation]]:
    """The operations by the name of their instruction."""
    return {
        cls.name.partition(".")[2]: cls
        for dialect in (riscv_dialect.RISCV, rv32.RV32, XPulp)
        for cls in dialect.operations
        if issubclass(cls, shapes.RISCVInstruction)
    }


def _operation(word: Word, value: Reader, labels: Mapping[int, str]) -> Operation | None:
    """The operation of an instruction; None if none says all of it."""
    decoded = word.decoded
    assert decoded is not None
    row, operands = decoded.instruction, decoded.operands
    name = "j" if row.name == "jal" and operands["rd"] == _ZERO else row.name
    cls = _classes().get(name)
    if cls is None or row.mnemonic != row.name or not _rounds_as_printed(cls, decoded):
        return None
    if word.target is not None and word.target not in labels:
        return None
    fields = row.layout.fields
    definition = cls.get_irdl_definition()

    def register(name: str) -> Register:
        key = _KEYS.get(name, name)
        return _register(fields[key].kind, operands[key])

    reads = [register(name) for name, _ in definition.operands]
    tied = issubclass(cls, TiedInstruction)
    return cls.create(
        operands=[value(r, tied and r in reads[:i]) for i, r in enumerate(reads)],
        result_types=[register(name) for name, _ in definition.results],
        attributes=dict(_attributes(cls, word, labels)),
    )


def _rounds_as_printed(cls: type[IRDLOperation], decoded: Decoded) -> bool:
    """Whether the rounding mode is the one that the assembler takes for this operation."""
    if "rm" not in decoded.operands:
        return True
    printed = ROUNDING_MODES.index("rtz") if issubclass(cls, TRUNCATING) else None
    if printed is None:
        printed = isa.default_rounding(decoded.instruction)
    return decoded.operands["rm"] == printed


def _attributes(
    cls: type[IRDLOperation], word: Word, labels: Mapping[int, str]
) -> Iterator[tuple[str, Attribute]]:
    assert word.decoded is not None
    operands = word.decoded.operands
    known = cls.get_irdl_definition().attributes
    if "immediate" in known or "offset" in known:
        name = "immediate" if "immediate" in known else "offset"
        if word.target is not None:
            yield name, LabelAttr(labels[word.target])
        else:
            yield name, _immediate(cls, operands["imm"])
    elif "end" in known:
        assert word.target is not None
        yield "end", LabelAttr(labels[word.target])
    for name in ("csr", "loop", "count"):
        if name in known:
            yield name, IntegerAttr(operands[name], IntegerType(32))
    if "rd" in known:
        yield "rd", _integer(operands["rd"])
    if "fastmath" in known:
        yield "fastmath", FastMathFlagsAttr("none")


def _immediate(cls: type[IRDLOperation], value: int) -> Attribute:
    if issubclass(cls, shapes.RdImmIntegerOperation):
        return IntegerAttr((value + (1 << 19) & 0xFFFFF) - (1 << 19), i20)
    if issubclass(cls, shapes.RdRsImmShiftOperation | shapes.CsrBitwiseImmOperation):
        return IntegerAttr(value, ui5)
    if issubclass(cls, shapes.RsRsImmFloatOperation | shapes.RdRsImmFloatOperation):
        return IntegerAttr(value, i12)
    if issubclass(cls, shapes.CsrReadWriteImmOperation):
        return IntegerAttr(value, IntegerType(32))
    return IntegerAttr(value, si12)
