"""Records small exports of real architectures and what torch computes from them, in float32.

    python test/models/record_families.py [NAME ...]

needs torch, transformers and onnxscript; the tests need only what it wrote (`families/`): the
graph, its inputs and its output `out_0`. transformers 5.24 and torch 2.14 made these.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx
from export_families import FAMILIES, VARIANTS, export
from exported_family import SMALL

HERE = Path(__file__).parent / "families"
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers")
ONE_LAYER = {**SMALL, **dict.fromkeys(LAYERS, 1)}

RECORDED = {
    "bert_mean_pool": "script17",
    "bit": "script17",
    "bloom": "script17",
    "clip_text_old_end": "script17",
    "convnext": "dynamo18",
    "deberta_v2": "script17",
    "decoder_positions": "dynamo18",
    "dinov2": "dynamo18",
    "gemma3_text": "dynamo18",
    "modernbert": "dynamo18",
    "mpnet": "script17",
    "patchtst": "dynamo18",
    "qwen_last_pool": "script17",
    "regnet": "script17",
    "segformer": "script17",
    "swin": "dynamo18",
    "t5": "script17",
    "wav2vec2": "script17",
    "whisper_encoder": "script17",
}
"""Variants of `export_families.py` by its families. They hold relative biases
(DeBERTa, MPNet, T5), ALiBi (BLOOM), windows (Gemma, ModernBERT, Swin), rotary positions from
`position_ids`, masks [B, T, 1] and L2 normalisation (sentences), tokens picked by ArgMax and by
ids (CLIP, last tokens), convolutions of all kinds with Batch-, Group- and LayerNormalization."""


def _strip(path: Path) -> None:
    """Leave out what exporters tell about the machine and the source."""
    model: Any = onnx.load(path)
    model.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    for node in model.graph.node:
        node.ClearField("doc_string")
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    onnx.save(model, path)


def main() -> None:
    """Write the families named, or all."""
    HERE.mkdir(exist_ok=True)
    variants = {variant.name: variant for variant in VARIANTS}
    for name in sys.argv[1:] or RECORDED:
        path = HERE / f"{name}.onnx"
        export(path, FAMILIES[name], variants[RECORDED[name]], ONE_LAYER)
        _strip(path)
        print(f"written: {name}")


if __name__ == "__main__":
    main()
