"""Who is who among the people that several cameras see."""
from typing import TYPE_CHECKING, List, NamedTuple, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_LEAST_POINTS = 3   # that two views must share to be compared
_PART_OF_PERSON = 0.1  # of the longer side of somebody's box: two points further apart are not the same


class SeenPeople(NamedTuple):
    """One camera's people."""

    pixels: "npt.NDArray[np.float64]"  # (N, K, 2) undistorted
    seen: "npt.NDArray[np.bool_]"      # (N, K)


class _Guess(NamedTuple):
    """One person each of two views, and who in the other views stands where that would put them."""

    members: "npt.NDArray[np.int64]"  # (V,), -1 where nobody does
    error: float


def match_people(views: Sequence[SeenPeople], projections: "npt.NDArray[np.float64]",
                 limit: float) -> "npt.NDArray[np.int64]":
    """Groups (G, V): a person's place among each camera's people, or -1.

    Two views alone say little: cameras at one height see all heads on one line. So every pair that can be the same
    person is placed in the world, and who stands there in the other views speaks for it. Most voices first, then the
    least error. Where nobody sees more than one person they are taken for the same, as OpenPose does.
    """
    counts = [len(view.pixels) for view in views]
    if sum(count > 0 for count in counts) < 2:
        return np.zeros((0, len(views)), np.int64)
    if max(counts) == 1:
        return np.array([[0 if count else -1 for count in counts]])
    guesses: List[_Guess] = []
    for a in range(len(views)):
        for b in range(a + 1, len(views)):
            guesses += _guesses(a, b, views, projections, limit)
    guesses.sort(key=lambda guess: (-int((guess.members >= 0).sum()), guess.error))
    free = [np.ones(count, bool) for count in counts]
    groups: List["npt.NDArray[np.int64]"] = []
    for whole in (True, False):  # then what is left of guesses that lost somebody to a better one
        for guess in guesses:
            members = np.array([who if who >= 0 and free[view][who] else -1 for view, who in enumerate(guess.members)])
            if (members >= 0).sum() >= 2 and not (whole and (members != guess.members).any()):
                groups.append(members)
                for view in np.nonzero(members >= 0)[0]:
                    free[view][members[view]] = False
    return np.array(groups, np.int64).reshape(-1, len(views))


def _guesses(a: int, b: int, views: Sequence[SeenPeople], projections: "npt.NDArray[np.float64]",
             limit: float) -> List[_Guess]:
    """Every pair of people of two views that can be one, with who else agrees."""
    first, second = views[a], views[b]
    i, j = np.nonzero(_off_the_line(first, second, projections[a], projections[b]) < 2 * limit)
    if not i.size:
        return []
    both = first.seen[i] & second.seen[j]
    there, before = _between_rays(first.pixels[i], second.pixels[j], projections[a], projections[b])
    believed = both & before
    members = np.full((len(i), len(views)), -1)
    members[:, a], members[:, b] = i, j
    # The distance between two rays shows in both pictures; the larger of both means counts.
    error = np.maximum(_distance(there, believed, first.pixels[i], projections[a]),
                       _distance(there, believed, second.pixels[j], projections[b]))
    possible = error < np.minimum(limit, _PART_OF_PERSON * np.minimum(_sides(first)[i], _sides(second)[j]))
    voices = np.ones(len(i))
    for view in range(len(views)):
        if view in (a, b) or not len(views[view].pixels):
            continue
        distance = np.stack([_distance(there, believed & views[view].seen[who], views[view].pixels[who],
                                       projections[view]) for who in range(len(views[view].pixels))], axis=1)
        who = distance.argmin(axis=1)
        nearest = distance[np.arange(len(i)), who]
        agrees = nearest < np.minimum(limit, _PART_OF_PERSON * _sides(views[view])[who])
        members[agrees, view] = who[agrees]
        error = np.where(agrees, error + nearest, error)
        voices += agrees
    return [_Guess(members[n], float(error[n] / voices[n])) for n in np.nonzero(possible)[0]]


def _between_rays(first: "npt.NDArray[np.float64]", second: "npt.NDArray[np.float64]",
                  one: "npt.NDArray[np.float64]", other: "npt.NDArray[np.float64]"
                  ) -> "Tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]":
    """Where rays of two cameras' pixels (n, K, 2) pass nearest to each other (n, K, 3), and whether before both."""
    start_one, start_other = (-np.linalg.solve(camera[:, :3], camera[:, 3]) for camera in (one, other))
    along_one, along_other = (np.concatenate([pixels, np.ones(pixels.shape[:2] + (1,))], axis=2)
                              @ np.linalg.inv(camera[:, :3]).T for pixels, camera in ((first, one), (second, other)))
    gap = start_other - start_one
    aa, bb, ab = ((u * v).sum(axis=2) for u, v in ((along_one, along_one), (along_other, along_other),
                                                   (along_one, along_other)))
    ga, gb = along_one @ gap, along_other @ gap
    with np.errstate(divide="ignore", invalid="ignore"):
        s, t = (ga * bb - gb * ab) / (aa * bb - ab * ab), (ga * ab - gb * aa) / (aa * bb - ab * ab)
    there = 0.5 * (start_one + s[..., None] * along_one + start_other + t[..., None] * along_other)
    return there, np.isfinite(there).all(axis=2) & (s > 0) & (t > 0)


def _off_the_line(first: SeenPeople, second: SeenPeople, one: "npt.NDArray[np.float64]",
                  other: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """How far (N, M), on average, the second's points are from the lines on which the first's must be: a cheap look."""
    centre = np.append(-np.linalg.solve(one[:, :3], one[:, 3]), 1.0)
    pole = other @ centre
    cross = np.array([[0, -pole[2], pole[1]], [pole[2], 0, -pole[0]], [-pole[1], pole[0], 0]])
    fundamental = cross @ other @ np.linalg.pinv(one)
    lines = first.pixels @ fundamental[:, :2].T + fundamental[:, 2]
    lines = lines / np.maximum(np.sqrt((lines[..., :2] ** 2).sum(axis=-1, keepdims=True)), 1e-12)
    apart = np.abs(np.einsum("nkc,mkc->nmk", lines[..., :2], second.pixels) + lines[:, None, :, 2])
    shared = first.seen[:, None] & second.seen[None]
    count = shared.sum(axis=2)
    return np.where(count >= _LEAST_POINTS, np.where(shared, apart, 0.0).sum(axis=2) / np.maximum(count, 1), np.inf)


def _distance(there: "npt.NDArray[np.float64]", shared: "npt.NDArray[np.bool_]", pixels: "npt.NDArray[np.float64]",
              projection: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
    """Mean distance (n,) of points (n, K, 3) as a camera sees them from pixels (n, K, 2) or (K, 2), where shared."""
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = there @ projection[:, :3].T + projection[:, 3]
        apart = np.sqrt(((seen[..., :2] / seen[..., 2:] - pixels) ** 2).sum(axis=-1))
        mean = np.where(shared, apart, 0.0).sum(axis=-1) / shared.sum(axis=-1)
    return np.where((shared.sum(axis=-1) >= _LEAST_POINTS) & np.isfinite(mean), mean, np.inf)


def _sides(people: SeenPeople) -> "npt.NDArray[np.float64]":
    """The longer side (N,) of what is seen of each."""
    seen = people.seen[..., None]
    low = np.where(seen, people.pixels, np.inf).min(axis=1)
    high = np.where(seen, people.pixels, -np.inf).max(axis=1)
    return np.asarray(np.maximum(np.where(np.isfinite(high - low), high - low, 0.0).max(axis=1), 1.0))
