"""ONNX models to the `transformer` dialect."""
