"""Where frames come from: a picture, a folder of pictures or a video file."""
from wholebody.runtime.sources.base import Source
from wholebody.runtime.sources.opening import open_source

__all__ = ["Source", "open_source"]
