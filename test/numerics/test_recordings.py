"""Every recording of the public RTL, through the simulator's own entry points."""

import pytest

from softex_mlir.runtime.experiments import calibration


@pytest.mark.parametrize("name", calibration.COMPARISONS)
def test_model_equals_recordings(name: str):
    for found in calibration.COMPARISONS[name](calibration.RECORDINGS):
        print(found)
        assert found.cases > 0
        if "stalls" in found.quantity:
            # A statistical model, by design: see units/redmule.py.
            assert found.mean < 0.01, found
        else:
            assert found.differing == 0, found
