"""Where results go: OpenPose's JSON, COCO's JSON, pictures, video and heat maps."""
from wholebody.runtime.sinks.alphapose_json import AlphaPoseJson
from wholebody.runtime.sinks.base import Details, Sink
from wholebody.runtime.sinks.coco_json import CocoJson
from wholebody.runtime.sinks.heatmap_files import HeatmapFiles
from wholebody.runtime.sinks.messages import JsonLines
from wholebody.runtime.sinks.mqtt import MqttMessages
from wholebody.runtime.sinks.openpose_json import OpenPoseJson
from wholebody.runtime.sinks.overlay_pictures import OverlayPictures
from wholebody.runtime.sinks.overlay_video import OverlayVideo

__all__ = ["AlphaPoseJson", "CocoJson", "Details", "HeatmapFiles", "JsonLines", "MqttMessages",
           "OpenPoseJson", "OverlayPictures", "OverlayVideo", "Sink"]
