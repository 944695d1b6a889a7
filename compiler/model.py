"""A model on its way through the compiler's front half: module, weights and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DictionaryAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    i64,
)
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation, SSAValue

from softex_mlir.abi import MAIN, Port
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects.transformer import LIMIT, ints
from softex_mlir.errors import UserError
from softex_mlir.files import is_standard_input, read_text


class ModelError(UserError, ValueError):
    """A model that cannot be read."""


@dataclass
class Model:
    """A module with a function `@main`, or several entries, and the data of its
    `transformer.weight` operations."""

    module: ModuleOp
    weights: WeightStore
    name: str = "model"
    source: str = ""
    """File or builder the model came from."""
    notes: list[str] = field(default_factory=lambda: list[str]())
    """What the importer had to decide, one sentence each."""
    origins: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    """Values of the module by their names in the source; empty once passes change the module."""
    resume: str = ""
    """The pass that a scheduled module goes on with; empty for the first one of the next level."""
    entry: str = MAIN
    """The function that `main`, `inputs` and `outputs` are about, of a model with several."""

    @property
    def level(self) -> str:
        """What the module has reached; see `level_of`."""
        return level_of(self.module)

    @property
    def main(self) -> FuncOp:
        """The function of the entry."""
        entries = entry_functions(self.module)
        if self.entry not in entries:
            raise ModelError(
                f"expected one of the entries {', '.join(entries)}, found '{self.entry}'"
            )
        return entries[self.entry]

    @property
    def inputs(self) -> list[Port]:
        """Inputs in order."""
        main = self.main
        return _ports(main.function_type.inputs.data, main.arg_attrs, "input")

    @property
    def outputs(self) -> list[Port]:
        """Outputs in order."""
        main = self.main
        return _ports(main.function_type.outputs.data, main.res_attrs, "output")


def entry_functions(module: ModuleOp) -> dict[str, FuncOp]:
    """The functions of a module by name: `@main` alone, or several entries of one program.

    Raises:
        ModelError: there is none, or none that a model can be: with one block, on tensors.
    """
    found = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    if len(found) < 2 and MAIN not in found:
        raise ModelError("expected a function @main in the module")
    if MAIN in found:
        found = {MAIN: found[MAIN]}
    for name, op in found.items():
        if len(op.body.blocks) != 1:
            raise ModelError(f"expected one block in @{name}, found {len(op.body.blocks)}")
        for kind in (*op.function_type.inputs, *op.function_type.outputs):
            if not isinstance(kind, TensorType):
                raise ModelError(f"expected tensors as inputs and outputs of @{name}, found {kind}")
    return found


def main_function(module: ModuleOp) -> FuncOp:
    """The function `@main` of a module, or the first of several entries.

    Raises:
        ModelError: there is none, or none that a model can be.
    """
    return next(iter(entry_functions(module).values()))


def port_attributes(port: Port) -> DictionaryAttr:
    """The attributes that carry a port on `@main`."""
    attributes: dict[str, Attribute] = {
        "transformer.name": StringAttr(port.name),
        "transformer.dtype": StringAttr(port.dtype),
        "transformer.shape": ints(port.shape),
    }
    if port.limit is not None:
        attributes[LIMIT] = IntegerAttr(port.limit, i64)
    if port.values is not None:
        attributes["transformer.values"] = ints(port.values)
    return DictionaryAttr(attributes)


def values_of(given: Mapping[str, Attribute]) -> tuple[int, int] | None:
    """The smallest and largest value of an input, from the attributes that carry it on `@main`."""
    found = given.get("transformer.values")
    if not isinstance(found, DenseArrayBase):
        return None
    low, high = found.get_values()
    return int(low), int(high)


def _ports(
    types: tuple[Attribute, ...], attributes: ArrayAttr[DictionaryAttr] | None, kind: str
) -> list[Port]:
    ports: list[Port] = []
    for index, value in enumerate(types):
        assert isinstance(value, TensorType)
        given = dict[str, Attribute](attributes.data[index].data if attributes is not None else {})
        name, dtype = given.get("transformer.name"), given.get("transformer.dtype")
        limit = given.get(LIMIT)
        ports.append(
            Port(
                name.data if isinstance(name, StringAttr) else f"{kind}_{index}",
                value.get_shape(),
                dtype.data if isinstance(dtype, StringAttr) else "float32",
                limit=limit.value.data if isinstance(limit, IntegerAttr) else None,
                values=values_of(given),
            )
        )
    return ports


def level_of(module: ModuleOp) -> str:
    """The level that a module has reached: transformer, jobs, commands or riscv.

    One on its way between two is at the first; the passes that it has behind it find nothing to do.
    """
    from xdsl.dialects import riscv_func

    from softex_mlir.dialects.cluster import KernelOp, ScheduleOp

    if any(isinstance(op, riscv_func.FuncOp) for op in module.ops):
        return "riscv"
    if not any(isinstance(op, ScheduleOp) for op in module.ops):
        return "transformer"
    if any(isinstance(op, KernelOp) for op in module.ops):
        return "jobs"
    functions = (op for op in module.ops if isinstance(op, FuncOp))
    return "jobs" if any(is_job(op) for f in functions for op in f.walk()) else "commands"


def is_job(op: Operation) -> bool:
    """Whether an operation is one that level `commands` has no more."""
    from softex_mlir.dialects.cluster import CoreIdOp, LaunchWordOp, ViewOp

    dialect = op.name.partition(".")[0]
    if dialect == "cluster":
        return not isinstance(op, CoreIdOp | LaunchWordOp | ViewOp)
    return dialect in ("redmule", "softex")


def read_model(path: str | Path) -> Model:
    """Read a module of any level and the weights that belong to it."""
    from softex_mlir.compiler.sidecar import Heading, take_weights
    from softex_mlir.dialects.text import TextError, read_module

    path = Path(path)
    try:
        module = read_module(read_text(path), str(path))
        if level_of(module) == "transformer":
            entry_functions(module)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not a text file: {error}") from error
    except TextError as error:
        raise ModelError(str(error)) from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    # What a text that is piped names lies where the command runs.
    heading = Heading.take(module, Path() if is_standard_input(path) else path.parent)
    weights = take_weights(module, path, heading.weights, required=True)
    resume = "" if level_of(module) == "transformer" else heading.resume
    return Model(module, weights, heading.model or path.stem, str(path), resume=resume)


def write_model(model: Model, path: str | Path) -> None:
    """Write a module as text and its weights beside it: the inverse of `read_model`."""
    from softex_mlir.compiler.sidecar import write_module

    write_module(model.module, model.name, model.weights, Path(path))
