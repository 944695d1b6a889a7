"""Record decoders with a cache as exporters write them: `python test/models/record_decoders.py`.

Needs torch, transformers and onnx (`pip install torch transformers onnx onnxscript`), which no test
does. Inputs and outputs are those of Optimum: input_ids, attention_mask, position_ids,
past_key_values.N.key and .value; logits, present.N.key and .value.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import onnx

torch: Any = import_module("torch")
transformers: Any = import_module("transformers")

FOLDER = Path(__file__).parent / "decoders"
SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


class WithPast(torch.nn.Module):
    """A decoder whose cache is a list of tensors."""

    def __init__(self, model: Any, *, positions: bool):
        super().__init__()
        self.model, self.positions = model, positions

    def forward(self, input_ids: Any, attention_mask: Any, *rest: Any) -> tuple[Any, ...]:
        """Logits, then keys and values of each layer."""
        given = list(rest)
        more = {"position_ids": given.pop(0)} if self.positions else {}
        cache = transformers.DynamicCache()
        for layer in range(len(given) // 2):
            cache.update(given[2 * layer], given[2 * layer + 1], layer)
        found = self.model(
            input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, **more
        )
        layers = found.past_key_values.layers
        return (found.logits, *(x for layer in layers for x in (layer.keys, layer.values)))


def export(model: Any, name: str, *, dynamo: bool, positions: bool, attention: str) -> None:
    """Write one file."""
    model.eval()
    model.config._attn_implementation = attention
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = config.hidden_size // config.num_attention_heads
    batch, tokens, past = 2, 3, 5
    arguments = [torch.ones(batch, tokens, dtype=torch.long)]
    arguments.append(torch.ones(batch, past + tokens, dtype=torch.long))
    axes = {
        "input_ids": {0: "batch_size", 1: "sequence_length"},
        "attention_mask": {0: "batch_size", 1: "past_sequence_length + sequence_length"},
    }
    if positions:
        arguments.append(torch.arange(past, past + tokens).repeat(batch, 1))
        axes["position_ids"] = axes["input_ids"]
    outputs = ["logits"]
    for layer in range(config.num_hidden_layers):
        for what in ("key", "value"):
            arguments.append(torch.randn(batch, heads, past, size))
            axes[f"past_key_values.{layer}.{what}"] = {0: "batch_size", 2: "past_sequence_length"}
            outputs.append(f"present.{layer}.{what}")
    path = FOLDER / f"{name}.onnx"
    module = WithPast(model, positions=positions)
    names: dict[str, Any] = {"input_names": list(axes), "output_names": outputs}
    if dynamo:
        shapes = [dict.fromkeys(axis, torch.export.Dim.DYNAMIC) for axis in axes.values()]
        shapes = [*shapes[:2], tuple(shapes[2:])]
        made = torch.onnx.export(
            module, tuple(arguments), dynamic_shapes=shapes, dynamo=True, **names
        )
        made.save(path)
        slim(path)
        return
    axes["logits"] = axes["input_ids"]
    axes |= {n: {0: "batch_size", 2: "total_sequence_length"} for n in outputs[1:]}
    torch.onnx.export(
        module,
        tuple(arguments),
        path,
        dynamic_axes=axes,
        dynamo=False,
        opset_version=17,
        **names,
    )


def slim(path: Path) -> None:
    """Drop what a file says about the source code it came from."""
    model = onnx.load(path)
    for node in model.graph.node:
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    del model.graph.value_info[:]
    onnx.save(model, path)


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    gpt2 = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=64, n_positions=128, n_embd=32, n_layer=1, n_head=2)
    )
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES))
    mistral = transformers.MistralForCausalLM(
        transformers.MistralConfig(sliding_window=20, **SIZES)
    )
    export(gpt2, "gpt2", dynamo=False, positions=False, attention="eager")
    export(gpt2, "gpt2-positions", dynamo=True, positions=True, attention="sdpa")
    export(llama, "llama", dynamo=False, positions=True, attention="sdpa")
    export(llama, "llama-dynamo", dynamo=True, positions=False, attention="eager")
    export(mistral, "mistral", dynamo=False, positions=True, attention="eager")
    # rotary positions of a part of each head, attention and MLP side by side
    phi = transformers.PhiForCausalLM(transformers.PhiConfig(**SIZES))
    export(phi, "phi", dynamo=False, positions=True, attention="eager")
    # normed queries and keys, a layer with a sliding window and one without, of other frequencies
    layers = {"num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"]}
    gemma = transformers.Gemma3ForCausalLM(
        transformers.Gemma3TextConfig(**{**SIZES, **layers, "head_dim": 8, "sliding_window": 20})
    )
    export(gemma, "gemma3", dynamo=True, positions=True, attention="eager")


if __name__ == "__main__":
    main()
