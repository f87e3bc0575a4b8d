"""From options of all kinds to an open estimator: of bodies alone, or with networks for faces and hands behind it."""
from typing import Any, List, Union

from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.estimator import Estimator, EstimatorOptions, open_estimator
from wholebody.runtime.parts.crops import scales_of
from wholebody.runtime.parts.estimator import ComposedEstimator, PartOptions, check_options, part_models
from wholebody.runtime.parts.network import PartNetwork
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.estimator import TopDownEstimator, TopDownOptions

AnyEstimator = Union[Estimator, TopDownEstimator, ComposedEstimator]


def open_whole(model: str, **options: Any) -> AnyEstimator:
    """An estimator for a model file; `options` are those of EstimatorOptions, TopDownOptions and PartOptions."""
    known = EstimatorOptions._fields + TopDownOptions._fields + PartOptions._fields
    for name in options:
        if name not in known:
            raise TypeError("unknown option %r; known: %s" % (name, ", ".join(known)))
    parts = PartOptions(**{name: options.pop(name) for name in PartOptions._fields if name in options})
    check_options(parts)
    body = open_estimator(model, **options)
    if not (parts.face or parts.hands):
        return body
    return _with_parts(body, parts, EstimatorOptions(**{name: options[name] for name in EstimatorOptions._fields
                                                        if name in options}))


def _with_parts(body: Union[Estimator, TopDownEstimator], options: PartOptions,
                chosen: EstimatorOptions) -> ComposedEstimator:
    """Takes over the estimator of bodies, and closes it where a network does not fit."""
    opening = OpenOptions(chosen.threads, CudaDevice, chosen.trust, chosen.rebuild)
    parts: List[PartNetwork] = []
    try:
        backend = choose_backend(chosen.decoder)
        for kind, model in part_models(options):
            scales = scales_of(options.hand_scale_number if kind == "hand" else 1, options.hand_scale_range)
            engine = open_engine(model, opening)
            try:
                parts.append(PartNetwork(kind, engine, body.skeleton, backend, scales))
            except BaseException:
                engine.close()
                raise
        return ComposedEstimator(body, parts, options.whole_body)
    except BaseException:
        body.close()
        for part in parts:
            part.close()
        raise
