"""Labels and results of people with many points, drawn by chance from a seed, for comparisons of evaluators."""
import json
import random

FIELDS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
CASES = ("perfect", "shifted", "missing", "swapped", "ranked", "false", "boxed")


def labels(fields, images=6, people=4, seed=7):
    """Annotations with `fields` (name -> points); some parts and people have no points, two are crowds."""
    chance = random.Random(seed)
    entries = []
    for image in range(1, images + 1):
        for _ in range(chance.randrange(1, people + 1)):
            side = chance.choice((20.0, 60.0, 150.0))
            x, y = chance.uniform(0, 400), chance.uniform(0, 300)
            entry = {"id": len(entries) + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
                     "bbox": [x, y, side, 2 * side], "area": side * side * chance.uniform(0.8, 1.6)}
            for name, count in fields.items():
                entry[name] = _points(chance, count, (x, y, side, 2 * side), unseen=chance.random() < 0.25)
            entry["num_keypoints"] = sum(v > 0 for v in entry["keypoints"][2::3])
            entries.append(entry)
    entries[1]["iscrowd"] = 1
    nobody = dict(entries[-1], id=len(entries) + 1, num_keypoints=0, iscrowd=1)
    nobody.update({name: [0.0] * (3 * count) for name, count in fields.items()})
    return {"images": [{"id": i, "file_name": "%d.jpg" % i, "width": 640, "height": 480}
                       for i in range(1, images + 1)],
            "annotations": entries + [nobody], "categories": [{"id": 1, "name": "person"}]}


def results(truth, case, seed=3):
    """What a model of this kind finds: each of CASES goes wrong in its own way."""
    chance = random.Random("%s %d" % (case, seed))
    found = []
    for number, label in enumerate(truth["annotations"]):
        names = [name for name in FIELDS if name in label]
        if not any(v > 0 for name in names for v in label[name][2::3]):
            if case == "false" and label["iscrowd"]:  # a crowd without points: whoever is found in it does not count
                found += [_inside(chance, label, names) for _ in range(3)]
            continue
        if case == "missing" and number % 3 == 0:
            continue
        entry = {"image_id": label["image_id"], "category_id": 1, "score": round(chance.random(), 6)}
        for name in names:
            entry[name] = _found(chance, label, name, case)
            if case == "ranked" and name != "keypoints":
                entry[name.replace("kpts", "score")] = round(chance.random(), 6)
        if case == "swapped" and "lefthand_kpts" in entry and chance.random() < 0.6:
            entry["lefthand_kpts"], entry["righthand_kpts"] = entry["righthand_kpts"], entry["lefthand_kpts"]
        if case == "ranked":
            entry["wholebody_score"] = round(chance.random(), 6)
        if case == "boxed":  # what decides about the areas of what nobody labelled
            entry["bbox"] = [0, 0, 50 if number % 2 else 500, 60]
        found.append(entry)
        if case in ("false", "boxed"):
            wrong = json.loads(json.dumps(entry))
            for name in names:
                wrong[name] = [v + (200 if i % 3 < 2 else 0) for i, v in enumerate(wrong[name])]
            found.append(dict(wrong, score=round(chance.random(), 6)))
    return found


def _inside(chance, label, names):
    entry = {"image_id": label["image_id"], "category_id": 1, "score": round(chance.random(), 6)}
    for name in names:
        entry[name] = [v or 1 for v in _points(chance, len(label[name]) // 3, label["bbox"], unseen=False)]
    return entry


def _points(chance, count, box, unseen):
    if unseen:
        return [0.0] * (3 * count)
    x, y, width, height = box
    values = []
    for _ in range(count):
        v = chance.choice((0, 1, 2, 2))
        values += [round(x + width * chance.random(), 2), round(y + height * chance.random(), 2), v] if v else [0, 0, 0]
    return values


def _found(chance, label, name, case):
    values = [float(v) for v in label[name]]
    noise = {"shifted": 0.03, "ranked": 0.05, "missing": 0.01, "boxed": 0.02}.get(case, 0.0) * label["area"] ** 0.5
    for i in range(0, len(values), 3):
        values[i] += chance.gauss(0, noise) if noise else 0
        values[i + 1] += chance.gauss(0, noise) if noise else 0
        values[i + 2] = round(chance.random(), 3) if values[i + 2] else 0.0
    if case == "missing" and chance.random() < 0.3:
        values = [0.0] * len(values)
    if case == "swapped" and chance.random() < 0.6:
        for a, b in _sides(name, len(values) // 3):
            values[3 * a:3 * a + 3], values[3 * b:3 * b + 3] = values[3 * b:3 * b + 3], values[3 * a:3 * a + 3]
    return values


def _sides(name, count):
    """Points of the left and of the right side."""
    if name == "foot_kpts":
        return [(0, 3), (1, 4), (2, 5)]
    if name == "face_kpts":
        return [(i, 16 - i) for i in range(8)] + [(36, 45), (39, 42)]
    if name != "keypoints":
        return []  # a hand is exchanged as a whole
    pairs = [(i, i + 1) for i in range(1, 17, 2)]
    pairs += [(20, 21), (22, 23), (24, 25)] if count >= 26 else []
    return pairs + ([(94 + i, 115 + i) for i in range(21)] if count == 136 else [])
