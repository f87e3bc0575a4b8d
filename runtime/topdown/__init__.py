"""Top-down networks: one person's box in, that person's keypoints out; all people of a frame in one call."""
