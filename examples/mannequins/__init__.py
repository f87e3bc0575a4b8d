"""Drawn mannequins: a scene generator with known truth, and a tiny network trained on its drawings."""
