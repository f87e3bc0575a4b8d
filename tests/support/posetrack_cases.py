"""Clips in PoseTrack's layout, drawn by chance from a seed, for comparisons of evaluators."""
import json
import random

NAMES = ("nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
         "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
         "right_ankle")
CASES = ("perfect", "shifted", "missing", "exchanged", "false", "emptied")
CLIPS = ("000001_mpii_test", "000002_mpii_test", "000003_mpii_test")


def labels(seed=5, frames=7):
    """File name -> a clip; people walk, joints come and go, one clip has a region to ignore, one frame no labels."""
    chance = random.Random(seed)
    clips = {}
    for c, clip in enumerate(CLIPS):
        images, annotations = [], []
        starts = [(chance.uniform(50, 500), chance.uniform(50, 300)) for _ in range(chance.randrange(2, 5))]
        bodies = [[(chance.uniform(0, 60), chance.uniform(0, 150)) for _ in NAMES] for _ in starts]
        for f in range(frames):
            number = 10000000000 + 10000 * (c + 1) + f
            image = {"id": number, "frame_id": number, "file_name": "images/val/%s/%06d.jpg" % (clip, f),
                     "vid_id": clip[:6], "nframes": frames, "is_labeled": True}
            if c == 1:
                image.update(ignore_regions_x=[[0, 200, 200, 0]], ignore_regions_y=[[0, 0, 260, 260]])
            images.append(image)
            for person, (x, y) in enumerate(starts):
                if (c, f) == (2, 3):
                    continue
                annotations.append(_person(chance, number, person, x + 9 * f, y + 4 * f, bodies[person]))
        clips[clip + ".json"] = {"images": images, "annotations": annotations,
                                 "categories": [{"id": 1, "name": "person", "keypoints": list(NAMES)}]}
    return clips


def _person(chance, number, person, x, y, body):
    keypoints = []
    for k, (dx, dy) in enumerate(body):
        seen = chance.random() < 0.85 and NAMES[k] not in ("left_ear", "right_ear")
        keypoints += [round(x + dx, 3), round(y + dy, 3), 1] if seen else [0, 0, 0]
    return {"image_id": number, "id": 100 * number + person, "track_id": person, "category_id": 1,
            "keypoints": keypoints, "scores": [], "bbox": [x, y, 60, 150], "bbox_head": [x, y, 24, 30]}


def results(clips, case, seed=2):
    """What a tracker finds: each of CASES goes wrong in its own way."""
    chance = random.Random("%s %d" % (case, seed))
    found = {}
    for name, clip in clips.items():
        people = []
        for label in clip["annotations"]:
            frame = label["image_id"] % 10000
            if case == "missing" and chance.random() < 0.3:
                continue
            if case == "emptied" and frame == 2:
                continue
            person = _found(chance, label, case)
            if case == "exchanged" and frame >= 3:
                person["track_id"] = {0: 1, 1: 0}.get(person["track_id"], person["track_id"])
            people.append(person)
            if case == "false" and chance.random() < 0.5:
                wrong = json.loads(json.dumps(person))
                wrong["keypoints"] = [v + (80 if i % 3 < 2 and v else 0) for i, v in enumerate(wrong["keypoints"])]
                wrong["scores"] = [round(chance.random(), 6) for _ in NAMES]
                people.append(dict(wrong, track_id=50 + wrong["track_id"]))
        found[name] = {"images": clip["images"], "annotations": people, "categories": clip["categories"]}
    return found


def _found(chance, label, case):
    values = [float(v) for v in label["keypoints"]]
    noise = {"shifted": 7.0, "false": 3.0, "missing": 4.0, "exchanged": 4.0, "emptied": 4.0}.get(case, 0.0)
    for i in range(0, len(values), 3):
        if values[i + 2]:
            values[i] += chance.gauss(0, noise) if noise else 0
            values[i + 1] += chance.gauss(0, noise) if noise else 0
            if case == "missing" and chance.random() < 0.2:
                values[i:i + 3] = [0, 0, 0]
    return {"image_id": label["image_id"], "track_id": label["track_id"], "category_id": 1, "keypoints": values,
            "scores": [round(chance.random(), 6) for _ in NAMES]}
