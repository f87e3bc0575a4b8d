"""A whole run: the frames of sources through an estimator's stages into sinks, several of them in flight."""
from wholebody.runtime.pipeline.running import Feed, PipelineOptions, run_feeds, run_pipeline
from wholebody.runtime.pipeline.summary import Summary

__all__ = ["Feed", "PipelineOptions", "Summary", "run_feeds", "run_pipeline"]
