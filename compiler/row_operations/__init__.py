"""One record an operation on rows: everything that the compiler, the evaluator and tests ask of it.

`unary` and `binary` hold elementwise functions by name; `rows` is what the scheduler's kernel of
rows executes, with the parameters of one operation of a model.
"""
