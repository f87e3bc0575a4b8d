"""wholebody.open of a bundle folder: made ready first, refused where its gate says no."""
from typing import Any, Dict, Tuple

from wholebody.errors import ModelError
from wholebody.runtime.bundle.starting import start_bundle


def made_ready(folder: str, options: Dict[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """What is in the folder, and how to open it; these options go before the bundle's own."""
    ready = start_bundle(folder)
    if not ready.passed and ready.verdict is not None:
        raise ModelError("%s does not pass its gate: agreement %.4f with the FP32 network, least in gate/%s; run it "
                         "all the same: %s/run --ignore-gate"
                         % (folder, ready.verdict.agreement, ready.verdict.worst, folder))
    return ready.model, dict(ready.options, **options)
