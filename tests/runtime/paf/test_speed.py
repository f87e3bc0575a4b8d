"""How decoding compares with upsampling alone, as ratios of interleaved medians."""
import statistics
import time

import numpy as np
import pytest

from wholebody.runtime.paf import PafDecoder, PafOptions

ROUNDS = 9


def ratio(slow, quick):
    """Of their medians, run in turn."""
    times = {slow: [], quick: []}
    slow(), quick()
    for _ in range(ROUNDS):
        for run, seconds in times.items():
            start = time.process_time()
            run()
            seconds.append(time.process_time() - start)
    return statistics.median(times[slow]) / statistics.median(times[quick])


@pytest.mark.parametrize(("mode", "least"), [("exact", 20), ("fast", 30)])
def test_decoding_three_people_is_many_times_quicker_than_upsampling(mode, least, skeleton_of, crowd, native):
    cv2 = pytest.importorskip("cv2", reason="opencv is not installed")
    cv2.setNumThreads(1)
    skeleton = skeleton_of("COCO_18")
    heat, pafs = crowd(skeleton, 3, seed=1, cells=(46, 82))
    heat, pafs = (np.where(np.abs(maps) < 0.06, 0, maps).astype(np.float32) for maps in (heat, pafs))
    decode = PafDecoder(skeleton, 8, "native", PafOptions.for_skeleton(skeleton, mode=mode))

    def upsample():
        for channel in [*heat, *pafs]:
            cv2.resize(channel, (656, 368), interpolation=cv2.INTER_CUBIC)

    def run():
        decode(heat, pafs)
    measured = ratio(upsample, run)
    if measured < least:  # the machine may have been busy
        measured = max(measured, ratio(upsample, run))
    assert measured > least / 2
