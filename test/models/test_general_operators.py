"""ONNX operators without a kernel of their own: right by ONNX's reference, and bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracle import refusal

CHANNELS, SIZE = 6, (5, 7)
SHAPE = (2, CHANNELS, *SIZE)


def weights(seed, *shape, least=-2.0):
    random = np.random.default_rng(seed)
    return random.uniform(least, 2.0, shape).astype(np.float32)


def model_of(nodes, constants=None, shape=SHAPE, opset=21):
    """A chain: each node takes the last result and the constants it names."""
    constants = constants or {}
    made, last = [], "x"
    for number, (kind, operands, attributes) in enumerate(nodes):
        made.append(helper.make_node(kind, [last, *operands], [f"v{number}"], **attributes))
        last = f"v{number}"
    graph = helper.make_graph(
        made,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


CHAINS = {
    "activations": [
        ("Elu", [], {"alpha": 0.7}),
        ("LeakyRelu", [], {"alpha": 0.2}),
        ("Softplus", [], {}),
        ("HardSwish", [], {}),
        ("Mish", [], {}),
        ("Sin", [], {}),
        ("Clip", ["low", "high"], {}),
    ],
    "channels": [
        ("BatchNormalization", ["scale", "bias", "mean", "variance"], {}),
        ("InstanceNormalization", ["scale", "bias"], {}),
        ("PRelu", ["slope"], {}),
        ("GroupNormalization", ["scale", "bias"], {"num_groups": 3}),
        ("GlobalAveragePool", [], {}),
    ],
    "sums": [
        ("LpNormalization", [], {"axis": 1}),
        ("ReduceL2", ["axes"], {"keepdims": 0}),
        ("ReduceLogSumExp", ["last"], {"keepdims": 0}),
        ("LogSoftmax", [], {}),
    ],
}
CONSTANTS = {
    "low": np.array(-0.5, np.float32),
    "high": np.array(0.75, np.float32),
    "scale": weights(1, CHANNELS),
    "bias": weights(2, CHANNELS),
    "mean": weights(3, CHANNELS),
    "variance": weights(4, CHANNELS, least=0.5),
    "slope": weights(5, CHANNELS, 1, 1),
    "axes": np.array([1, -1], np.int64),
    "last": np.array([-1], np.int64),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name):
    chain = CHAINS[name]
    used = {o for _, operands, _ in chain for o in operands}
    model = model_of(chain, {k: v for k, v in CONSTANTS.items() if k in used})
    assert refusal(model, {"x": weights(7, *SHAPE)}, simulate=True) == ""
