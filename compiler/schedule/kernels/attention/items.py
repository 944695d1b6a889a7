"""What both attention kernels share: heads, blocks of queries, operands' pitches."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.kernel import Kernel, Operand
from softex_mlir.isa_sim.units.redmule import is_computed
from softex_mlir.isa_sim.units.softex_jobs import padded_length


@dataclass(frozen=True)
class AttentionItems(Kernel):
    """Attention of `queries` x `keys` tokens, `heads` heads of `size` (q, k) and `value_size`.

    An item is a block of queries of one head. Pitches are in elements, `offset` in bytes from the
    start of the TCDM.
    """

    queries: int
    keys: int
    heads: int
    size: int
    inner: int
    """Inner size of Q·Kᵀ: the head size padded with zeros."""
    value_size: int
    rows: int
    """Query rows of an item."""
    bias_per_query: bool
    q_pitch: int
    q_step: int
    """Columns from the queries of a head to those of the next."""
    v_pitch: int
    bias_pitch: int
    out_pitch: int
    out_step: int
    """Columns from the result of a head to that of the next."""
    offset: int
    key_heads: int
    """Heads of keys and values; each serves as many heads of queries."""
    bias_step: int
    """Columns from the bias of a head to that of the next; 0 if all have the same."""
    wide: bool
    """Whether sums of products are in f32, on the cores."""

    @property
    def group(self) -> int:
        """Heads of queries that share a head of keys and values."""
        return self.heads // self.key_heads

    @property
    def blocks(self) -> int:
        """Query blocks."""
        return -(-self.queries // self.rows)

    @property
    def items(self) -> int:
        """Heads times query blocks."""
        return self.heads * self.blocks

    @property
    def macs(self) -> int:
        """Multiply-accumulates of both products."""
        return self.heads * self.queries * self.keys * (self.size + self.value_size)

    @property
    def scratch(self) -> int:
        """Elements of L2 that a launch uses for itself."""
        return 0

    @abstractmethod
    def sizes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Rows, inner and columns of Q·Kᵀ and of P·V."""

    @property
    @abstractmethod
    def zeros(self) -> int:
        """Extent of the largest box of zeros."""

    def operands_around(self, keys: Operand, bias_columns: int) -> tuple[Operand, ...]:
        """L2 arguments: queries, the keys in the kernel's form, values, bias, zeros, result."""
        width = (self.heads - 1) * self.q_step + self.size
        values = (self.heads - 1) * self.out_step + self.value_size
        bias_rows = self.bias_pitch if self.bias_per_query else 0
        columns = self.heads * self.bias_step or bias_columns
        taken = (self.keys, self.key_heads * self.value_size)
        return (
            Operand("q_l2", (self.queries, width), (self.q_pitch, 1), "feed"),
            keys,
            Operand("v_l2", taken, (self.v_pitch, 1), "feed"),
            Operand("bias", (self.queries, columns), (bias_rows, 1), "feed"),
            Operand("zeros", (self.zeros, self.zeros), (0, 1), "feed"),
            Operand("out", (self.queries, values), (self.out_pitch, 1), "store"),
        )

    @property
    def is_computed(self) -> bool:
        """Whether the units get the products and the softmax of the scores right."""
        unit, softex = self.machine.redmule, self.machine.softex
        scores, weights = self.sizes()
        if softex is not None and scores[-1] != padded_length(softex, scores[-1]):
            return False
        return unit is None or (is_computed(*scores, unit) and is_computed(*weights, unit))

    @property
    def z_rows(self) -> int:
        """Rows of a result block in memory."""
        unit = self.machine.redmule
        return self.rows if unit is None or unit.masked_rows else round_up(self.rows, unit.rows)
