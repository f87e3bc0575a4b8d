"""Drawn people who walk, cross and are missed now and then: what a tracker gets to see, and who they really are."""
import numpy as np

from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("COCO_17")
# A person of height 1 about the middle: x, y of COCO's keypoints.
FIGURE = np.array([
    [0, -.45], [.02, -.47], [-.02, -.47], [.05, -.46], [-.05, -.46], [.12, -.33], [-.12, -.33], [.16, -.17],
    [-.16, -.17], [.17, 0], [-.17, 0], [.08, 0], [-.08, 0], [.09, .22], [-.09, .22], [.09, .45], [-.09, .45]])
SWING = np.array([0] * 7 + [1, -1, 2, -2, 0, 0, -1.5, 1.5, -2, 2])


class Walkers:
    """Frames of `count` people on straight ways through one scene; `missed` and `noise` spoil what is seen."""

    def __init__(self, count, seed=0, size=(1280, 720), fps=30.0, missed=0.1, noise=0.01):
        self.drawn = np.random.RandomState(seed)
        self.fps, self.missed, self.noise, self.count = fps, missed, noise, count
        self.height = self.drawn.uniform(0.2, 0.45, count) * size[1]
        start = self.drawn.uniform(0.05, 0.95, (count, 2)) * size
        start[:, 1] = self.drawn.uniform(0.35, 0.75, count) * size[1]
        self.start = start
        self.speed = np.stack([self.drawn.choice([-1, 1], count) * self.drawn.uniform(0.3, 1.0, count) * self.height,
                               self.drawn.uniform(-0.05, 0.05, count) * self.height], axis=1)
        self.phase = self.drawn.uniform(0, 6.3, count)

    def truth(self, index):
        """Keypoints (count, 17, 2) without any error."""
        seconds = index / self.fps
        swing = 0.06 * np.sin(6.3 * 0.9 * seconds + self.phase)[:, None] * SWING
        figure = np.stack([FIGURE[:, 0] + swing, np.broadcast_to(FIGURE[:, 1], swing.shape)], axis=2)
        return figure * self.height[:, None, None] + (self.start + self.speed * seconds)[:, None]

    def frame(self, index):
        """Poses in any order, and the number of the person that each really is."""
        truth = self.truth(index)
        seen = np.nonzero(self.drawn.uniform(size=self.count) >= self.missed)[0]
        order = self.drawn.permutation(seen)
        keypoints = truth[order] + self.drawn.normal(0, 1, (len(order), 17, 2)) * (
            self.noise * self.height[order])[:, None, None]
        scores = np.where(self.drawn.uniform(size=(len(order), 17)) < 0.1, 0, 0.8)
        return Poses(keypoints * (scores > 0)[..., None], scores, np.full(len(order), 0.8), SKELETON), order
