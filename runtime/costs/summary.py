"""The summary of a run or an estimate: one page of figures, as data; `tools` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import softex_mlir
from softex_mlir.arithmetic import covered
from softex_mlir.isa_sim.machine import ClusterDescription
from softex_mlir.isa_sim.machine_basis import changes, compared_with, unrecorded
from softex_mlir.runtime.costs.verdict import Verdict, verdict
from softex_mlir.runtime.profile import Profile


@dataclass(frozen=True)
class MemoryUse:
    """Bytes a program takes: weights and everything in L2 (0 if that is not laid out), of the TCDM
    what buffers lie on."""

    weights: int
    l2: int
    tcdm: int
    tcdm_bytes: int

    @staticmethod
    def of(metadata: Mapping[str, Any], cluster: ClusterDescription) -> MemoryUse:
        """What the buffers of a program's note say."""
        spans: dict[str, list[tuple[int, int]]] = {"l2": [], "tcdm": []}
        for buffer in metadata["buffers"]:
            if buffer["bytes"]:
                start = buffer["address"]
                spans[buffer["space"]].append((start, start + buffer["bytes"]))
        return MemoryUse(
            sum(weight["bytes"] for weight in metadata.get("weights", ())),
            covered(spans["l2"]),
            covered(spans["tcdm"]),
            cluster.tcdm_bytes,
        )


@dataclass(frozen=True)
class Summary:
    """What `softex compile`, `run` and `estimate` say of a model.

    Attributes:
        simulated: figures of a simulation; else of the compiler's cost model.
        quality: lines about the distance to FP32, or how to find out.
        changes: what is not as in the shipped machine of that name.
        compared_with: published RTL on which the program is valid, by its revision.
        estimated: units that no recording of hardware covers: limits and cycles are estimates.
    """

    model: str
    machine: str
    simulated: bool
    profile: Profile
    memory: MemoryUse
    verdict: Verdict
    quality: tuple[str, ...]
    changes: tuple[str, ...] = ()
    compared_with: tuple[str, ...] = ()
    estimated: tuple[str, ...] = ()
    version: str = softex_mlir.__version__

    @staticmethod
    def of(
        profile: Profile,
        metadata: Mapping[str, Any],
        *,
        simulated: bool,
        quality: tuple[str, ...] = (),
    ) -> Summary:
        """The summary of a profile and the program's note."""
        return Summary(
            metadata.get("model", ""),
            profile.machine.name,
            simulated,
            profile,
            MemoryUse.of(metadata, profile.machine.cluster),
            verdict(profile),
            quality,
            changes(profile.machine),
            compared_with(profile.machine),
            unrecorded(profile.machine),
        )

    def to_json(self) -> dict[str, Any]:
        """The profile's JSON, with what the summary adds."""
        return {
            **self.profile.to_json(),
            "model": self.model,
            "version": self.version,
            "simulated": self.simulated,
            "verdict": str(self.verdict),
            "advice": str(self.verdict.advice),
            "memory": {
                "weights_bytes": self.memory.weights,
                "l2_bytes": self.memory.l2,
                "tcdm_bytes": self.memory.tcdm,
                "tcdm_size_bytes": self.memory.tcdm_bytes,
            },
            "quality": list(self.quality),
            "machine_changes": list(self.changes),
            "valid_on_rtl": list(self.compared_with),
        }
