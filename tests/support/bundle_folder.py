"""A bundle of the stick network, written by hand: what the device side is tested with, without the host side."""
import shutil

from sticks import draw_sticks
from tensorrt_setting import write_stick_network

from wholebody.engines.build_spec import BuildSpec
from wholebody.runtime.bundle.contents import BUNDLE_FILE, GATE, MODEL, Bundle, bundle_to_json, sha256_of
from wholebody.runtime.bundle.gate import EXPECTED, Picture, gate_to_json
from wholebody.runtime.estimator import open_estimator

SIZE, COUNTS = "112x64", (1, 4, 3)


def write_bundle(folder, cv2, precision="fp32", least=0.95, **changes):
    """Returns the bundle; its native library is left to whoever looks."""
    (folder / GATE).mkdir(parents=True)
    shutil.move(str(write_stick_network(folder)), str(folder / MODEL))
    pictures = []
    with open_estimator(str(folder / MODEL), net_resolution=SIZE) as estimate:
        for number, count in enumerate(COUNTS):
            name, image = "%03d.png" % number, draw_sticks(count)
            cv2.imwrite(str(folder / GATE / name), image)
            pictures.append(Picture(name, estimate(image)))
        (folder / GATE / EXPECTED).write_text(gate_to_json(pictures, estimate.skeleton))
    files = {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    bundle = Bundle("tx2", BuildSpec(precision, (64, 112), (64, 112), (64, 112)), least, {"net_resolution": SIZE},
                    files, "0.1.0")._replace(**changes)
    (folder / BUNDLE_FILE).write_text(bundle_to_json(bundle))
    return bundle
