"""run_pipeline and run_feeds: the caller's side of a run, which writes and counts."""
import contextlib
import logging
import time
from typing import Any, Callable, NamedTuple, Optional, Sequence

import numpy as np

from wholebody.errors import SourceError
from wholebody.poses import Frame, Result
from wholebody.runtime.keypoint_scale import scale_keypoints
from wholebody.runtime.lane import StagedEstimator
from wholebody.runtime.pipeline.flow import FULL, WRITE, Flow, InFlight, InTurn, Trip
from wholebody.runtime.pipeline.holder import Holder
from wholebody.runtime.pipeline.reading import Reader, open_reader
from wholebody.runtime.pipeline.signals import StopSignals
from wholebody.runtime.pipeline.summary import Summary, Tally
from wholebody.runtime.sinks import Details, Sink
from wholebody.runtime.sources import Source
from wholebody.runtime.tracking import Follower, TrackOptions, follower

log = logging.getLogger("wholebody")
_USUAL_FPS = 30.0  # of a folder of pictures
OnFrame = Callable[[int, int], None]


class PipelineOptions(NamedTuple):
    """What is handed to the sinks beside the poses, and how many frames are in flight."""

    keypoint_scale: str = "input"   # one of keypoint_scale.SCALES
    part_candidates: bool = False   # every peak before assembly
    in_flight: int = 3              # lanes; 1 runs the stages in turn in the caller's thread
    limit: int = 0                  # frames after which the run ends well; 0 is all
    seconds: float = 0.0            # the same, of time
    track: Optional[TrackOptions] = None  # follow people, and smooth their keypoints on request
    hold_fps: float = 0.0           # step down in size, then in frames, rather than be slower; 0 never does


class Feed(NamedTuple):
    """A source and where its results go."""

    source: Source
    sinks: Sequence[Sink] = ()


def run_pipeline(source: Source, estimate: StagedEstimator, sinks: Sequence[Sink],
                 options: PipelineOptions = PipelineOptions(), on_frame: OnFrame = lambda *_: None) -> Summary:
    """All frames of a source, or the newest of a live one, into every sink; `on_frame(frames, people)` after each."""
    return run_feeds([Feed(source, sinks)], estimate, options, on_frame)


def run_feeds(feeds: Sequence[Feed], estimate: StagedEstimator, options: PipelineOptions = PipelineOptions(),
              on_frame: OnFrame = lambda *_: None) -> Summary:
    """Several sources through one network, in one batch where it takes one; results go to their own source's sinks.

    Sinks are written in the caller's thread. An error anywhere ends the run after the frames before it are written;
    sinks are aborted then. So does a signal; on live sources, which have no other end, it completes the sinks.
    """
    if options.in_flight < 1:
        raise ValueError("in_flight: expected 1 or more, got %r" % (options.in_flight,))
    reader = open_reader([feed.source for feed in feeds])
    _tell_of_batches(len(feeds), estimate)
    tally, started = Tally(len(feeds)), time.perf_counter()
    trackers = [follower(estimate.skeleton, options.track) for _ in feeds] if options.track else []
    end = started + options.seconds if options.seconds else float("inf")
    holder = Holder(options.hold_fps, estimate.shares) if options.hold_fps else None
    with StopSignals(reader.wake) as signals:
        with contextlib.ExitStack() as sinks:
            for feed in feeds:
                for sink in feed.sinks:
                    sinks.enter_context(sink)
            flow = (InTurn(estimate, reader, holder) if options.in_flight == 1
                    else InFlight(estimate, reader, options.in_flight, holder))
            with flow:
                for trip in flow.trips(lambda: _look_at(signals, reader, end)):
                    _write(trip, flow, feeds, options, tally, on_frame, trackers)
                    if holder is not None and trip.lane.results:
                        holder.frame_done(trip.level, trip.cost())
                    if (options.limit and tally.frames >= options.limit) or time.perf_counter() > end:
                        break
            problems = [line for feed in feeds for line in feed.source.problems]
            if not tally.frames and problems:
                raise SourceError("%s: nothing could be read: %s" % (feeds[0].source.name, problems[0]))
        if not reader.live:
            signals.check()
    return Summary(tally.frames, tally.people, tally.frames_with_people, problems, time.perf_counter() - started,
                   tally.stage_ms(), sum(feed.source.dropped for feed in feeds), tally.latency_ms(),
                   options.in_flight, dict(flow.busy),
                   tally.by_source([feed.source for feed in feeds]), signals.error is not None,
                   holder.to_dict() if holder is not None else None)


def _look_at(signals: StopSignals, reader: Reader, end: float) -> None:
    if (reader.live and signals.error is not None) or time.perf_counter() > end:
        reader.stop()
    else:
        signals.check()


def _tell_of_batches(sources: int, estimate: StagedEstimator) -> None:
    limit = estimate.max_batch
    if limit is not None and limit < sources:
        log.info("the network takes %s at once: frames of the %d sources go through it one after the other",
                 "one frame" if limit == 1 else "%d frames" % limit, sources)


def taken_at(frame: Frame, source: Source) -> float:
    """Seconds: of what is live by the clock, of files by the rate of their frames."""
    return frame.captured_at if source.live else frame.index / (source.fps or _USUAL_FPS)


def _write(trip: Trip, flow: Flow, feeds: Sequence[Feed], options: PipelineOptions, tally: Tally,
           on_frame: OnFrame, trackers: Sequence[Follower]) -> None:
    for place, (origin, frame, result) in enumerate(zip(trip.origins, trip.lane.frames, trip.lane.results)):
        started = time.perf_counter()
        if trackers:
            taken = taken_at(frame, feeds[origin].source)
            result = result._replace(poses=trackers[origin].update(result.poses, taken, frame.image))
        if feeds[origin].sinks:
            details = _details(trip, place, frame, result, options)
            for sink in feeds[origin].sinks:
                sink.write(frame, result, details)
        flow.count(WRITE, started)
        result.stage_ms[WRITE] = 1e3 * (time.perf_counter() - started)
        tally.add(origin, result)
        on_frame(tally.frames, tally.people)


def _details(trip: Trip, place: int, frame: Frame, result: Result, options: PipelineOptions) -> Details:
    seen = trip.lane.seen(place, options.part_candidates)
    height, width = frame.image.shape[:2]

    def scaled(points: Any) -> Any:
        return scale_keypoints(points, options.keypoint_scale, width, height, seen.geometry)

    candidates = None
    if seen.candidates is not None:
        candidates = [np.concatenate([scaled(c[:, :2]), c[:, 2:]], axis=1) for c in seen.candidates]
    return Details(scaled(result.poses.keypoints), (seen.geometry.net_width, seen.geometry.net_height),
                   seen.heatmaps, seen.pafs, candidates, "" if trip.level == FULL else str(trip.level))
