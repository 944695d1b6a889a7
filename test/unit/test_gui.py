"""`softex-gui`: our models, dialects and passes in xDSL's application, without a terminal."""

import asyncio

import pytest

from softex_mlir.tools.gui import application, main

MODEL = "demo-vit"


def test_a_model_goes_through_passes_on_its_weights():
    pytest.importorskip("textual", reason="needs the extra gui")

    async def used():
        app = application(MODEL, "fuse-gelu,fuse-linear,round-weights")
        async with app.run_test() as pilot:
            await pilot.pause()
            return app.current_module, len(app.all_passes)

    module, passes = asyncio.run(used())
    assert "transformer.linear" in str(module)
    assert passes > 30


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.onnx"], 1, "nothing.onnx"),
        ([MODEL, "-p", "no-such-pass"], 2, "no-such-pass"),
        ([], 2, "model"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(arguments, code, words, capsys):
    pytest.importorskip("textual", reason="needs the extra gui")
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == code
    assert words in capsys.readouterr().err.splitlines()[-1]
