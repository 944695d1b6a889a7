"""What the compiler's stages hand to each other besides IR."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from softex_mlir.abi import Port
from softex_mlir.compiler.layer_names import LayerName
from softex_mlir.compiler.weight_layout import WeightLayout, pack_weight
from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class WeightImage:
    """A weight as it lies in L2. `name` is its name in the weight store, None for constants the
    scheduler adds (zeros); `data` is the array then."""

    symbol: str
    name: str | None
    shape: tuple[int, ...]
    dtype: str
    layout: WeightLayout
    bytes: int
    data: NDArray[Any] | None = None

    def pack(self, weights: Any) -> bytes:
        """Contents of the symbol. `weights` maps names to arrays."""
        array = self.data if self.name is None else weights[self.name]
        assert array is not None
        packed = pack_weight(np.asarray(array), self.layout)
        return packed.tobytes()


@dataclass(frozen=True)
class LaunchInfo:
    """One launch for reports: what it does and how long the scheduler thinks each unit is busy.

    `cycles` are predicted busy cycles by stream, in the order of the counters.
    """

    kernel: str
    layer: str
    operation: str
    cycles: tuple[int, int, int, int] = (0, 0, 0, 0)
    macs: int = 0


@dataclass
class CompiledModule:
    """A scheduled program (level L2 and below) with everything IR does not hold."""

    module: ModuleOp
    machine: Machine
    inputs: list[Port] = field(default_factory=list[Port])
    outputs: list[Port] = field(default_factory=list[Port])
    weights: list[WeightImage] = field(default_factory=list[WeightImage])
    launches: list[LaunchInfo] = field(default_factory=list[LaunchInfo])
    predicted_cycles: int = 0
    placement: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    source: dict[str, Any] = field(default_factory=dict[str, Any])
    transformer_text: str | None = None
    layer_names: dict[str, LayerName] = field(default_factory=dict[str, LayerName])
    """Kind and title of layers, by the names in `launches`."""
