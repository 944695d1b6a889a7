"""What `softex generate` does around the generation: prompts, printing, figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from softex_mlir.files import json_text

if TYPE_CHECKING:
    from softex_mlir.runtime.generation import Sampling
    from softex_mlir.runtime.program import Program


def sampling_of(*, greedy: bool, top_k: int | None, temperature: float, seed: int) -> Sampling:
    """How options choose tokens.

    Raises:
        typer.BadParameter: they contradict each other.
    """
    from softex_mlir.runtime.generation import Sampling

    if greedy and top_k is not None:
        raise typer.BadParameter("expected one of them", param_hint="--greedy and --top-k")
    if top_k is None and temperature != 1.0:
        raise typer.BadParameter(
            "expected --top-k K with it, greedy choices have none", param_hint="--temperature"
        )
    if not 0.0 < temperature < float("inf"):
        raise typer.BadParameter(
            f"expected a positive number, found {temperature}", param_hint="--temperature"
        )
    return Sampling(top_k, temperature, seed)


def run_generation(
    program: Program,
    prompts: Sequence[str],
    max_new_tokens: int,
    sampling: Sampling,
    *,
    stop: int | None,
    as_json: bool,
) -> None:
    """Generate, print tokens as they come and then the figures; 130 if interrupted.

    Raises:
        typer.BadParameter: the prompts are no lists of ids.
        UserError: they do not fit the program.
    """
    from softex_mlir.runtime.generation import generate, lines
    from softex_mlir.tools.signals import raised

    def show(tokens: list[int]) -> None:
        if not as_json:
            sys.stdout.write(" ".join(map(str, tokens)) + "\n")
            sys.stdout.flush()

    ids = [_ids(prompt) for prompt in prompts]
    with raised():
        made = generate(program, ids, max_new_tokens, sampling=sampling, stop=stop, on_token=show)
    if as_json:
        phases = {"prefill": made.prefill.to_json(), "decode": made.decode.to_json()}
        sys.stdout.write(
            json_text({"tokens": made.tokens, "interrupted": made.interrupted, **phases})
        )
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(made))
    if made.interrupted:
        raise SystemExit(130)


def _ids(prompt: str) -> list[int]:
    try:
        return [int(token) for token in prompt.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected ids as 1,2,3, found '{prompt}'", param_hint="--prompt-ids"
        ) from None
