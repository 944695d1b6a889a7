"""Closed-form cycles of jobs, transfers and core code, for choosing tiles and for reports."""

from __future__ import annotations

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.bodies.matrix import GEMM_COLUMNS, gemm_blocks
from softex_mlir.compiler.row_operations.rows import Binary, MulAdd, Rotary, Softmax, Unary
from softex_mlir.compiler.schedule.kernels.kernel import team_size
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import softex_jobs
from softex_mlir.isa_sim.units.dma import streaming_cycles
from softex_mlir.isa_sim.units.redmule import array_cycles

REDMULE_COMMAND_CYCLES = 70
"""Clear, six register writes, trigger, wake-up and counter update between two jobs."""

DMA_COMMAND_CYCLES = 60
"""Programming a transfer and being woken at its end."""

DMA_QUEUE_CYCLES = 800
"""What a load waits for others of its direction on average: some pieces of a streamed operand."""

RESIDUAL_PIECE_CYCLES = 1200
"""A piece of a residual, from the request to the addition, while weights stream in the same
direction; on simulated ViT-base."""

SHARE_CONTENTION = 1.1
"""How much longer W of a tile and a share of the next X take than their transfers alone."""

DMA_CONTENTION = 1.2
"""How much longer a transfer takes while RedMulE works; measured on simulated ViT-base."""

TILE_STALL_CYCLES = 80
"""RedMulE's loss a tile while every access meets the DMA's: a straight line through what
`isa_sim.contention` charges launches of ViT-base, which it meets within 3 %."""

PIECE_CYCLES = 80
"""Waiting for a piece of a tile, meeting at a barrier, counting it."""

SOFTEX_PIECE_CYCLES = 120
"""Two more barriers and a job's programming; the job itself runs beside the cores."""

SOFTEX_COMMAND_CYCLES = 40

CHUNK_COMMAND_CYCLES = 44
"""Programming a job on a chunk of a row, by the leader while the unit does the one before."""

ALONE_CYCLES = 22
"""From the end of a job to the start of one that waited for it: waking up, STATUS, COMMANDS and
the trigger."""

TRANSPOSE_CYCLES = 1.6
REPEAT_CYCLES = 0.51
ACCUMULATE_CYCLES = 2.7
SOFTMAX_CYCLES = Softmax.ON_CORES
"""A core needs for an element, measured on rows of 768 (softmax: 208); what rows take by function
is in `compiler.row_operations`."""

GEMM_STEP_CYCLES = 34.5
WIDE_STEP_CYCLES = 21.5
GEMM_BLOCK_CYCLES = 120
"""A step along the inner dimension of a block of a product on the cores, with sums in bf16 and in
f32; the rest of a block."""

CORE_CONTENTION = 1.1
"""How much longer products on the cores take while RedMulE works."""

CORE_JOB_CYCLES = 150
"""Waiting for the operands of a product on the cores, and for each other after it."""


def gemm_job_cycles(machine: Machine, m: int, n: int, k: int, *, wide: bool = False) -> int:
    """One RedMulE job with its programming; on the cores if there is no RedMulE, `wide` with sums
    in f32."""
    unit = machine.redmule
    if unit is None:
        blocks = -(-gemm_blocks(m, k, wide=wide) // (machine.cluster.cores - 2))
        step = WIDE_STEP_CYCLES if wide else GEMM_STEP_CYCLES
        return int(blocks * (n * step + GEMM_BLOCK_CYCLES)) + CORE_JOB_CYCLES
    return array_cycles(m, n, k, unit) + unit.tiler_cycles + REDMULE_COMMAND_CYCLES


FEW_ROWS = 8
"""Rows of X up to which a product waits for the DMA. Then W is fetched before X, which is there in
no time, and tiles are those whose jobs get least in the DMA's way."""


def keeps_pace(machine: Machine, k: int) -> bool:
    """Whether RedMulE goes through the banks as fast as the DMA while it reads the rows of a W of
    k columns, one every P + 1 cycles. Once one has waited for the other they never meet again."""
    unit, dma, banks = machine.redmule, machine.dma, machine.cluster.tcdm_banks
    if unit is None:
        return False
    moved = (unit.pipeline_registers + 1) * dma.bytes_per_cycle
    return (2 * k - moved) % (4 * banks) == 0


def denied_beats(machine: Machine, m: int, n: int, k: int) -> int:
    """Cycles that a RedMulE job takes from the DMA: an access to X, W, Y or Z meets a beat with the
    probability that follows from the banks it takes."""
    unit, banks = machine.redmule, machine.cluster.tcdm_banks
    if unit is None:
        return 0
    met = min(1.0, (unit.tile_columns // 2 + 1) / banks)
    rows_of_w = banks // 2 if keeps_pace(machine, k) else n
    accesses = rows_of_w + -(-n // unit.tile_columns) * m + 2 * unit.rows
    return int(-(-k // unit.tile_columns) * accesses * met)


def odd_rows_cycles(machine: Machine, rows: int, n: int, k: int) -> int:
    """`rows` of a product on the cores, at most :data:`GEMM_ROWS`, beside RedMulE."""
    step = CORE_CONTENTION * (GEMM_COLUMNS // 2 * (rows + 1) + rows)
    blocks = -(-gemm_blocks(rows, k) // team_size(machine))
    return int(blocks * (n * step + GEMM_BLOCK_CYCLES)) + CORE_JOB_CYCLES


def streaming_slowdown(machine: Machine, n: int) -> float:
    """How much longer RedMulE takes while a DMA channel streams, for an inner size n.

    The DMA's beats deny a wide access with a probability that follows from the banks both take.
    RedMulE's buffers hide the denials but for the first and last accesses of an output tile.
    """
    unit = machine.redmule
    if unit is None:
        return 1.0
    denied = min(0.9, (unit.tile_columns // 2 + 2) / machine.cluster.tcdm_banks)
    return 1.0 + TILE_STALL_CYCLES * denied / ((unit.pipeline_registers + 1) * n)


def dma_box_cycles(machine: Machine, run_bytes: int, runs: int) -> int:
    """A transfer of `runs` runs, programming and latency included; 0 for nothing."""
    if run_bytes == 0 or runs == 0:
        return 0
    dma, cluster = machine.dma, machine.cluster
    streaming = streaming_cycles(
        run_bytes,
        runs,
        runs == 1,
        dma.bytes_per_cycle,
        dma.burst_bytes,
        cluster.l2_latency_cycles,
        dma.outstanding,
    )
    return streaming + DMA_COMMAND_CYCLES


def core_cycles(machine: Machine, each: float, elements: int) -> int:
    """Core code that takes a core `each` cycles an element, shared by the team."""
    return int(elements * each / team_size(machine))


def epilogue_cycles(
    machine: Machine,
    activation: str,
    residual: bool,
    rows: int,
    columns: int,
    piece: int,
    *,
    sums: bool = False,
    affine: bool = False,
    rotary: bool = False,
) -> int:
    """Core code after a product of `rows` x `columns`, `piece` rows at a time. `sums`: partial sums
    are added in it, which :func:`partial_sum_cycles` counts; `affine`: it ends with a product and a
    sum; `rotary`: the residual turns heads."""
    if activation == "none" and not residual and not sums:
        return 0
    team = team_size(machine)
    elements = round_up(piece, team) * columns
    cycles = PIECE_CYCLES
    if activation != "none":
        function = Unary(activation)
        cycles += core_cycles(machine, function.core_cycles(machine), elements)
        cycles += SOFTEX_PIECE_CYCLES if function.sums_on_softex(machine) else 0
    if residual:
        combined = Rotary(columns) if rotary else Binary("add")
        cycles += core_cycles(machine, combined.core_cycles(machine), elements)
    if affine:
        cycles += core_cycles(machine, MulAdd().core_cycles(machine), elements)
    return -(-rows // piece) * cycles


def partial_sum_cycles(machine: Machine, rows: int, columns: int) -> int:
    """Core code that adds a partial sum of a tile to those before."""
    elements = round_up(rows, team_size(machine)) * columns
    return core_cycles(machine, ACCUMULATE_CYCLES, elements) + PIECE_CYCLES


def softex_sum_cycles(machine: Machine, elements: int) -> int:
    """A sum-of-exponentials job."""
    unit = machine.softex
    if unit is None:
        return 0
    return softex_jobs.soe_cycles(elements, unit.terms, machine)


def softmax_cycles(machine: Machine, rows: int, columns: int) -> int:
    """Softmax of `rows` rows, queued on SoftEx or on the cores."""
    unit = machine.softex
    if unit is None:
        return core_cycles(machine, SOFTMAX_CYCLES, rows * columns)
    job = softex_jobs.softmax_cycles(columns, machine) + unit.queued_start_cycles
    return rows * job + SOFTEX_COMMAND_CYCLES


def chunk_job_cycles(job: int, *, alone: bool = False) -> int:
    """A job on a chunk of a row, one of many: as long as the leader takes to program the next.

    `alone`: the next job is started when the unit is idle.
    """
    return max(job + ALONE_CYCLES if alone else job, CHUNK_COMMAND_CYCLES)
