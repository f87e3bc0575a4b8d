"""A bundle: a folder with a network, its gate and the device side, copied to a board and started there."""
