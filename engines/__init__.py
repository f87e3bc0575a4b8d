"""Opening and running models: one class per backend, one place that chooses."""
