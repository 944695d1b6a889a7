"""A subject with one setting changed, to see what it does to the distance from FP32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from softex_mlir.compiler.transforms.transformer.split_sums import split_sums
from softex_mlir.compiler.transforms.transformer.split_values import split_values
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime.quality.subject import Subject

SUMS = "sums"
VALUES = "values"
TERMS = "terms"
KEYS = f"{SUMS}, {VALUES}, {TERMS} or section.key of the machine"


@dataclass(frozen=True)
class Sweep:
    """A setting and its values: `sums=0,192`, `values=0,64`, `terms=2,4`, `softex.lanes=8`."""

    key: str
    values: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> Sweep:
        """From `KEY=VALUE,VALUE`.

        Raises:
            UserError: it is written otherwise.
        """
        key, equals, values = text.partition("=")
        found = tuple(value.strip() for value in values.split(",") if value.strip())
        if not equals or not found or not (key in (SUMS, VALUES, TERMS) or "." in key):
            raise UserError(f"--sweep {text}: expected KEY=VALUE,VALUE with KEY {KEYS}")
        return Sweep(key, found)

    def variants(self, subject: Subject) -> Iterator[tuple[str, Subject]]:
        """The subject with each value.

        Raises:
            UserError: a value is not one of the setting's.
        """
        for value in self.values:
            yield f"{self.key}={value}", self._with(subject, value)

    def _with(self, subject: Subject, value: str) -> Subject:
        if self.key in (SUMS, VALUES):
            module, most = subject.module.clone(), self._number(value, 0)
            if self.key == SUMS:
                split_sums(module, most)
            else:
                split_values(module, subject.machine, most)
            return replace(subject, model=replace(subject.model, module=module))
        if self.key == TERMS:
            return replace(subject, machine=_with_terms(subject.machine, self._number(value, 1)))
        return replace(subject, machine=subject.machine.with_settings([f"{self.key}={value}"]))

    def _number(self, value: str, least: int) -> int:
        if not value.isdecimal() or int(value) < least:
            raise UserError(f"--sweep {self.key}: expected numbers from {least} on, found {value}")
        return int(value)


def _with_terms(machine: Machine, terms: int) -> Machine:
    """A machine whose SoftEx has GELU coefficients fitted for so many exponentials."""
    from softex_mlir.runtime.experiments.coefficient_fit import fit

    softex = machine.softex
    if softex is None:
        raise UserError(f"--sweep {TERMS}: machine '{machine.name}' has no SoftEx")
    found = fit(terms, True, softex.accumulator_bits, softex.expp)
    lists: list[tuple[str, Sequence[int]]] = [("slopes", found.slopes), ("weights", found.weights)]
    settings = [f"softex.{name}=[{', '.join(map(str, values))}]" for name, values in lists]
    return machine.with_settings([f"softex.terms={terms}", *settings])
