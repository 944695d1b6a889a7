"""Names that people know for the layers of a model: "layer 3 / mlp / fc1", of kind "MLP 1".

Where the exporter recorded the module of an operation, its path is the name. Where it did not
(`node_MatMul_91`), the place in the dataflow is: what feeds an attention is its query, key or
value, what an attention feeds is its output, what an activation stands between is an MLP. The kind
always comes from the dataflow, so that the same layers of a model fold into one row of a report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.model import entry_functions
from softex_mlir.compiler.schedule.fused_form import layer_of
from softex_mlir.dialects import transformer as t

NORMS = (t.LayerNormOp, t.RMSNormOp)
PRODUCTS = (t.LinearOp, t.AttentionOp, t.MatmulOp)
_BARRIERS = (*PRODUCTS, *NORMS, t.AddOp)
"""What an MLP's or an attention's inside does not reach beyond."""

_AUTOMATIC = re.compile(r"/?((node_|val_|n\d+$|%?\d+$)[^./]*|[^./]*[A-Za-z]_\d+|[A-Z][A-Za-z]+)$")
"""Names that exporters make up: node_MatMul_91, MatMul_91, Softmax."""
ROLES = {
    "query": ("Q, K, V", "attention / query"),
    "key": ("Q, K, V", "attention / key"),
    "value": ("Q, K, V", "attention / value"),
    "projection": ("Q, K, V", "attention / qkv"),
    "attention": ("attention", "attention"),
    "output": ("attention output", "attention / output"),
    "fc1": ("MLP 1", "mlp / fc1"),
    "fc2": ("MLP 2", "mlp / fc2"),
    "gate": ("MLP gate", "mlp / gate"),
    "up": ("MLP up", "mlp / up"),
    "down": ("MLP down", "mlp / down"),
    "norm": ("norm", "norm"),
    "linear": ("linear", "linear"),
    "matmul": ("matrix product", "matmul"),
    "softmax": ("softmax", "softmax"),
    "other": ("elementwise", ""),
}
"""Kind and name within a block of each role, the weightiest first: a layer of several operations
is named after the first of them."""
_WEIGHT = {role: position for position, role in enumerate(ROLES)}


@dataclass(frozen=True)
class LayerName:
    """A layer for people: the `kind` of work it is, and its `title`."""

    kind: str
    title: str


def name_layers(module: ModuleOp) -> dict[str, LayerName]:
    """Kind and title of every layer of a fused module, by the name it has in launches. Layers of
    one name in several entries are the same layers."""
    found: dict[str, LayerName] = {}
    for function in entry_functions(module).values():
        found = {**_name_layers(function), **found}
    return found


def _name_layers(main: FuncOp) -> dict[str, LayerName]:
    names = _Roles.of(main)
    chosen: dict[str, Operation] = {}
    for op in names.order:
        key = launch_layer(op)
        before = chosen.get(key)
        if before is None or _WEIGHT[names.role(op)] < _WEIGHT[names.role(before)]:
            chosen[key] = op
    prefix = _common_prefix(key for key in chosen if not _AUTOMATIC.match(key))
    taken: dict[str, int] = {}
    found: dict[str, LayerName] = {}
    for key, op in chosen.items():
        name = names.name(op, key, prefix)
        taken[name.title] = taken.get(name.title, 0) + 1
        if taken[name.title] > 1:
            name = LayerName(name.kind, f"{name.title} ({taken[name.title]})")
        found[key] = name
    return found


def launch_layer(op: Operation) -> str:
    """The name launches of an operation give as their layer."""
    return layer_of(op) or op.name.split(".")[-1]


@dataclass
class _Roles:
    """What each operation of a model is in its block, and which block that is."""

    order: list[Operation]
    roles: dict[Operation, str] = field(default_factory=dict[Operation, str])
    starts: list[int] = field(default_factory=list[int])
    """Place in `order` of each block's first operation."""
    end: int = 0
    """Place behind the last block's last operation."""

    @staticmethod
    def of(main: FuncOp) -> _Roles:
        skipped = (t.GetWeightOp, ReturnOp)
        found = _Roles([op for op in main.body.block.ops if not isinstance(op, skipped)])
        for op in found.order:
            if isinstance(op, t.AttentionOp):
                found.roles[op] = "attention"
                for role, value in (("query", op.q), ("key", op.k), ("value", op.v)):
                    for linear in _producers(value):
                        known = found.roles.setdefault(linear, role)
                        if known != role:
                            found.roles[linear] = "projection"
                for linear in _consumers(op.result):
                    found.roles.setdefault(linear, "output")
        for op in found.order:
            if isinstance(op, t.LinearOp) and op not in found.roles:
                _name_mlp(op, found.roles)
        found._find_blocks()
        return found

    def role(self, op: Operation) -> str:
        """The role of an operation, a key of `ROLES`."""
        if op in self.roles:
            return self.roles[op]
        for role, kinds in (
            ("norm", NORMS),
            ("linear", t.LinearOp),
            ("matmul", t.MatmulOp),
            ("softmax", t.SoftmaxOp),
        ):
            if isinstance(op, kinds):
                return role
        return "other"

    def name(self, op: Operation, key: str, prefix: int) -> LayerName:
        """Kind and title of the layer `key`, whose weightiest operation is `op`."""
        role = self.role(op)
        kind, title = ROLES[role]
        place = self.order.index(op)
        block = sum(start <= place for start in self.starts) - 1
        if not self.starts or not self.starts[0] <= place < self.end:
            known = role in ("norm", "attention")
            if self.starts and not known:
                kind = "embedding" if place < self.starts[0] else "head"
            title = f"{kind if role != 'norm' else 'final'} / {title or op.name.split('.')[-1]}"
        else:
            title = f"layer {block} / {title or op.name.split('.')[-1]}"
        if not _AUTOMATIC.match(key) and key != op.name.split(".")[-1]:
            title = _readable(key, prefix)
        return LayerName(kind, title)

    def _find_blocks(self) -> None:
        places = {op: place for place, op in enumerate(self.order)}
        last = 0
        pre_norm = False
        for op in self.order:
            if not isinstance(op, t.AttentionOp):
                continue
            heads = [linear for value in (op.q, op.k, op.v) for linear in _producers(value)]
            first = min((places[linear] for linear in heads), default=places[op])
            for linear in heads:
                owner = linear.x.owner
                if isinstance(owner, NORMS) and all(
                    self.roles.get(use.operation) in ("query", "key", "value", "projection")
                    for use in owner.result.uses
                ):
                    first = min(first, places[owner])
                    pre_norm = True
            self.starts.append(first)
            last = places[op]
        # What comes behind the last block may look like another MLP: it is the head.
        for role in (("output",), ("fc2", "down")):
            behind = (places[op] for op in self.order[last:] if self.roles.get(op) in role)
            last = next(behind, last)
        self.end = last + 1
        if not self.starts or pre_norm:
            return
        while self.end < len(self.order) and isinstance(self.order[self.end], (*NORMS, t.AddOp)):
            self.end += 1


def _producers(value: SSAValue) -> Iterator[t.LinearOp]:
    """The linear layers that a value comes from, through anything but other products."""
    seen: set[Operation] = set()
    waiting = [value.owner]
    while waiting:
        op = waiting.pop()
        if not isinstance(op, Operation) or op in seen:
            continue
        seen.add(op)
        if isinstance(op, t.LinearOp):
            yield op
        elif not isinstance(op, PRODUCTS):
            waiting += [operand.owner for operand in op.operands]


def _consumers(value: SSAValue) -> Iterator[t.LinearOp]:
    """The linear layers whose input a value becomes, through views and elementwise operations."""
    seen: set[Operation] = set()
    waiting = [(use.operation, value) for use in value.uses]
    while waiting:
        op, operand = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        if isinstance(op, t.LinearOp):
            if op.x is operand:
                yield op
        elif not isinstance(op, (*_BARRIERS, ReturnOp)):
            waiting += [(use.operation, result) for result in op.results for use in result.uses]


def _name_mlp(op: t.LinearOp, roles: dict[Operation, str]) -> None:
    """`op` begins an MLP if an activation or a gate stands between it and the next linear layer."""
    following = [linear for linear in _consumers(op.result) if linear not in roles]
    if not following:
        return
    multiplied = [use.operation for use in op.result.uses if isinstance(use.operation, t.MulOp)]
    gates = [linear for mul in multiplied for linear in _producers(mul.result) if linear is not op]
    if gates:
        for gate in gates:
            roles[gate] = "gate"
        roles[op] = "up"
    else:
        roles[op] = "fc1"
    for linear in following:
        roles.setdefault(linear, "down" if gates else "fc2")


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[./]", name) if part]


def _common_prefix(names: Iterable[str]) -> int:
    """How many leading parts all names share."""
    split = [parts for parts in map(_parts, names) if len(parts) > 1]
    if len(split) < 2:
        return 0
    shared = 0
    while all(len(parts) > shared + 1 and parts[shared] == split[0][shared] for parts in split):
        shared += 1
    return shared


def _readable(name: str, prefix: int) -> str:
    """A module path in parts, from the number of its block on."""
    parts = _parts(name)
    for place, part in enumerate(parts[:-1]):
        if part.isdigit():
            return " / ".join([f"layer {part}", *parts[place + 1 :]])
    kept = parts[prefix:] if len(parts) > prefix else parts
    return " / ".join(kept)
