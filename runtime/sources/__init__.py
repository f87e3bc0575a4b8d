"""Where frames come from: pictures, videos, cameras and streams."""
from wholebody.runtime.sources.base import Source
from wholebody.runtime.sources.opening import open_source

__all__ = ["Source", "open_source"]
