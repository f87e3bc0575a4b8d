"""Pictures of the stick figures that onnx_bytes.stick_net finds."""
import numpy as np

COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def draw_sticks(count, width=112, height=64):
    """Blue, green and red blobs one below the other, `count` times; never centred on a cell."""
    rows, columns = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3), np.float32)
    for stick in range(count):
        for joint, color in enumerate(COLORS):
            x, y = 14 + 24 * stick, 11 + 18 * joint
            blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 60.0)[..., None]
            image = np.maximum(image, blob * color)
    return image.round().astype(np.uint8)
