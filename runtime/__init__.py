"""From frames to poses: sources, preprocessing, decoding, pipeline and sinks."""
