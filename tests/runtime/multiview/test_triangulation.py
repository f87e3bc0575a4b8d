"""Points from several cameras against one point at a time by the plainest means."""
import numpy as np
import pytest
from rigs import HEIGHT, WIDTH, crowd, moved, ring

from wholebody.runtime.multiview.refinement import refine
from wholebody.runtime.multiview.triangulation import (
    TriangulationOptions,
    from_lines,
    in_front,
    most_error,
    reprojection_error,
    triangulate,
)

LIMIT = most_error([(WIDTH, HEIGHT)])


def plain_point(pixels, used, projections):
    """One point by the rows x P3 - P1 and y P3 - P2, and its mean error."""
    rows = []
    for (x, y), use, p in zip(pixels, used, projections):
        if use:
            rows += [x * p[2] - p[0], y * p[2] - p[1]]
    null = np.linalg.svd(np.array(rows))[2][-1]
    point = null[:3] / null[3]
    return point, plain_error(point, pixels, used, projections)


def plain_error(point, pixels, used, projections):
    seen = [p @ np.append(point, 1) for p in projections]
    return np.mean([np.hypot(*(s[:2] / s[2] - pixel)) for s, pixel, use in zip(seen, pixels, used) if use])


@pytest.fixture(name="scene")
def _scene():
    """Projections of four cameras, 75 points with a pixel of noise, and which cameras see which."""
    chance = np.random.RandomState(3)
    cameras = ring(4, lens=np.zeros(5))
    points = crowd(3, 1).reshape(-1, 3)
    pixels = np.stack([camera.see(points) for camera in cameras], axis=1) + chance.normal(0, 1, (75, 4, 2))
    return np.stack([camera.projection for camera in cameras]), points, pixels, chance.uniform(size=(75, 4)) < 0.9


def test_linear_points_and_errors_are_those_of_one_point_at_a_time(scene):
    projections, _, pixels, seen = scene
    seen[seen.sum(axis=1) < 2] = True
    points = from_lines(pixels, seen, projections)
    errors = reprojection_error(points, pixels, seen, projections)
    for n in range(len(pixels)):
        expected, error = plain_point(pixels[n], seen[n], projections)
        np.testing.assert_allclose(points[n], expected, atol=1e-6)
        assert errors[n] == pytest.approx(error, abs=1e-4)


def test_refined_points_are_those_of_scipys_least_squares(scene):
    optimize = pytest.importorskip("scipy.optimize", reason="the reference: pip install scipy")
    projections, _, pixels, seen = scene
    seen[seen.sum(axis=1) < 2] = True
    pixels[::5, 0] += 9.0  # beyond Huber's corner
    start = from_lines(pixels, seen, projections)
    ours = refine(start, pixels, seen, projections)

    def left(point, n):
        """One number a camera: SciPy's loss is of single residuals, OpenPose's of a camera's distance."""
        made = projections @ np.append(point, 1)
        return np.hypot(*(made[:, :2] / made[:, 2:] - pixels[n]).T)[seen[n]]

    for n in range(len(pixels)):
        theirs = optimize.least_squares(left, start[n], loss="huber", f_scale=2.0, args=(n,), xtol=1e-12, ftol=1e-12,
                                        gtol=1e-12)
        huber = [np.where(d <= 2, d * d / 2, 2 * (d - 1)).sum() for d in (left(ours[n], n), left(theirs.x, n))]
        assert huber[0] <= huber[1] + 1e-4
        if huber[0] > huber[1] - 1e-4:
            np.testing.assert_allclose(ours[n], theirs.x, atol=2e-3)


def test_a_pixel_of_noise_is_less_than_half_a_percent_of_the_distance(scene):
    projections, points, pixels, _ = scene
    found = triangulate(pixels, np.ones((75, 4), bool), projections, LIMIT)
    off = np.linalg.norm(found.points - points, axis=1) / 4.0
    assert np.isfinite(found.errors).all()
    assert off.mean() < 0.002
    assert off.max() < 0.005


def test_a_camera_that_was_moved_is_left_out_and_said(scene):
    _, points, pixels, _ = scene
    cameras = ring(4, lens=np.zeros(5))
    cameras[2] = moved(cameras[2], (0.25, 0.0, 0.0))
    found = triangulate(pixels, np.ones((75, 4), bool), np.stack([c.projection for c in cameras]), LIMIT)
    kept = np.isfinite(found.errors)
    assert kept.mean() > 0.95
    assert found.left_out[kept][:, 2].mean() > 0.95
    assert not found.left_out[:, [0, 1, 3]][found.left_out[:, 2]].any()
    assert np.linalg.norm(found.points - points, axis=1)[kept].mean() / 4.0 < 0.005


def test_refining_never_makes_a_point_worse(scene):
    projections, _, pixels, seen = scene
    seen[seen.sum(axis=1) < 2] = True
    linear = triangulate(pixels, seen, projections, LIMIT, TriangulationOptions(least_views=2, refined=False))
    refined = triangulate(pixels, seen, projections, LIMIT, TriangulationOptions(least_views=2))
    both = np.isfinite(linear.errors) & np.isfinite(refined.errors)
    assert both.sum() > 60
    assert refined.errors[both].mean() <= linear.errors[both].mean()


@pytest.mark.parametrize("count, asked, found", [(1, 0, 0), (2, 0, 0), (3, 0, 1), (2, 2, 1)])
def test_too_few_cameras_make_no_point(scene, count, asked, found):
    projections, _, pixels, _ = scene
    seen = np.zeros((1, 4), bool)
    seen[0, :count] = True
    done = triangulate(pixels[:1], seen, projections, LIMIT, TriangulationOptions(least_views=asked))
    assert np.isfinite(done.errors).sum() == found
    assert (done.points[~np.isfinite(done.errors)] == 0).all()


def test_what_no_place_explains_is_not_believed(scene):
    projections, _, pixels, _ = scene
    wild = np.random.RandomState(0).uniform(0, 700, (200, 4, 2))
    found = triangulate(np.concatenate([pixels, wild]), np.ones((275, 4), bool), projections, LIMIT)
    assert np.isfinite(found.errors[:75]).all()
    assert np.isfinite(found.errors[75:]).mean() < 0.1


def test_points_behind_a_camera_are_told(scene):
    projections, points, _, _ = scene
    behind = np.array([[0.0, 0.0, 60.0]])
    assert in_front(points, np.ones((75, 4), bool), projections).all()
    assert not in_front(behind, np.ones((1, 4), bool), projections).any()


def test_nothing_seen_is_nothing_found(scene):
    found = triangulate(np.zeros((0, 4, 2)), np.zeros((0, 4), bool), scene[0], LIMIT)
    assert found.points.shape == (0, 3)
    unseen = triangulate(np.full((5, 4, 2), np.nan), np.zeros((5, 4), bool), scene[0], LIMIT)
    assert not np.isfinite(unseen.errors).any()
