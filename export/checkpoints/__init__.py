"""Readers of training checkpoints: tensors by name, and nothing in a file is ever run."""
