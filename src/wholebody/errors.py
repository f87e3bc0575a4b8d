"""Everything that can go wrong, said in one line: what, where, got, expected, and the next command.

WholebodyError
|-- SkeletonError        a keypoint set is unknown or malformed
|-- ShapeError           an array has the wrong shape or type (also a ValueError)
|-- CardError            a model card is missing, malformed, or does not fit its model
|-- ModelError           a model file cannot be read, opened or run
|-- BuildError           an engine cannot be built
|-- EngineMismatch       an engine is damaged, mixed up, or was built for another board or TensorRT (also a ModelError)
|-- CheckpointError      a training checkpoint cannot be read, or holds no network that is known
|-- SourceError          a picture, folder or video cannot be read
|-- OutputError          a result cannot be written
|-- EvaluationError      annotations and results cannot be compared
|-- CameraError          a camera file is missing, malformed, or does not fit its frames
`-- MissingPackage       an optional package is not installed (also an ImportError)
"""


class WholebodyError(Exception):
    """An error whose message is one line written for the user; the CLI prints it and exits with 1."""


class SkeletonError(WholebodyError):
    """A keypoint set is unknown or malformed."""


class ShapeError(WholebodyError, ValueError):
    """An array has the wrong shape or type."""


class CardError(WholebodyError):
    """A model card is missing, malformed, or does not fit its model."""


class ModelError(WholebodyError):
    """A model file cannot be read, opened or run."""


class BuildError(WholebodyError):
    """An engine cannot be built."""


class EngineMismatch(ModelError):
    """An engine is damaged, mixed up, or was built for another board or TensorRT."""


class CheckpointError(WholebodyError):
    """A training checkpoint cannot be read, or holds no network that is known."""


class SourceError(WholebodyError):
    """A picture, folder or video cannot be read."""


class OutputError(WholebodyError):
    """A result cannot be written."""


class EvaluationError(WholebodyError):
    """Annotations and results cannot be compared."""


class CameraError(WholebodyError):
    """A camera file is missing, malformed, or does not fit its frames."""


class MissingPackage(WholebodyError, ImportError):
    """An optional package is not installed."""
