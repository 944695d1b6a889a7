"""The packages: every folder of these rooms that holds Python, under the one import name."""

from setuptools import find_packages, setup

ROOMS = ["compiler", "dialects", "isa_sim", "runtime", "tools"]
folders = find_packages(include=[*ROOMS, *(f"{room}.*" for room in ROOMS)])

setup(
    packages=[
        "softex_mlir",
        *(f"softex_mlir.{folder}" for folder in folders),
        "softex_mlir.test.golden",  # data only: recordings
    ]
)
