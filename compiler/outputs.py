"""Which outputs of a model are wanted, and whether of all tokens or the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from xdsl.dialects.builtin import ArrayAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import SSAValue

from softex_mlir.abi import Port
from softex_mlir.compiler.model import Model, port_attributes
from softex_mlir.dialects import transformer as t
from softex_mlir.errors import UserError

ArrayT = TypeVar("ArrayT", bound=Any)


@dataclass(frozen=True)
class OutputChoice:
    """Outputs to keep, and how much of them.

    Attributes:
        names: outputs to keep; none: all of them.
        last_token: keep of each output [batch, tokens, features] the last token alone.
    """

    names: tuple[str, ...] = ()
    last_token: bool = False

    def apply(self, model: Model) -> None:
        """Change the results of `@main`, in place; what they do not need is left for `drop-unread`.

        Raises:
            UserError: there is no output of a name, or one that has no tokens.
        """
        if not self.names and not self.last_token:
            return
        main, ports = model.main, model.outputs
        known = [port.name for port in ports]
        for name in self.names:
            if name not in known:
                raise UserError(
                    f"{model.source}: no output '{name}' to keep: expected one of "
                    f"{', '.join(known)}"
                )
        end = main.body.block.last_op
        assert isinstance(end, ReturnOp)
        values: list[SSAValue] = []
        kept: list[Port] = []
        for port, value in zip(ports, end.arguments, strict=True):
            if self.names and port.name not in self.names:
                continue
            if self.last_token:
                self._check_tokens(model, port)
                last = _last_of(value)
                main.body.block.insert_op_before(last, end)
                value, port = last.result, Port(port.name, t.shape_of(last), port.dtype)
            values.append(value)
            kept.append(port)
        _return(main, end, values, kept)

    def of(self, outputs: Mapping[str, ArrayT]) -> dict[str, ArrayT]:
        """What is kept of the outputs of the whole model."""
        names = self.names or tuple(outputs)
        return {
            name: array[:, -1:] if self.last_token else array
            for name, array in outputs.items()
            if name in names
        }

    def _check_tokens(self, model: Model, port: Port) -> None:
        inputs = (
            t.shape_of(argument)
            for argument in model.main.body.block.args
            if t.ID_TENSOR.verifies(argument.type)
        )
        if len(port.shape) == 3 and any(port.shape[:2] == shape for shape in inputs):
            return
        raise UserError(
            f"{model.source}: the last token of output '{port.name}' {list(port.shape)}: expected "
            "[batch, tokens, features] with the batch and tokens of the token ids; name the "
            "outputs that have tokens with --keep-output"
        )


ALL_OUTPUTS = OutputChoice()


def _last_of(value: SSAValue) -> t.SliceOp:
    batch, tokens, features = t.shape_of(value)
    return t.SliceOp(value, (0, tokens - 1, 0), (batch, 1, features))


def _return(main: FuncOp, end: ReturnOp, values: list[SSAValue], ports: list[Port]) -> None:
    main.body.block.insert_op_before(ReturnOp(*values), end)
    end.detach()
    end.erase()
    main.properties["res_attrs"] = ArrayAttr([port_attributes(port) for port in ports])
    main.update_function_type()
