"""Faces and hands by networks of their own, beside one for bodies: one whole body."""
