"""Inputs of the families that `export_families.py` exports, by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Inputs = Callable[[Any], dict[str, Any]]


def numbers(torch: Any, *shape: int) -> Any:
    """Numbers that BF16 holds."""
    return torch.randn(*shape).bfloat16().float()


def of_ids(torch: Any, **more: Any) -> dict[str, Any]:
    return {"input_ids": torch.randint(4, 60, (1, 10)), **more}


def ones(torch: Any, count: int = 10, padding: int = 0) -> Any:
    mask = torch.ones(1, count, dtype=torch.long)
    mask[:, count - padding :] = 0
    return mask


def _ended(torch: Any) -> dict[str, Any]:
    """An end-of-text token, padding of the oldest kind behind it."""
    found = of_ids(torch, attention_mask=ones(torch))
    found["input_ids"][:, -3] = 63
    found["input_ids"][:, -2:] = 2
    return found


def next_ids(torch: Any) -> dict[str, Any]:
    return {"decoder_input_ids": torch.randint(4, 60, (1, 6))}


def image_of(torch: Any) -> dict[str, Any]:
    return {"pixel_values": numbers(torch, 1, 3, 32, 32)}


def _decisions(torch: Any) -> dict[str, Any]:
    widths = {"states": 17, "actions": 4, "rewards": 1, "returns_to_go": 1}
    return {
        **{name: numbers(torch, 1, 4, width) for name, width in widths.items()},
        "timesteps": torch.arange(4)[None],
        "attention_mask": ones(torch, 4),
    }


def _boxes(torch: Any) -> Any:
    """Corners of ten boxes."""
    low = torch.randint(0, 30, (1, 10, 2))
    return torch.cat([low, low + torch.randint(1, 30, (1, 10, 2))], -1)


def _series(torch: Any) -> dict[str, Any]:
    return {
        "past_values": numbers(torch, 1, 14),
        "past_time_features": numbers(torch, 1, 14, 2),
        "past_observed_mask": torch.ones(1, 14),
        "future_values": numbers(torch, 1, 4),
        "future_time_features": numbers(torch, 1, 4, 2),
    }


def _about_an_image(torch: Any) -> dict[str, Any]:
    """Text with a token for each of 16 patches."""
    ids = torch.randint(6, 60, (1, 22))
    ids[:, 1:17] = 5
    return {"input_ids": ids, **image_of(torch), "attention_mask": ones(torch, 22)}


INPUTS: dict[str, Inputs] = {
    "ids": lambda torch: of_ids(torch),
    "tokens": lambda torch: of_ids(torch, attention_mask=ones(torch)),
    "positions": lambda torch: of_ids(torch, position_ids=torch.arange(10)[None] + 1),
    "masked": lambda torch: of_ids(torch, attention_mask=ones(torch, padding=3)),
    "ended": _ended,
    "pair": lambda torch: of_ids(torch, attention_mask=ones(torch, padding=3), **next_ids(torch)),
    "spectrum": lambda torch: {"input_features": numbers(torch, 1, 16, 40)},
    "spectrum pair": lambda torch: {
        "input_features": numbers(torch, 1, 16, 40),
        **next_ids(torch),
    },
    "features": lambda torch: {"input_features": numbers(torch, 1, 20, 16)},
    "features pair": lambda torch: {
        "input_features": numbers(torch, 1, 40, 16),
        **next_ids(torch),
    },
    "wave": lambda torch: {"input_values": numbers(torch, 1, 200)},
    "long wave": lambda torch: {"input_values": numbers(torch, 1, 4000)},
    "mels": lambda torch: {"input_values": numbers(torch, 1, 32, 16)},
    "series": lambda torch: {"past_values": numbers(torch, 1, 32, 3)},
    "image": image_of,
    "text and image": lambda torch: {
        **of_ids(torch),
        **image_of(torch),
        "attention_mask": ones(torch),
    },
    "decision": _decisions,
    "boxes": lambda torch: of_ids(torch, bbox=_boxes(torch), attention_mask=ones(torch, padding=3)),
    "boxes float": lambda torch: of_ids(
        torch, bbox=_boxes(torch).float() / 64, attention_mask=ones(torch, padding=3)
    ),
    "boxes image": lambda torch: of_ids(
        torch, bbox=_boxes(torch), attention_mask=ones(torch, padding=3), **image_of(torch)
    ),
    "ids12": lambda torch: {"input_ids": torch.randint(4, 60, (1, 12))},
    "ids32": lambda torch: {"input_ids": torch.randint(4, 60, (1, 10)).int()},
    "choice": lambda torch: {
        "input_ids": torch.randint(4, 60, (1, 3, 10)),
        "attention_mask": torch.ones(1, 3, 10, dtype=torch.long),
    },
    "visual": lambda torch: of_ids(
        torch,
        attention_mask=ones(torch, padding=3),
        visual_embeds=numbers(torch, 1, 5, 16),
        visual_attention_mask=ones(torch, 5).float(),
    ),
    "lxmert": lambda torch: of_ids(
        torch,
        attention_mask=ones(torch, padding=3),
        visual_feats=numbers(torch, 1, 5, 16),
        visual_pos=numbers(torch, 1, 5, 4),
    ),
    "image pair": lambda torch: {**image_of(torch), **next_ids(torch)},
    "ended image": lambda torch: {**of_ids(torch, attention_mask=ones(torch)), **image_of(torch)},
    "siglip2": lambda torch: {
        "pixel_values": numbers(torch, 1, 16, 192),
        "pixel_attention_mask": ones(torch, 16),
        "spatial_shapes": torch.tensor([[4, 4]]),
    },
    "seggpt": lambda torch: {
        "pixel_values": numbers(torch, 1, 3, 32, 32),
        "prompt_pixel_values": numbers(torch, 1, 3, 32, 32),
        "prompt_masks": numbers(torch, 1, 3, 32, 32),
    },
    "video": lambda torch: {"pixel_values": numbers(torch, 1, 2, 3, 32, 32)},
    "video vjepa": lambda torch: {"pixel_values_videos": numbers(torch, 1, 2, 3, 32, 32)},
    "qformer": lambda torch: {
        "query_embeds": numbers(torch, 1, 4, 32),
        "encoder_hidden_states": numbers(torch, 1, 10, 32),
    },
    "llava": lambda torch: _about_an_image(torch),
    "clap": lambda torch: {"input_features": numbers(torch, 1, 1, 40, 8)},
    "masked values": lambda torch: {
        "input_values": torch.randint(4, 60, (1, 10)),
        "attention_mask": ones(torch, padding=3),
    },
    "vits": lambda torch: {
        "input_ids": torch.randint(4, 60, (1, 10)),
        "padding_mask": torch.ones(1, 10, 1),
    },
    "mel features": lambda torch: {
        "input_features": numbers(torch, 1, 40, 16),
        "attention_mask": torch.ones(1, 40, dtype=torch.long),
    },
    "codebooks": lambda torch: {"input_ids": torch.randint(4, 60, (2, 10))},
    "timesfm": lambda torch: {
        "past_values": numbers(torch, 1, 16),
        "past_values_padding": torch.zeros(1, 16),
        "freq": torch.zeros(1, 1, dtype=torch.long),
    },
    "time series": _series,
}
"""Inputs of a kind, given torch; sizes are those of `exported_family.SMALL`."""
