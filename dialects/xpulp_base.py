"""What the instructions of `xpulp` have in common: operand layouts, tied operands, their text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet

from xdsl.backend.register_allocatable import RegisterConstraints
from xdsl.dialects.builtin import IntegerAttr
from xdsl.dialects.riscv import Registers
from xdsl.dialects.riscv.abstract_ops import (
    AssemblyInstructionArg,
    RdRsOperation,
    RdRsRsOperation,
    RISCVCustomFormatOperation,
    RISCVInstruction,
)
from xdsl.dialects.riscv.attrs import (
    parse_immediate_value,
    print_immediate_value,
    si12,
)
from xdsl.dialects.riscv.registers import FloatRegisterType, IntRegisterType
from xdsl.ir import Attribute, Operation, OpResult, SSAValue
from xdsl.irdl import (
    attr_def,
    operand_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure
from xdsl.utils.exceptions import VerifyException


def _verify_tied(op: Operation, operand: SSAValue, result: SSAValue) -> None:
    if operand.type != result.type:
        raise VerifyException(
            f"{op.name}: the updated operand and its result must be one register, "
            f"found {operand.type} and {result.type}"
        )


class TiedInstruction(RISCVInstruction, ABC):
    """
    An instruction with an operand that it overwrites: `tied_operand` shares `tied_result`'s
    register.
    """

    @property
    @abstractmethod
    def tied_operand(self) -> SSAValue:
        """The operand whose register is overwritten."""

    @property
    @abstractmethod
    def tied_result(self) -> OpResult:
        """The result in the same register."""

    def get_register_constraints(self) -> RegisterConstraints:
        tied_in, tied_out = self.tied_operand, self.tied_result
        return RegisterConstraints(
            tuple(operand for operand in self.operands if operand is not tied_in),
            tuple(result for result in self.results if result is not tied_out),
            ((tied_in, tied_out),),
        )

    def verify_(self) -> None:
        _verify_tied(self, self.tied_operand, self.tied_result)


class BinaryFloat(RdRsRsOperation[FloatRegisterType, FloatRegisterType, FloatRegisterType], ABC):
    """rd, rs1, rs2 all float registers."""

    traits = traits_def(Pure())

    def __init__(self, rs1: Operation | SSAValue, rs2: Operation | SSAValue) -> None:
        super().__init__(rs1, rs2, rd=Registers.UNALLOCATED_FLOAT)


class CompareFloat(RdRsRsOperation[IntRegisterType, FloatRegisterType, FloatRegisterType], ABC):
    """rd an integer register, rs1 and rs2 float registers."""

    traits = traits_def(Pure())


class UnaryFloat(RdRsOperation[FloatRegisterType, FloatRegisterType], ABC):
    """rd and rs float registers."""

    traits = traits_def(Pure())

    def __init__(self, rs: Operation | SSAValue) -> None:
        super().__init__(rs, rd=Registers.UNALLOCATED_FLOAT)


class BinaryInteger(RdRsRsOperation[IntRegisterType, IntRegisterType, IntRegisterType], ABC):
    """rd, rs1, rs2 all integer registers."""

    traits = traits_def(Pure())


class UnaryInteger(RdRsOperation[IntRegisterType, IntRegisterType], ABC):
    """rd and rs integer registers."""

    traits = traits_def(Pure())

    def __init__(self, rs: Operation | SSAValue) -> None:
        super().__init__(rs, rd=Registers.UNALLOCATED_INT)


class AccumulateFloat(TiedInstruction, ABC):
    """A float instruction `name rd, rs1, rs2` that also reads rd."""

    accumulator = operand_def(FloatRegisterType)
    rs1 = operand_def(FloatRegisterType)
    rs2 = operand_def(FloatRegisterType)
    rd = result_def(FloatRegisterType)

    traits = traits_def(Pure())

    assembly_format = (
        "$accumulator `,` $rs1 `,` $rs2 attr-dict `:` functional-type(operands, results)"
    )

    def __init__(
        self,
        accumulator: Operation | SSAValue,
        rs1: Operation | SSAValue,
        rs2: Operation | SSAValue,
        *,
        rd: FloatRegisterType = Registers.UNALLOCATED_FLOAT,
    ) -> None:
        super().__init__(operands=[accumulator, rs1, rs2], result_types=[rd])

    @property
    def tied_operand(self) -> SSAValue:
        return self.accumulator

    @property
    def tied_result(self) -> OpResult:
        return self.rd

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        return self.rd, self.rs1, self.rs2


class PostIncrementLoad(RISCVCustomFormatOperation, TiedInstruction, ABC):
    """`name rd, (rs1), imm`: rd = memory[rs1]; rs1 += imm (bytes, 12 bits signed)."""

    rs1 = operand_def(IntRegisterType)
    rd = result_def(IntRegisterType)
    rs1_out = result_def(IntRegisterType)
    immediate = attr_def(IntegerAttr)

    traits = traits_def(MemoryReadEffect())

    def __init__(self, rs1: Operation | SSAValue, immediate: int | IntegerAttr) -> None:
        if isinstance(immediate, int):
            immediate = IntegerAttr(immediate, si12)
        super().__init__(
            operands=[rs1],
            result_types=[Registers.UNALLOCATED_INT, Registers.UNALLOCATED_INT],
            attributes={"immediate": immediate},
        )

    @property
    def tied_operand(self) -> SSAValue:
        return self.rs1

    @property
    def tied_result(self) -> OpResult:
        return self.rs1_out

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        assert isinstance(self.rs1.type, IntRegisterType)
        return self.rd, f"({self.rs1.type.register_name.data})", self.immediate

    @classmethod
    def custom_parse_attributes(cls, parser: Parser) -> dict[str, Attribute]:
        return {"immediate": parse_immediate_value(parser, si12)}

    def custom_print_attributes(self, printer: Printer) -> AbstractSet[str]:
        printer.print_string(", ")
        print_immediate_value(printer, self.immediate)
        return {"immediate"}


class PostIncrementStore(RISCVCustomFormatOperation, TiedInstruction, ABC):
    """`name rs2, (rs1), imm`: memory[rs1] = rs2; rs1 += imm (bytes, 12 bits signed)."""

    rs1 = operand_def(IntRegisterType)
    rs2 = operand_def(IntRegisterType)
    rs1_out = result_def(IntRegisterType)
    immediate = attr_def(IntegerAttr)

    traits = traits_def(MemoryWriteEffect())

    def __init__(
        self,
        rs1: Operation | SSAValue,
        rs2: Operation | SSAValue,
        immediate: int | IntegerAttr,
    ) -> None:
        if isinstance(immediate, int):
            immediate = IntegerAttr(immediate, si12)
        super().__init__(
            operands=[rs1, rs2],
            result_types=[Registers.UNALLOCATED_INT],
            attributes={"immediate": immediate},
        )

    @property
    def tied_operand(self) -> SSAValue:
        return self.rs1

    @property
    def tied_result(self) -> OpResult:
        return self.rs1_out

    def assembly_line_args(self) -> tuple[AssemblyInstructionArg, ...]:
        assert isinstance(self.rs1.type, IntRegisterType)
        return self.rs2, f"({self.rs1.type.register_name.data})", self.immediate

    @classmethod
    def custom_parse_attributes(cls, parser: Parser) -> dict[str, Attribute]:
        return {"immediate": parse_immediate_value(parser, si12)}

    def custom_print_attributes(self, printer: Printer) -> AbstractSet[str]:
        printer.print_string(", ")
        print_immediate_value(printer, self.immediate)
        return {"immediate"}
