"""Host side: checkpoints and foreign models become ONNX files with a card inside."""
