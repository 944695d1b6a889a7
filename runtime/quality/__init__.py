"""How close outputs are to the FP32 reference: metrics of one output, studies over many inputs.

`subject` is what is looked at, `fp32` what it should compute, `data` the inputs; `study` measures
on all host cores, `report` sums up and compares with a stored report, `layers` says where the
distance comes from.
"""
