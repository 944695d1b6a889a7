"""Predicates of `arith.cmpf` by the one that is true where they are false."""

OPPOSITES = {
    "ueq": "one",
    "ugt": "ole",
    "uge": "olt",
    "ult": "oge",
    "ule": "ogt",
    "une": "oeq",
    "uno": "ord",
    "true": "false",
}
"""Those that a NaN makes true: nothing compares so, the opposite is computed and inverted."""
