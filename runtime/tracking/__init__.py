"""Who is who from frame to frame, and keypoints that do not tremble."""
from wholebody.runtime.tracking.tracker import Tracker, TrackOptions

__all__ = ["TrackOptions", "Tracker"]
