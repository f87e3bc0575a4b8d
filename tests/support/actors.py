"""Drawn people in clothes of their own who walk, cross and go behind things for a while: pictures, and who is who."""
import numpy as np
from mannequins.drawing import Doll, _doll
from mannequins.figure import random_figure
from mannequins.paint import SCALE

from wholebody.poses import Poses
from wholebody.skeletons import get_skeleton

SKELETON = get_skeleton("BODY_25")
FPS = 25.0
BACKDROP = (196, 206, 214)


class Actors:
    """Frames of `count` people; some are missed for single frames, and each is out of sight once for some seconds."""

    def __init__(self, count, seed=0, size=(640, 360), missed=0.15, noise=0.01, frames=150):
        import cv2
        self._cv2 = cv2
        chance = self.drawn = np.random.RandomState(seed)
        self.size, self.missed, self.noise, self.count = size, missed, noise, count
        self.tall = chance.uniform(0.45, 0.7, count) * size[1]
        self.figures = np.array([random_figure(chance) for _ in range(count)]) * self.tall[:, None, None]
        self.start = chance.uniform((0.1, 0.5), (0.9, 0.6), (count, 2)) * size
        self.speed = chance.choice([-1, 1], count) * chance.uniform(0.15, 0.4, count) * self.tall
        self.clothes = chance.randint(20, 235, (count, 3, 3))
        self.hidden = np.sort(chance.uniform(0.2, 0.7, (count, 1)) * frames + [0, FPS * 2.0], axis=1)

    def truth(self, index):
        """Keypoints (count, 25, 2); who comes to an edge turns round."""
        width = self.size[0]
        x = np.mod(self.start[:, 0] + self.speed * index / FPS, 2 * width)
        x = np.where(x > width, 2 * width - x, x)
        return self.figures[..., :2] + np.stack([x, self.start[:, 1]], axis=1)[:, None]

    def _dress(self, picture, points, tall, shirt, trousers):
        """Sleeves and trouser legs: the bare doll's limbs are the same for all."""
        at = {name: tuple(int(round(v * SCALE)) for v in point) for name, point in zip(SKELETON.keypoints, points)}
        wide = max(2, int(round(0.055 * tall * SCALE)))
        for side in ("left_", "right_"):
            for one, other, colour in (("shoulder", "elbow", shirt), ("hip", "knee", trousers),
                                       ("knee", "ankle", trousers)):
                self._cv2.line(picture, at[side + one], at[side + other], colour, wide)

    def frame(self, index):
        """A picture, poses in any order, and the number of the person that each really is."""
        cv2, (width, height) = self._cv2, self.size
        picture = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
        picture[:] = BACKDROP
        truth = self.truth(index)
        away = (self.hidden[:, 0] <= index) & (index < self.hidden[:, 1])
        for who in np.nonzero(~away)[0]:
            shirt, shorts, hair = (tuple(float(v) for v in colour) for colour in self.clothes[who])
            _doll(picture, Doll(truth[who], self.figures[who, :, 2], np.ones(25, bool), float(self.tall[who]), shirt,
                                shorts, hair))
            self._dress(picture, truth[who], self.tall[who], shirt, shorts)
        picture = np.asarray(cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA))
        seen = np.nonzero(~away & (self.drawn.uniform(size=self.count) >= self.missed))[0]
        order = self.drawn.permutation(seen)
        tremble = self.noise * self.tall[order][:, None, None]
        keypoints = truth[order] + self.drawn.normal(0, 1, (len(order), 25, 2)) * tremble
        scores = np.where(self.drawn.uniform(size=(len(order), 25)) < 0.1, 0, 0.8)
        return picture, Poses((keypoints * (scores > 0)[..., None]).astype(np.float32), scores.astype(np.float32),
                              np.full(len(order), 0.8, np.float32), SKELETON), order
