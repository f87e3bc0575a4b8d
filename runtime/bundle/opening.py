"""wholebody.open of a bundle folder: made ready first, refused where its gate says no."""
from typing import TYPE_CHECKING, Any, Dict, Tuple, Union

from wholebody.errors import ModelError
from wholebody.runtime.bundle.starting import start_bundle
from wholebody.runtime.estimator import open_estimator

if TYPE_CHECKING:
    from wholebody.runtime.estimator import Estimator
    from wholebody.runtime.topdown.estimator import TopDownEstimator


def open_bundle(folder: str, **options: Any) -> "Union[Estimator, TopDownEstimator]":
    """An estimator for what is in the folder; options go before the bundle's own."""
    model, chosen = made_ready(folder, options)
    return open_estimator(model, **chosen)


def made_ready(folder: str, options: Dict[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """What is in the folder, and how to open it; these options go before the bundle's own."""
    ready = start_bundle(folder)
    if not ready.passed and ready.verdict is not None:
        raise ModelError("%s does not pass its gate: agreement %.4f with the FP32 network, least in gate/%s; run it "
                         "all the same: %s/run --ignore-gate"
                         % (folder, ready.verdict.agreement, ready.verdict.worst, folder))
    return ready.model, dict(ready.options, **options)
