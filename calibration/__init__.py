"""Precision and its price: image batches, ranges, quantised graphs, accuracy."""
