"""A model on its way through the compiler's front half: module, weights and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.weights import WeightStore
from softex_mlir.dialects.transformer import WeightOp, ints
from softex_mlir.errors import UserError


class ModelError(UserError, ValueError):
    """A model that cannot be read."""


@dataclass
class Model:
    """A module with one function `@main`, and the data of its `transformer.weight` operations."""

    module: ModuleOp
    weights: WeightStore
    name: str = "model"
    source: str = ""
    """File or builder the model came from."""
    notes: list[str] = field(default_factory=lambda: list[str]())
    """What the importer had to decide, one sentence each."""
    origins: dict[str, SSAValue] = field(default_factory=lambda: dict[str, SSAValue]())
    """Values of the module by their names in the source; empty once passes change the module."""

    @property
    def main(self) -> FuncOp:
        """The function `@main`."""
        return main_function(self.module)

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


def main_function(module: ModuleOp) -> FuncOp:
    """The function `@main` of a module.

    Raises:
        ModelError: there is none, or none that a model can be: with one block, on tensors.
    """
    for op in module.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == "main":
            break
    else:
        raise ModelError("expected a function @main in the module")
    if len(op.body.blocks) != 1:
        raise ModelError(f"expected one block in @main, found {len(op.body.blocks)}")
    for kind in (*op.function_type.inputs, *op.function_type.outputs):
        if not isinstance(kind, TensorType):
            raise ModelError(f"expected tensors as inputs and outputs of @main, found {kind}")
    return op


def port_attributes(port: Port) -> DictionaryAttr:
    """The attributes that carry a port on `@main`."""
    return DictionaryAttr(
        {
            "transformer.name": StringAttr(port.name),
            "transformer.dtype": StringAttr(port.dtype),
            "transformer.shape": ints(port.shape),
        }
    )


def _ports(
    types: tuple[Attribute, ...], attributes: ArrayAttr[DictionaryAttr] | None, kind: str
) -> list[Port]:
    ports: list[Port] = []
    for index, value in enumerate(types):
        assert isinstance(value, TensorType)
        given = dict[str, Attribute](attributes.data[index].data if attributes is not None else {})
        name, dtype = given.get("transformer.name"), given.get("transformer.dtype")
        ports.append(
            Port(
                name.data if isinstance(name, StringAttr) else f"{kind}_{index}",
                value.get_shape(),
                dtype.data if isinstance(dtype, StringAttr) else "float32",
            )
        )
    return ports


def read_model(path: str | Path) -> Model:
    """Read `NAME.mlir` and the weights beside it, `NAME.safetensors`."""
    from softex_mlir.dialects.text import TextError, read_module

    path = Path(path)
    try:
        module = read_module(path.read_text("utf-8"), str(path))
        main_function(module)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not a text file: {error}") from error
    except TextError as error:
        raise ModelError(str(error)) from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    beside = path.with_suffix(".safetensors")
    needed = any(isinstance(op, WeightOp) for op in module.ops)
    if needed and not beside.exists():
        raise ModelError(f"{path}: its weights are expected in {beside}, which does not exist")
    weights = WeightStore.load(beside) if needed else WeightStore()
    weights.check(module)
    return Model(module, weights, path.stem, str(path))


def write_model(model: Model, path: str | Path) -> None:
    """Write a module as text and its weights beside it: the inverse of `read_model`."""
    path = Path(path)
    path.write_text(str(model.module) + "\n")
    model.weights.save(path.with_suffix(".safetensors"))
