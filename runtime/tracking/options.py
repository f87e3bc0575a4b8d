"""How people are followed."""
from typing import NamedTuple, Optional

from wholebody.runtime.tracking.appearance import Appearance
from wholebody.runtime.tracking.identity_matching import MatchOptions
from wholebody.runtime.tracking.one_euro import Smoothing

WAYS = ("oks", "alphapose", "poseflow")


class TrackOptions(NamedTuple):
    """How people are followed: the way, and what it goes by."""

    smooth: bool = False         # keypoints go through the One-Euro filter
    smoothing: Smoothing = Smoothing()
    least: float = 0.25          # similarity of a pose and where a person should be, below which it is somebody else
    remembered: float = 1.0      # seconds that somebody who is not seen is looked for
    hits: int = 2                # times that somebody is seen before getting a number,
    born: float = 0.2            # and the score that is needed on average; who has a number keeps it below as well
    ids: bool = True             # give them out
    way: str = WAYS[0]           # all above but smoothing is for this one
    matching: MatchOptions = MatchOptions()    # of alphapose
    appearance: Optional[Appearance] = None    # of alphapose: what people look like
