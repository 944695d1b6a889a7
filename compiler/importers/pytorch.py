"""A `torch.nn.Module` as an ONNX file; torch is the user's own and is not imported from here."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, TypeGuard, cast

from softex_mlir.errors import UserError

OPSET = 20
"""The newest one that ONNX's reference implementation covers."""


def is_exported_program(model: object) -> TypeGuard[str | Path]:
    """Whether a file is meant that `torch.export.save` wrote."""
    return isinstance(model, str | Path) and Path(model).suffix == ".pt2"


def onnx_of(path: Path) -> Path:
    """An ONNX file of a program that `torch.export.save` wrote, which is gone when we end.

    Raises:
        UserError: torch is not installed, cannot read the file, or cannot export the program.
    """
    try:
        torch: Any = import_module("torch")
    except ImportError as error:
        raise UserError(
            f"{path}: torch reads its exported programs: install it (the extra `torch`), or export "
            "ONNX where it is"
        ) from error
    if not path.is_file():
        raise UserError(f"{path}: No such file or directory")
    folder = tempfile.TemporaryDirectory()
    _FOLDERS.append(folder)
    target = Path(folder.name) / f"{path.stem}.onnx"
    with _quiet():
        try:
            torch.onnx.export(
                torch.export.load(path), (), target, opset_version=OPSET, external_data=False
            )
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise UserError(f"{path}: torch cannot read or export it: {first}") from error
    return target


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""Of exported files."""


def is_torch_module(model: object) -> bool:
    """Whether something is a `torch.nn.Module`: it cannot be one unless torch is imported."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


@contextmanager
def exported(module: Any, example_inputs: object) -> Generator[Path]:
    """An ONNX file of a module in evaluation mode, which is gone afterwards.

    `example_inputs` are tensors that fix the shapes: one, a tuple of them, or a dictionary by the
    names of `forward`'s parameters, which become the names of the inputs.

    Raises:
        UserError: they are missing or no tensors, or torch cannot export the module.
    """
    torch: Any = sys.modules["torch"]
    positional, named = _arguments(torch, example_inputs)
    was_training = bool(module.training)
    module.eval()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{type(module).__name__}.onnx"
            with _quiet():
                try:
                    torch.onnx.export(
                        module,
                        positional,
                        path,
                        kwargs=named,
                        dynamo=True,
                        opset_version=OPSET,
                        external_data=False,
                    )
                except Exception as error:
                    first = str(error).strip().partition("\n")[0]
                    raise UserError(
                        f"{type(module).__name__}: torch.onnx.export fails: {first}; a module that "
                        "torch can export compiles, or its ONNX file"
                    ) from error
            yield path
    finally:
        module.train(was_training)


@contextmanager
def _quiet() -> Generator[None]:
    """Without what the exporter says about its progress and about operators that are not there."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _arguments(torch: Any, example_inputs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    positional: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    if isinstance(example_inputs, Mapping):
        named = dict(cast("Mapping[str, Any]", example_inputs))
    elif isinstance(example_inputs, Sequence):
        positional = tuple(cast("Sequence[Any]", example_inputs))
    elif example_inputs is not None:
        positional = (example_inputs,)
    values = (*positional, *named.values())
    if not values or not all(isinstance(value, torch.Tensor) for value in values):
        raise UserError(
            "a torch module needs example_inputs: a tensor, a tuple of tensors, or a dictionary of "
            "them by the names of forward's parameters"
        )
    return positional, named
