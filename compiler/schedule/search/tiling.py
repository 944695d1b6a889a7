"""Choosing tiles: rows of a block, columns of a tile, inner chunk, under the TCDM's size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.row_operations.unary import sums_on_softex
from softex_mlir.compiler.schedule.kernels.emitter import PIECE_BYTES
from softex_mlir.compiler.schedule.kernels.kernel import team_size
from softex_mlir.compiler.schedule.kernels.linear.geometry import W_SLOTS
from softex_mlir.compiler.schedule.search.capacity import LARGER, CapacityError
from softex_mlir.compiler.schedule.search.costs import (
    DMA_CONTENTION,
    FEW_ROWS,
    keeps_pace,
)
from softex_mlir.compiler.schedule.search.pins import COLUMN_UNIT, check_pins
from softex_mlir.compiler.schedule.search.tile_costs import LATE_JOBS, TileCosts, row_blocks
from softex_mlir.compiler.schedule.search.tiles import LinearShape, SharedX, Sizes, Slots, Tile
from softex_mlir.compiler.weight_layout import ALIGNMENT
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.redmule import is_computed

MAX_TILE = 512
COLUMNS = (32, 64, 96, 128, 160, 192, 256, 320, 384, 512)
"""Widths of a tile to try."""

MOST_W_SLOTS = 4
"""More do not shorten a step of a decoder: attention waits for no W."""

SLOTS_TRIED = 5
"""Sizes of slots in which all products of an inner size get tiles: those that suit the largest."""

MOST_PIECES = 48
"""Transfers of W that a chunk of several partial sums is written out as: each takes `dma_in` two or
three registers or words of its stack, and 64 were more than it has."""

MOST_TILES = 12
"""Tiles of RedMulE's rows in a block, at most."""

RINGS = (2, 4, 6, 8)
"""Slots for partial sums to try."""


GROUPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
"""Tiles of a group to try."""


def _is_long(shape: LinearShape, n: int, k: int) -> bool:
    """Whether the code of a chunk of n inner values, several partial sums, is too long."""
    parts = n // shape.chunk
    return parts > 1 and parts * -(-2 * shape.chunk * k // PIECE_BYTES) > MOST_PIECES


@dataclass(frozen=True)
class _Candidates:
    """Tiles, the slots they need (in bytes also as rows of an array), and their cycles, -1 where
    nobody asked."""

    tiles: list[Tile]
    sizes: list[Sizes]
    needs: npt.NDArray[np.int64]
    cycles: npt.NDArray[np.int64]

    @staticmethod
    def of(tiles: list[Tile], sizes: list[Sizes]) -> _Candidates:
        needs = [(size.z, size.x, size.w, size.epilogue, size.partial) for size in sizes]
        return _Candidates(
            tiles, sizes, np.array(needs, np.int64).reshape(-1, 5), np.full(len(tiles), -1)
        )

    def under(self, caps: Sizes) -> npt.NDArray[np.intp]:
        """Places of the tiles that fit slots."""
        limits = (caps.z, caps.x, caps.w, caps.epilogue, caps.partial)
        return np.flatnonzero((self.needs <= limits).all(axis=1))


def column_widths(machine: Machine) -> Sequence[int]:
    """Widths of a tile to try: such that RedMulE's are filled among them."""
    width = ALIGNMENT if machine.redmule is None else machine.redmule.tile_columns
    if width % ALIGNMENT == 0 or ALIGNMENT % width == 0:
        return COLUMNS
    step = math.lcm(width, COLUMN_UNIT)
    return sorted({*COLUMNS, *range(step, MAX_TILE + 1, step)})


def epilogue_piece(machine: Machine, activation: str, piece: int, columns: int) -> int:
    """Rows of `columns` an epilogue handles at a time: one more where SoftEx would drop their sums
    of exponentials, a job of exactly one beat."""
    softex = machine.softex
    if softex is None or softex.masked_tail or not sums_on_softex(activation, machine):
        return piece
    return piece + (piece * columns == softex.lanes)


def _leaders(shapes: Sequence[LinearShape]) -> list[LinearShape]:
    """Products that slots are tried for: the largest one, and the largest one with partial sums, as
    the slots of one without have no room for a ring."""
    split = next((shape for shape in shapes if shape.splits > 1), shapes[0])
    return list(dict.fromkeys((shapes[0], split)))


class LinearSearch:
    """Finds one set of slot sizes and a tile for every shape."""

    def __init__(
        self,
        machine: Machine,
        shapes: Iterable[LinearShape],
        budget: int,
        overrides: Mapping[str, Mapping[str, int]] | None = None,
        between: Mapping[int, int] | None = None,
        shared: Iterable[SharedX] = (),
    ):
        """`between` are the cycles of the cores' work between products, by its rows; `shared` are
        products of one X, as often as there are."""
        self.machine = machine
        self.costs = TileCosts(machine)
        self.sequence = list(shapes)
        self.counts = Counter(self.sequence)
        self.shapes = list(self.counts)
        self.budget = budget
        self.overrides = overrides or {}
        self.team = team_size(machine)
        self.between = between or {}
        self.shared = Counter(shared)
        self.unit = 8 if machine.redmule is None else machine.redmule.rows
        self.widths = column_widths(machine)
        every = range(COLUMN_UNIT, MAX_TILE + 1, COLUMN_UNIT)
        self.paced = sorted({*self.widths, *(k for k in every if keeps_pace(machine, k))})
        self._computed: dict[tuple[int, int, int], bool] = {}
        self._rooms: dict[tuple[int, ...], tuple[int, int, int]] = {}
        self._tables: dict[tuple[LinearShape, int | None], _Candidates] = {}
        both = any(s.residual and self.costs.on_softex(s) for s in self.shapes)
        some = any(s.residual or self.costs.on_softex(s) for s in self.shapes)
        self.epilogue_slots = 4 if both else 2 if some else 0

    def _is_computed(self, shape: LinearShape, m: int, n: int, k: int) -> bool:
        """Whether the jobs of tiles of these sizes are among those that RedMulE gets right."""
        unit = self.costs.machine_of(shape).redmule
        if unit is None:
            return True
        n = min(n, shape.chunk)
        for rows in self.costs.rows(shape.m, m):
            for columns in {k, shape.k % k} - {0}:
                key = (rows, n, columns)
                if key not in self._computed:
                    self._computed[key] = is_computed(*key, unit)
                if not self._computed[key]:
                    return False
        return True

    def _sizes(self, shape: LinearShape, tile: Tile) -> Sizes:
        ends = (self.costs.on_softex(shape), shape.affine, shape.rotary)
        key = (*ends, shape.m, shape.k, tile.m, tile.k, tile.piece)
        if (room := self._rooms.get(key)) is None:
            room = self._rooms[key] = self._room(shape, tile)
        largest, z_slot, piece = room
        return Sizes(
            z_slot * tile.group,
            z_slot,
            z_slot * shape.partials(tile),
            round_up(largest * tile.n * 2, 64),
            round_up(min(tile.n, shape.chunk) * tile.k * 2, 64),
            piece if self.epilogue_slots else 0,
            self.epilogue_slots,
        )

    def _room(self, shape: LinearShape, tile: Tile) -> tuple[int, int, int]:
        """Most rows of a block, bytes of a Z tile and of a piece of the epilogue."""
        blocks = self.costs.rows(shape.m, tile.m)
        largest = max(blocks)
        widths = {tile.k, shape.k % tile.k} - {0}
        pieces = {
            (rows, k): epilogue_piece(
                self.costs.machine_of(shape), shape.activation, min(tile.piece, rows), k
            )
            for rows in blocks
            for k in widths
        }
        z_rows = max(
            round_up(largest, self.unit),
            round_up(largest, tile.piece),
            *(round_up(rows, piece) for (rows, _), piece in pieces.items()),
        )
        # two rows more for each half of the ring hold the vectors of an affine end
        piece_elements = max(
            tile.piece * max(tile.k, 2 * shape.rotary),
            *((piece + shape.affine) * k for (_, k), piece in pieces.items()),
        )
        return largest, round_up(z_rows * tile.k * 2, 64), round_up(piece_elements * 2, 64)

    def _pieces(self, shape: LinearShape, m: int) -> list[int]:
        """Rows of the epilogue at a time to try."""
        found = [-(-m // 2), 4 * self.team, 3 * self.team, 2 * self.team, self.team, 2, 1]
        if shape.activation == "none" and not shape.residual and shape.splits == 1:
            # it has none, but the slots it asks for are those of the products that do
            found = [4 * self.team, self.team, 1]
        if shape.splits > 1:
            found.insert(1, 5 * self.team)
        return [p for p in found if p <= m]

    def _blocks_of(self, rows: int) -> list[int]:
        """Most rows of a block to try: one for each number of blocks."""
        tiles = -(-rows // self.unit)
        fewest: dict[int, int] = {}
        for size in range(1, min(tiles, MOST_TILES) + 1):
            fewest.setdefault(-(-tiles // size), size)
        return [self.unit * size for size in fewest.values()]

    def _exposed(self, rows: int, block: int, products: int) -> int:
        """Cycles of the cores' work between products that nothing hides: that of a block of rows
        runs beside the products of the others."""
        count = len(row_blocks(self.machine, rows, block))
        return max(0, self.between.get(rows, 0) - products * (count - 1) // count)

    def _choices(self, shape: LinearShape, m: int | None) -> tuple[Sequence[int], ...]:
        """Rows, inner chunks, columns and groups to consider, pinned values respected."""
        pinned = self.overrides.get(shape.layer, {})
        inner = self._inner(shape)
        inner = [n for n in inner if n <= MAX_TILE] or inner[:1]
        if shape.wide:
            inner = [shape.chunk]
        widths = self.paced if self.costs.waits_for_w(shape) else self.widths
        if shape.rotary:
            heads = math.lcm(shape.rotary, COLUMN_UNIT)
            widths = sorted({heads, *(k for k in widths if k % heads == 0)})
        columns = [k for k in widths if k <= shape.k]
        blocks = [m] if m is not None else self._blocks_of(shape.m)
        if m is None and "m" in pinned:
            blocks = [round_up(min(pinned["m"], shape.m), self.unit)]
        return (
            blocks,
            inner if "n" not in pinned else [pinned["n"]],
            columns if "k" not in pinned else [pinned["k"]],
            GROUPS if "group" not in pinned else [pinned["group"]],
        )

    def _inner(self, shape: LinearShape) -> list[int]:
        """Inner chunks that a product can have: parts of a partial sum, or several of these."""
        steps = shape.chunk // shape.step
        found = [shape.step * d for d in range(1, steps + 1) if steps % d == 0]
        if self.machine.redmule is not None:
            parts = range(2, shape.splits + 1)
            found += [shape.chunk * p for p in parts if shape.splits % p == 0]
        return found

    def _check_pins(self) -> None:
        """Refuse pinned sizes that no tile can have, or whose jobs RedMulE gets wrong."""
        for shape in self.shapes:
            pins = self.overrides.get(shape.layer, {})
            product = f"layer '{shape.layer}' ({shape.m}x{shape.n}x{shape.k})"
            unit = math.lcm(shape.rotary or COLUMN_UNIT, COLUMN_UNIT)
            check_pins(product, self._inner(shape), shape.k, self.widths[0], pins, unit)
            if pins and not any(self.candidates(shape)):
                sizes = ", ".join(f"{key} = {size}" for key, size in pins.items())
                raise UserError(
                    f"tiles of {product}: RedMulE computes no job with {sizes} right; pin other "
                    "sizes or fewer"
                )

    def _smallest(self, shape: LinearShape, m: int | None) -> Sizes:
        """Slots without which the shape has no tile."""
        rows, n, k, group = (choices[0] for choices in self._choices(shape, m))
        least = Tile(rows, n, k, group, 1)
        smallest = next(iter(self.candidates(shape, m)), least)
        return self._sizes(shape, smallest._replace(piece=1))

    def candidates(self, shape: LinearShape, m: int | None = None) -> Iterable[Tile]:
        """All tiles to consider for a shape."""
        blocks, inner, columns, groups = self._choices(shape, m)
        for rows in blocks:
            for n in inner:
                for k in columns:
                    if not self._is_computed(shape, rows, n, k) or _is_long(shape, n, k):
                        continue
                    for group in groups:
                        if group * k > shape.k:
                            break
                        for piece in self._pieces(shape, min(rows, shape.m)):
                            for ring in self._rings(shape, n, group):
                                yield Tile(rows, n, k, group, piece, ring)

    def _rings(self, shape: LinearShape, n: int, group: int) -> tuple[int, ...]:
        """Slots for partial sums to try, where every job ends one."""
        if self.machine.redmule is None or shape.splits == 1 or n % shape.chunk:
            return (0,)
        return tuple(ring for ring in RINGS if ring <= max(LATE_JOBS[0], group * shape.splits))

    def _table(self, shape: LinearShape, m: int | None) -> _Candidates:
        """The candidates of a shape, listed once: slots are tried by the hundred."""
        key = (shape, m)
        if key not in self._tables:
            tiles = list(self.candidates(shape, m))
            self._tables[key] = _Candidates.of(tiles, [self._sizes(shape, tile) for tile in tiles])
        return self._tables[key]

    def _best(self, shape: LinearShape, caps: Sizes, m: int | None) -> tuple[int, Tile] | None:
        table = self._table(shape, m)
        fitting = table.under(caps)
        if not fitting.size:
            return None
        best = int(fitting[np.argmin(self._cycles_of(shape, table, fitting))])
        return int(table.cycles[best]), table.tiles[best]

    def _cycles_of(
        self, shape: LinearShape, table: _Candidates, places: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.int64]:
        """Cycles of the tiles at some places of a shape's table."""
        for index in map(int, places[table.cycles[places] < 0]):
            table.cycles[index] = self.costs.cycles(shape, table.tiles[index])
        return table.cycles[places]

    def search(self) -> tuple[dict[Slots, Sizes], dict[LinearShape, Tile]]:
        """Slot sizes by inner size and who computes, and tiles.

        Products with the same slots follow each other without a seam: their rings continue from
        launch to launch. Slots fitted to each inner size serve large products best, common slots
        a chain of small ones. All products with the same number of rows share the row blocks.
        """
        if not self.shapes:
            return {}, {}
        self._check_pins()
        ranked = sorted(self.shapes, key=lambda s: -s.macs)
        fitted: dict[Slots, list[LinearShape]] = {}
        for shape in ranked:
            fitted.setdefault(shape.slots, []).append(shape)
        best: tuple[int, dict[Slots, Sizes], dict[LinearShape, Tile]] | None = None
        for groups in [list(fitted.values()), [ranked]][: len(fitted)]:
            for m in sorted({tile.m for tile in self.candidates(ranked[0])}):
                for roomy in (False, True) if self.epilogue_slots else (False,):
                    found = self._search_groups(groups, {ranked[0].m: m}, roomy)
                    if found is None:
                        continue
                    cycles = found[0] + self._exposed(ranked[0].m, m, found[0])
                    if best is None or cycles < best[0]:
                        best = (cycles, found[1], found[2])
        if best is None:
            return self._in_least_slots(list(fitted.values()))
        sizes, tiles = self._with_longer_pieces(best[1], best[2])
        return sizes, self._with_common_chunks(sizes, tiles)

    def _with_common_chunks(
        self, sizes: Mapping[Slots, Sizes], tiles: dict[LinearShape, Tile]
    ) -> dict[LinearShape, Tile]:
        """Products of one X find it in its ring where they have it in the same chunks: where that
        makes up for slower tiles, they have."""
        found = dict(tiles)
        for group, times in self.shared.items():
            lengths = {found[shape].n for shape in group.shapes}
            if len(lengths) == 1 or len({shape.slots for shape in group.shapes}) > 1:
                continue
            best, chosen = self._apart(group, times, found), found
            for n in sorted(lengths):
                options = {s: self._best_of_chunk(s, found[s], n, sizes[s.slots]) for s in group[0]}
                fitting = {shape: tile for shape, tile in options.items() if tile is not None}
                if len(fitting) < len(options):
                    continue
                cycles = sum(
                    self.counts[s] * self.costs.cycles(s, tile) for s, tile in fitting.items()
                )
                if cycles < best:
                    best, chosen = cycles, {**found, **fitting}
            found = chosen
        return found

    def _apart(self, group: SharedX, times: int, tiles: Mapping[LinearShape, Tile]) -> float:
        """Cycles of products of one X that have it in different chunks: it is loaded for every
        launch where they take turns, else for every product, whose first chunk is waited for."""
        shapes = set(group.shapes)
        if group.turns:
            return sum(
                self.counts[shape] * self.costs.sum_cycles(shape, tiles[shape], loads_x=True)
                for shape in shapes
            )
        waits = 0
        for before, after in pairwise(group.shapes):
            if tiles[before].n != tiles[after].n:
                blocks = self.costs.rows(after.m, tiles[after].m).items()
                waits += sum(n * self.costs.box(2 * tiles[after].n, rows) for rows, n in blocks)
        cycles = sum(
            self.counts[shape] * self.costs.cycles(shape, tiles[shape]) for shape in shapes
        )
        return cycles + times * DMA_CONTENTION * waits

    def _total(self, tiles: Mapping[LinearShape, Tile]) -> int:
        """Cycles of all products of some shapes."""
        return sum(self.counts[shape] * self.costs.cycles(shape, t) for shape, t in tiles.items())

    def _best_of_chunk(self, shape: LinearShape, tile: Tile, n: int, caps: Sizes) -> Tile | None:
        """The best tile with inner chunks of `n` and the rows of another one, in given slots."""
        table = self._table(shape, tile.m)
        fitting = table.under(caps)
        fitting = fitting[[table.tiles[place].n == n for place in map(int, fitting)]]
        if not fitting.size:
            return None
        return table.tiles[int(fitting[np.argmin(self._cycles_of(shape, table, fitting))])]

    def _with_longer_pieces(
        self, slots: Mapping[Slots, Sizes], tiles: Mapping[LinearShape, Tile]
    ) -> tuple[dict[Slots, Sizes], dict[LinearShape, Tile]]:
        """Give bytes that all inner sizes have left to the epilogue's slots, which were chosen for
        the first one, and let each product take the best piece of a tile that fits."""
        fitted: dict[Slots, Sizes] = {}
        for shape, tile in tiles.items():
            need, key = self._sizes(shape, tile), shape.slots
            fitted[key] = fitted[key].at_least(need) if key in fitted else need
        epilogue = next(iter(slots.values())).epilogue
        if self.epilogue_slots:
            most = max(size._replace(epilogue=epilogue).total for size in fitted.values())
            epilogue += max(0, self.budget - most) // self.epilogue_slots // 64 * 64
        found: dict[LinearShape, Tile] = {}
        for shape, tile in tiles.items():
            choices = [
                tile._replace(piece=piece) for piece in self._pieces(shape, min(tile.m, shape.m))
            ]
            fitting = [t for t in (tile, *choices) if self._sizes(shape, t).epilogue <= epilogue]
            # tiles of whole pieces may be longer, and so are the partial sums beside them
            room = fitted[shape.slots]
            fitting = [
                t
                for t in fitting
                if (size := self._sizes(shape, t)).z <= room.z and size.partial <= room.partial
            ]
            found[shape] = min(fitting, key=lambda t: self.costs.cycles(shape, t))
        used = max((self._sizes(shape, tile).epilogue for shape, tile in found.items()), default=0)
        sizes = {key: fitted[key]._replace(epilogue=used) for key in slots}
        w_slots = min(map(self._w_slots, sizes.values()))
        if max(shape.m for shape in tiles) > FEW_ROWS:
            w_slots = W_SLOTS
        grown = {key: self._grown(size._replace(w_slots=w_slots)) for key, size in sizes.items()}
        return grown, found

    def _w_slots(self, sizes: Sizes) -> int:
        """Slots of W that there is room for: products of a few rows wait for the DMA, which goes on
        to what comes behind while a row is on its way from one product to the next."""
        return min(MOST_W_SLOTS, W_SLOTS + max(0, self.budget - sizes.total) // sizes.w)

    def _in_least_slots(
        self, groups: Sequence[Sequence[LinearShape]]
    ) -> tuple[dict[Slots, Sizes], dict[LinearShape, Tile]]:
        """The smallest slots that serve all products, where nothing better fits: common ones, else
        those of each inner size."""
        shapes = [shape for group in groups for shape in group]
        common = self._least(shapes)
        if common.total <= self.budget:
            common = self._grown(common)
            found = self._under(shapes, {}, common)
            if found is not None:
                return {shape.slots: common for shape in shapes}, found[1]
        blocks = {shape.m: self._choices(shape, None)[0][0] for shape in shapes}
        slots: dict[Slots, Sizes] = {}
        tiles: dict[LinearShape, Tile] = {}
        for group in groups:
            # the epilogue's slots lie at the same place for all
            least = self._least(group)._replace(epilogue=common.epilogue)
            found = self._under(group, blocks, least) if least.total <= self.budget else None
            if found is not None:
                slots |= {shape.slots: least for shape in group}
                tiles |= found[1]
        refused = [group for group in groups if group[0].slots not in slots]
        if refused:
            raise self._overflow(refused, common.epilogue)
        return slots, tiles

    def _least(self, shapes: Sequence[LinearShape]) -> Sizes:
        return reduce(Sizes.at_least, (self._smallest(shape, None) for shape in shapes))

    def _search_groups(
        self, groups: Sequence[Sequence[LinearShape]], blocks: dict[int, int], roomy: bool
    ) -> tuple[int, dict[Slots, Sizes], dict[LinearShape, Tile]] | None:
        """Cycles, slot sizes and tiles, if each group has slots of its own; `roomy`:
        the first one's unused bytes go to the epilogue's slots, which serve all, not to Z."""
        sizes: dict[Slots, Sizes] = {}
        tiles: dict[LinearShape, Tile] = {}
        total = 0
        for shapes in groups:
            found = self._search_slots(shapes, blocks, sizes, roomy)
            if found is None:
                return None
            total += found[0]
            sizes |= {shape.slots: found[1] for shape in shapes}
            tiles |= found[2]
            for shape, tile in found[2].items():
                blocks.setdefault(shape.m, tile.m)
        if len(groups) > 1:
            for before, after in pairwise(self.sequence):
                if before.slots != after.slots:
                    total += self._seam(sizes[after.slots])
        return total, sizes, tiles

    def _seam(self, sizes: Sizes) -> int:
        """Cycles RedMulE waits where slots change: first X and W have nothing to hide behind."""
        return int(DMA_CONTENTION * (self.costs.box(sizes.x, 1) + self.costs.box(sizes.w, 1)))

    def _search_slots(
        self,
        shapes: Sequence[LinearShape],
        blocks: Mapping[int, int],
        others: Mapping[Slots, Sizes],
        roomy: bool,
    ) -> tuple[int, Sizes, dict[LinearShape, Tile]] | None:
        """Cycles, slots and tiles for products of one inner size. The epilogue's slots lie at the
        same place for all inner sizes; the first ones searched fix their size."""
        epilogue = next((size.epilogue for size in others.values()), None)
        best: tuple[int, Sizes, dict[LinearShape, Tile]] | None = None
        for leader in _leaders(shapes):
            others_need = [
                self._smallest(shape, blocks.get(shape.m)) for shape in shapes if shape != leader
            ]
            needed = reduce(Sizes.at_least, others_need) if others_need else None
            for size in self._ranked(leader, blocks.get(leader.m), needed, epilogue, roomy):
                caps = self._grown(size)
                found = self._under(shapes, blocks, caps)
                if found is not None and (best is None or found[0] < best[0]):
                    best = (found[0], caps, found[1])
        return best

    def _ranked(
        self,
        shape: LinearShape,
        m: int | None,
        needed: Sizes | None,
        epilogue: int | None,
        roomy: bool,
    ) -> list[Sizes]:
        """The best slots for a shape in which others have room, the fastest tile's first."""
        table = self._table(shape, m)
        if not table.tiles:
            return []
        needs = table.needs.copy()
        if needed is not None:
            least = (needed.z, needed.x, needed.w, needed.epilogue, needed.partial)
            needs = np.maximum(needs, least)
        fits = np.ones(len(needs), np.bool_)
        if epilogue is not None:
            fits = needs[:, 3] <= epilogue
            needs[:, 3] = epilogue
        weights = (1, 2, 2, self.epilogue_slots, 1)
        fits &= needs @ weights <= self.budget
        places = np.flatnonzero(fits)
        if roomy and epilogue is None:
            spare = self.budget - needs @ weights
            needs[:, 3] += spare // self.epilogue_slots // 64 * 64
        totals = (needs @ weights)[places]
        order = np.lexsort((-totals, self._cycles_of(shape, table, places)))[:SLOTS_TRIED]
        found: list[Sizes] = []
        for index in map(int, places[order]):
            z, x, w, piece, partial = map(int, needs[index])
            found.append(
                table.sizes[index]._replace(z=z, partial=partial, x=x, w=w, epilogue=piece)
            )
        return found

    def _grown(self, sizes: Sizes) -> Sizes:
        """Give unused bytes to the Z slots, so that smaller products may take wider tiles."""
        copies = 1 + (sizes.partial >= sizes.z)
        spare = max(0, self.budget - sizes.total) // copies // 64 * 64
        return sizes._replace(z=sizes.z + spare, partial=sizes.partial + spare * (copies > 1))

    def _under(
        self, shapes: Sequence[LinearShape], blocks: Mapping[int, int], caps: Sizes
    ) -> tuple[int, dict[LinearShape, Tile]] | None:
        """Cycles and tiles of products with given slots."""
        own = dict(blocks)
        tiles: dict[LinearShape, Tile] = {}
        total = 0
        for shape in shapes:
            best = self._best(shape, caps, own.get(shape.m))
            if best is None:
                return None
            own.setdefault(shape.m, best[1].m)
            tiles[shape] = best[1]
            total += best[0] * self.counts[shape]
        return total, tiles

    def _overflow(self, groups: Sequence[Sequence[LinearShape]], epilogue: int) -> CapacityError:
        """What the smallest slots of all products need, and which product needs most."""
        shapes = max(groups, key=lambda group: self._least(group).total)
        sizes = self._least(shapes)._replace(epilogue=epilogue)
        heavy = max(shapes, key=lambda shape: self._smallest(shape, None).total)
        missing = max(0, sizes.total - self.budget)
        others = "" if len(shapes) == 1 else f", {len(shapes) - 1} other products included"
        return CapacityError(
            f"no tile of linear '{heavy.layer}' ({heavy.m}x{heavy.n}x{heavy.k}) fits the TCDM: "
            f"{self.budget} bytes are left for matrix products; the smallest tile needs "
            f"{sizes.total} bytes{others}: Z {sizes.z}, X 2 x {sizes.x}, W 2 x {sizes.w}, epilogue "
            f"{sizes.epilogue_slots} x {sizes.epilogue}; use a TCDM of at least "
            f"{self.machine.cluster.tcdm_bytes + missing} bytes"
        ).about(heavy.layer, "transformer.linear", LARGER)
