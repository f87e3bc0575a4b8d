"""Several calibrated cameras looking at the same people: their keypoints in three dimensions."""
from wholebody.runtime.multiview.cameras import Camera, read_cameras, write_camera
from wholebody.runtime.multiview.people import Rig, View
from wholebody.runtime.multiview.triangulation import TriangulationOptions, triangulate

__all__ = ["Camera", "Rig", "TriangulationOptions", "View", "read_cameras", "triangulate", "write_camera"]
