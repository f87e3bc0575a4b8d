"""Poses from heat maps and part-affinity fields (PAFs), exactly as OpenPose finds them."""
from wholebody.runtime.paf.decoder import PafDecoder
from wholebody.runtime.paf.options import PafOptions

__all__ = ["PafDecoder", "PafOptions"]
