"""Where people are: detector networks, boxes from a file, or the whole frame as one person's box."""
from wholebody.runtime.detection.finder import BoxFinder, Search

__all__ = ["BoxFinder", "Search"]
