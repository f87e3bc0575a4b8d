"""Pose networks in torch, described by small tables; their tensors carry the official names."""
