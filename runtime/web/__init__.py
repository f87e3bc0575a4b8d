"""A live run in the browser: one page, a stream of poses, the run's figures, and metrics for Prometheus."""
from wholebody.runtime.web.address import WebAddress
from wholebody.runtime.web.preview import WebPreview

__all__ = ["WebAddress", "WebPreview"]
