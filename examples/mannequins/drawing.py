"""Draw a scene of mannequins: jointed wooden dolls, the left half cool, the right half warm."""

from typing import Callable, List, NamedTuple, Tuple

import cv2
import numpy as np

from . import figure as body
from .backdrop import paint_backdrop
from .paint import Circle, Colour, along, curve, solid, tint
from .scene import Scene

RIGHT_WOOD, LEFT_WOOD = (96, 150, 232), (206, 166, 112)
RIGHT_BALL, LEFT_BALL = (52, 64, 214), (150, 96, 20)
FACE_WOOD, BRASS, SHOE_SOLE = (172, 208, 240), (60, 196, 250), (70, 62, 58)
CLOTHES: Tuple[Colour, ...] = (
    (84, 160, 74), (180, 84, 150), (62, 62, 66), (236, 236, 232), (140, 200, 90), (120, 60, 110),
    (150, 150, 150), (90, 120, 70), (200, 150, 210), (60, 100, 60),
)
HAIR: Tuple[Colour, ...] = ((36, 40, 52), (40, 70, 110), (90, 170, 220), (50, 60, 150), (190, 196, 200))
NOISE_MOST = 6.0
SHADOW = 0.5

Brush = Callable[[], None]


class Doll(NamedTuple):
    """One figure to paint."""

    points: np.ndarray
    """(25, 2) pixels."""
    depths: np.ndarray
    """(25,) pixels towards the viewer."""
    visible: np.ndarray
    """(25,) bool."""
    tall: float
    """Standing height, pixels."""
    shirt: Colour
    shorts: Colour
    hair: Colour


def draw_scene(scene: Scene, seed: int) -> np.ndarray:
    """Draw a scene as a picture (H, W, 3) uint8, BGR; the seed picks clothes and background."""
    rng = np.random.RandomState(seed)
    picture = paint_backdrop(rng, scene.size)
    _shadows(picture, scene)
    for points, depths, visible, tall in zip(scene.keypoints, scene.depths, scene.visible, scene.heights):
        shirt, shorts = (_vary(rng, CLOTHES[rng.randint(0, len(CLOTHES))]) for _ in range(2))
        hair = _vary(rng, HAIR[rng.randint(0, len(HAIR))])
        _doll(picture, Doll(points.astype(float), depths, visible, float(tall), shirt, shorts, hair))
    picture = np.asarray(cv2.resize(picture, scene.size, interpolation=cv2.INTER_AREA))
    light, sigma = rng.uniform(0.82, 1.12), rng.uniform(0, NOISE_MOST)
    noisy = picture.astype(np.float32) * light + rng.normal(0, 1, picture.shape) * sigma
    return np.asarray(np.clip(np.round(noisy), 0, 255), np.uint8)


def _vary(rng: np.random.RandomState, colour: Colour) -> Colour:
    b, g, r = np.clip(np.array(colour) + rng.uniform(-16, 16, 3), 0, 255)
    return (float(b), float(g), float(r))


def _shadows(picture: np.ndarray, scene: Scene) -> None:
    """Darken the floor softly around every foot."""
    shade = np.zeros((scene.size[1], scene.size[0]), np.float32)
    for points, tall in zip(scene.keypoints, scene.heights):
        for foot in ((body.RHEEL, body.RBIGTOE), (body.LHEEL, body.LBIGTOE)):
            x, y = points[list(foot)].mean(axis=0) + (0, 0.012 * tall)
            x0, y0 = max(0, int(x - 0.3 * tall)), max(0, int(y - 0.12 * tall))
            patch = shade[y0:max(0, int(y + 0.12 * tall)), x0:max(0, int(x + 0.3 * tall))]
            rows, columns = np.ogrid[y0:y0 + patch.shape[0], x0:x0 + patch.shape[1]]
            across, down = (columns + 0.5 - x) / (0.115 * tall), (rows + 0.5 - y) / (0.042 * tall)
            soft = SHADOW * np.exp(-across ** 2 - down ** 2)
            np.maximum(patch, soft.astype(np.float32), out=patch)
    light = 1 - cv2.resize(shade, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
    picture[:] = (picture * light[..., None]).astype(np.uint8)


def _doll(picture: np.ndarray, doll: Doll) -> None:
    """Paint the parts of a figure, the far ones first."""
    parts: List[Tuple[float, Brush]] = []
    parts.append((float(doll.depths[[body.NECK, body.MIDHIP]].mean()), lambda: _torso(picture, doll)))
    parts.append((float(doll.depths[[body.REAR, body.LEAR, body.NOSE]].mean()) + 0.05 * doll.tall,
                  lambda: _head(picture, doll)))
    sides = ((body.RIGHT, RIGHT_WOOD, RIGHT_BALL), (body.LEFT, LEFT_WOOD, LEFT_BALL))
    for joints, wood, ball in sides:
        parts += _limbs(picture, doll, joints, wood, ball)
    for _, brush in sorted(parts, key=lambda part: part[0]):
        brush()


def _limbs(picture: np.ndarray, doll: Doll, joints: Tuple[int, ...], wood: Colour,
           ball: Colour) -> List[Tuple[float, Brush]]:
    """Depth and brush of every part of one arm and one leg."""
    shoulder, elbow, wrist, hip, knee, ankle, big_toe, small_toe, heel = joints
    p, z, tall = doll.points, doll.depths, doll.tall
    parts: List[Tuple[float, Brush]] = []

    def part(keypoints: Tuple[int, ...], circles: List[Circle], colour: Colour, nearer: float = 0.0) -> None:
        depth = float(z[list(keypoints)].mean()) + nearer * tall
        parts.append((depth, lambda: solid(picture, circles, colour)))

    def segment(a: int, b: int, radius_a: float, radius_b: float, colour: Colour) -> None:
        bulge = (0.35, 1.08 * radius_a * tall)
        part((a, b), along(p[a], p[b], (0.14, 0.8 * radius_a * tall), bulge, (0.86, radius_b * tall)), colour)

    def joint(keypoint: int, radius: float, nearer: float = 0.012) -> None:
        part((keypoint,), along(p[keypoint], p[keypoint], (0, radius * tall)), ball, nearer)

    segment(shoulder, elbow, 0.036, 0.028, wood)
    segment(elbow, wrist, 0.030, 0.021, tint(wood, 1.2))
    segment(hip, knee, 0.050, 0.034, wood)
    segment(knee, ankle, 0.037, 0.023, tint(wood, 1.2))
    for keypoint, radius in ((elbow, 0.027), (knee, 0.032)):
        joint(keypoint, radius)
    joint(ankle, 0.024, 0.05)
    joint(shoulder, 0.038, 0.06)
    joint(hip, 0.036, 0.06)
    parts.append((float(z[wrist]) + 0.014 * tall, lambda: _hand(picture, doll, (elbow, wrist), wood, ball)))
    foot = float(z[[ankle, big_toe]].mean())
    parts.append((foot, lambda: _foot(picture, doll, (heel, big_toe, small_toe, ankle), wood, ball)))
    return parts


def _hand(picture: np.ndarray, doll: Doll, arm: Tuple[int, int], wood: Colour, ball: Colour) -> None:
    """A mitten with a thumb, pointing where the forearm points, and the wrist's ball."""
    elbow, wrist = doll.points[arm[0]], doll.points[arm[1]]
    forward = wrist - elbow
    forward = forward / max(float(np.hypot(*forward)), 1e-6) * doll.tall
    across = np.array([-forward[1], forward[0]]) * (1 if arm[1] == body.RWRIST else -1)
    thumb = wrist + 0.045 * forward + 0.035 * across
    solid(picture, along(wrist + 0.02 * forward, thumb, (0, 0.012 * doll.tall), (1, 0.009 * doll.tall)), wood)
    tip = wrist + 0.07 * forward
    solid(picture, along(wrist, tip, (0.2, 0.016 * doll.tall), (0.6, 0.023 * doll.tall),
                         (1, 0.014 * doll.tall)), tint(wood, 1.1))
    solid(picture, along(wrist, wrist, (0, 0.021 * doll.tall)), ball)


def _foot(picture: np.ndarray, doll: Doll, keypoints: Tuple[int, int, int, int], wood: Colour,
          ball: Colour) -> None:
    """A wooden foot with five toes and a coloured heel."""
    heel, big_toe, small_toe, ankle = doll.points[list(keypoints)]
    tall = doll.tall
    heel_part = along(heel, heel, (0, 0.021 * tall))
    sole = along(heel, big_toe, (0.25, 0.022 * tall), (0.85, 0.018 * tall))
    sole += along(heel, small_toe, (0.85, 0.016 * tall)) + along(heel, ankle, (0.8, 0.02 * tall))
    toes_first = doll.depths[keypoints[1]] < doll.depths[keypoints[0]]
    if not toes_first:
        solid(picture, heel_part, ball)
    solid(picture, sole, tint(wood, 0.9))
    for share in (1.0, 0.75, 0.5, 0.25, 0.0):
        solid(picture, along(big_toe, small_toe, (share, (0.019 - 0.006 * share) * tall)),
              ball if share in (0.0, 1.0) else tint(wood, 1.25))
    if toes_first:
        solid(picture, heel_part, ball)


def _torso(picture: np.ndarray, doll: Doll) -> None:
    """Hips in shorts, chest in a shirt, a brass collar button at the neck and a brass buckle at the hip."""
    p, tall = doll.points, doll.tall
    neck, hip = p[body.NECK], p[body.MIDHIP]
    waist = neck + 0.72 * (hip - neck)
    head = p[[body.REAR, body.LEAR]].mean(axis=0)
    solid(picture, along(neck, head, (0, 0.030 * tall), (0.5, 0.026 * tall)), FACE_WOOD)
    solid(picture, along(p[body.RHIP], p[body.LHIP], (0, 0.054 * tall), (1, 0.054 * tall))
          + along(hip, waist, (0.9, 0.055 * tall)), doll.shorts)
    solid(picture, along(p[body.RSHOULDER], p[body.LSHOULDER], (0.04, 0.042 * tall), (0.96, 0.042 * tall))
          + along(neck, waist, (0.85, 0.062 * tall)), doll.shirt)
    for share in (0.2, 0.4, 0.6):
        solid(picture, along(neck, hip, (share, 0.007 * tall)), tint(doll.shirt, 0.6))
    for centre in (neck, hip):
        solid(picture, along(centre, centre, (0, 0.022 * tall)), BRASS)


def _head(picture: np.ndarray, doll: Doll) -> None:
    """An egg of light wood with hair, and ears in the colours of their sides."""
    p, z, tall = doll.points, doll.depths, doll.tall
    centre = p[[body.REAR, body.LEAR]].mean(axis=0)
    facing = p[body.NOSE] - centre
    up = centre - p[body.NECK]
    up = up / max(float(np.hypot(*up)), 1e-6) * tall
    crown, chin = centre + 0.028 * up, centre - 0.020 * up
    ears = ((body.REAR, RIGHT_BALL), (body.LEAR, LEFT_BALL))
    far_ear, near_ear = sorted(ears, key=lambda ear: float(z[ear[0]]))
    _ball(picture, p[far_ear[0]], 0.022 * tall, far_ear[1])
    solid(picture, along(crown - 0.25 * facing, chin, (0, 0.080 * tall), (0.5, 0.076 * tall)), doll.hair)
    front = 0.12 * facing
    solid(picture, along(crown + front, chin + front, (0.3, 0.069 * tall), (1, 0.062 * tall)), FACE_WOOD)
    fringe = crown + 0.030 * up
    solid(picture, along(fringe - 0.3 * facing, fringe, (0, 0.052 * tall), (1, 0.044 * tall)), doll.hair)
    _ball(picture, p[near_ear[0]], 0.022 * tall, near_ear[1])
    _face(picture, doll, up)


def _face(picture: np.ndarray, doll: Doll, up: np.ndarray) -> None:
    """Eyes, a smile below them, and the nose last."""
    p, tall = doll.points, doll.tall
    hidden = body.hidden_face(np.column_stack([p, doll.depths]) / tall)
    across = 0.6 * (p[body.LEYE] - p[body.REYE])
    mouth = 0.5 * (p[body.REYE] + p[body.LEYE]) - 0.056 * up
    smile = np.array([mouth + s * across + s * s * 0.010 * up for s in np.linspace(-1, 1, 7)])
    curve(picture, smile, (60, 50, 120), 0.008 * tall)
    for eye, colour in ((body.REYE, RIGHT_BALL), (body.LEYE, LEFT_BALL)):
        if not hidden[eye]:
            _ball(picture, p[eye], 0.017 * tall, (250, 250, 250))
            _ball(picture, p[eye], 0.010 * tall, tint(colour, 0.6))
    if not hidden[body.NOSE]:
        _ball(picture, p[body.NOSE], 0.015 * tall, (110, 140, 240))


def _ball(picture: np.ndarray, centre: np.ndarray, radius: float, colour: Colour) -> None:
    solid(picture, ((float(centre[0]), float(centre[1]), radius),), colour)
