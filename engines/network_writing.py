"""A network in another precision as a file of its own, for whoever takes precision from the graph."""
from wholebody.card import METADATA_KEY
from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.calibration_table import read_table
from wholebody.engines.fp16_graph import HalfModel, convert
from wholebody.engines.fp16_nodes import KeptNode
from wholebody.engines.int8_graph import FLOAT_BY_TABLE
from wholebody.engines.onnxfile import card_of, graph_sha256, parse_onnx, read_bytes
from wholebody.engines.qdq_graph import quantise
from wholebody.errors import BuildError


def network_in(path: str, spec: BuildSpec) -> HalfModel:
    """The network of a file in FP16 or INT8, with its card; what is not INT8 stays FP32."""
    data = read_bytes(path)
    if spec.precision == "fp16":
        return convert(data, spec.keep_fp32, path)
    if not spec.calibration:
        raise BuildError("%s: INT8 needs ranges: give --images DIR, or --calibration TABLE.json" % path)
    model = parse_onnx(data, path)
    card = card_of(model, path) if METADATA_KEY in model.metadata else None
    table = read_table(spec.calibration, graph_sha256(data), path, card)
    made = quantise(data, table.ranges, tuple(table.keep) + tuple(spec.keep_fp32), path, table.channels,
                    for_cpu=True)
    return HalfModel(made.data, tuple(KeptNode(name, FLOAT_BY_TABLE) for name in made.floats))
