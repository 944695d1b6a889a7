"""Directives for declarative assembly formats."""

from __future__ import annotations

from xdsl.ir import Block
from xdsl.irdl import IRDLOperation
from xdsl.irdl.declarative_assembly_format import (
    CustomDirective,
    ParsingState,
    PrintingState,
    RegionVariable,
    irdl_custom_directive,
)
from xdsl.parser import Parser
from xdsl.printer import Printer


@irdl_custom_directive
class Body(CustomDirective):
    """`custom<Body>($region)`: a region of one block without arguments, `{}` when it is empty."""

    region: RegionVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        """Parse the region; braces without anything between them hold an empty block."""
        region = parser.parse_region()
        if not region.blocks:
            region.add_block(Block())
        self.region.set(state, region)

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        """Print the region without a block label."""
        state.print_whitespace(printer)
        printer.print_region(self.region.get(op), print_empty_block=False)
