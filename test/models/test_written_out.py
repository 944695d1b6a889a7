"""Equations, indices by batch and branches that are computed both, as programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracle import refusal

F32, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
NODE = helper.make_node
RANDOM = np.random.default_rng(11)


def numbers(*shape):
    return (RANDOM.integers(-16, 17, shape) / 8).astype(np.float32)


def model_of(nodes, inputs, constants=None, opset=20):
    """Inputs are ports of their arrays' shapes and types."""
    ports = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for k, v in inputs.items()
    ]
    held = [numpy_helper.from_array(v, k) for k, v in (constants or {}).items()]
    result = helper.make_tensor_value_info("y", F32, None)
    graph = helper.make_graph(nodes, "g", ports, [result], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


EQUATIONS = {
    "ii->i": ["ii"],
    "ij->": ["ij"],
    "i,i->": ["i", "i"],
    "iij->j": ["iij"],
    "ij,jk": ["ij", "jk"],
    "ij,jk,kl->il": ["ij", "jk", "kl"],
    "bi,bj,bk->bijk": ["bi", "bj", "bk"],
    "a,ab->": ["a", "ab"],
    "bchw,bwhc->bh": ["bchw", "bwhc"],
    "...i,ij->...j": ["bci", "ij"],
}
SIZES = {"a": 3, "b": 2, "c": 4, "h": 3, "w": 5, "i": 4, "j": 5, "k": 6, "l": 3}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_equation(equation):
    terms = EQUATIONS[equation]
    inputs = {f"x{n}": numbers(*(SIZES[c] for c in term)) for n, term in enumerate(terms)}
    model = model_of([NODE("Einsum", list(inputs), ["y"], equation=equation)], inputs)
    assert refusal(model, inputs, simulate=True) == ""


@pytest.mark.parametrize("batch", [1, 2])
def test_indices_by_batch(batch):
    inputs = {"x": numbers(2, 3, 5, 4), "i": RANDOM.integers(-3, 3, (2, 3, 4, 1))}
    model = model_of([NODE("GatherND", ["x", "i"], ["y"], batch_dims=batch)], inputs)
    assert refusal(model, inputs, simulate=True) == ""


@pytest.mark.parametrize("condition", [True, False])
def test_both_branches_of_a_condition_that_is_an_input(condition):
    inputs = {"x": numbers(4, 6), "c": np.array(condition)}
    branches: dict[str, Any] = {
        f"{name}_branch": helper.make_graph(
            [NODE(kind, ["x"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, F32, None)],
        )
        for name, kind in (("then", "Relu"), ("else", "Neg"))
    }
    model = model_of([NODE("If", ["c"], ["y"], **branches)], inputs)
    assert refusal(model, inputs, simulate=True) == ""


def test_numbers_computed_from_integers_are_padded_as_they_are():
    """They are float32, and so is what is put beside them."""
    inputs = {"m": np.array([[1, 1, 0, 1]])}
    constants = {"pads": np.array([0, 1, 0, 2]), "fill": np.array(-3.5, np.float32)}
    nodes = [
        NODE("Cast", ["m"], ["f"], to=F32),
        NODE("Pad", ["f", "pads", "fill"], ["p"]),
        NODE("Pad", ["p", "pads", "fill"], ["y"], mode="constant"),
    ]
    assert refusal(model_of(nodes, inputs, constants), inputs, simulate=True) == ""


@pytest.mark.parametrize("kind", [np.bool_, np.float32])
def test_a_mask_hides_the_keys_it_says_nothing_about(kind):
    """From opset 24 on."""
    inputs = {
        "q": numbers(1, 2, 4, 8),
        "k": numbers(1, 2, 6, 8),
        "v": numbers(1, 2, 6, 8),
        "m": np.tri(4, 5, 1).astype(kind),
    }
    model = model_of([NODE("Attention", ["q", "k", "v", "m"], ["y"])], inputs, opset=24)
    assert refusal(model, inputs, simulate=True) == ""
