"""Names for layers, from module paths and from the place in the dataflow."""

import re

import pytest
from xdsl.dialects.builtin import StringAttr

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.layer_names import LayerName, name_layers
from softex_mlir.compiler.models import BUILTIN
from softex_mlir.dialects import transformer as t

BLOCK = {
    "demo-vit": {
        "layernorm_before": "norm",
        "attention / query": "Q, K, V",
        "attention / key": "Q, K, V",
        "attention / value": "Q, K, V",
        "attention": "attention",
        "attention / output": "attention output",
        "layernorm_after": "norm",
        "mlp / fc1": "MLP 1",
        "mlp / fc2": "MLP 2",
    },
    "demo-gpt2": {
        "ln_1": "norm",
        "attn / qkv": "Q, K, V",
        "attn": "attention",
        "attn / c_proj": "attention output",
        "ln_2": "norm",
        "mlp / c_fc": "MLP 1",
        "mlp / c_proj": "MLP 2",
    },
}


def names(model, forget: bool = False) -> dict[str, LayerName]:
    """Names of the layers of a built-in model; `forget`: as an exporter without scopes has them."""
    module = Compilation.of(BUILTIN[model]()).model.module
    if forget:
        number = 0
        for op in module.walk():
            if isinstance(op, t.TransformerOp):
                op.layer = StringAttr(f"node_{op.name.split('.')[-1]}_{number}")
                number += 1
    return name_layers(module)


@pytest.mark.parametrize("model", BLOCK)
def test_paths_become_titles(model):
    titles = {name.title: name.kind for name in names(model).values()}
    for block in (0, 1):
        found = {
            title.removeprefix(f"layer {block} / "): kind
            for title, kind in titles.items()
            if title.startswith(f"layer {block} /")
        }
        assert found == BLOCK[model]


@pytest.mark.parametrize("model", ["demo-vit", "demo-gpt2", "demo-bert"])
def test_kinds_do_not_depend_on_names(model):
    known = sorted(n.kind for n in names(model).values() if n.kind not in ("embedding", "head"))
    nameless = names(model, forget=True).values()
    found = sorted(n.kind for n in nameless if n.kind not in ("embedding", "head", "elementwise"))
    assert found == known


@pytest.mark.parametrize("model", ["demo-vit", "demo-gpt2", "demo-bert"])
def test_layers_without_a_name_are_named_by_their_place(model):
    found = names(model, forget=True)
    titles = [name.title for name in found.values()]
    assert len(set(titles)) == len(titles)
    assert not any(re.search(r"node_", title) for title in titles)
    for block in (0, 1):
        for part in ("attention", "attention / output", "mlp / fc1", "mlp / fc2"):
            assert f"layer {block} / {part}" in titles
    assert not any(title.startswith("layer 2") for title in titles)
