"""Linear algebra on tensors as other compilers print it (`linalg`, `tensor`, `arith`, `math`)."""
