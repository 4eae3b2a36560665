"""A trained network as a model folder: ONNX graph, card and, where asked for, a TensorRT engine."""
