"""Who is who from frame to frame, and keypoints that do not tremble."""
from wholebody.runtime.tracking.following import Follower, follower
from wholebody.runtime.tracking.options import WAYS, TrackOptions
from wholebody.runtime.tracking.tracker import Tracker

__all__ = ["WAYS", "Follower", "TrackOptions", "Tracker", "follower"]
