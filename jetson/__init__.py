"""Facts about boards: identity, power, telemetry, limits. Standard library and NumPy only."""
