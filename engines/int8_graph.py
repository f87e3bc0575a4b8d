"""An FP32 network as one for strongly typed builders: INT8 by a calibration table, what that keeps in FP16 or FP32."""
from typing import List, Sequence, Set

from wholebody.engines.calibration_table import CalibrationTable
from wholebody.engines.fp16_graph import HalfModel, convert
from wholebody.engines.fp16_nodes import KeptNode
from wholebody.engines.onnx_weights import LARGEST_HALF
from wholebody.engines.qdq_graph import graph_of, quantise

FLOAT_BY_TABLE = "not in INT8, as the calibration table says"


def to_int8(data: bytes, table: CalibrationTable, keep_fp32: Sequence[str] = (),
            where: str = "the network") -> HalfModel:
    """Q/DQ nodes at all but the table's kept nodes, which compute in FP16; those of `keep_fp32` stay in FP32."""
    made = quantise(data, table.ranges, tuple(table.keep) + tuple(keep_fp32), where, table.channels)
    half = set(made.floats) - set(keep_fp32) - beyond_half(made.data, table)
    if not half:
        return HalfModel(made.data, tuple(KeptNode(name, FLOAT_BY_TABLE) for name in made.floats))
    # Casts between an INT8 node and its Q/DQ pairs would part what TensorRT joins: all around the kept nodes is FP32.
    others = [node.name for node in graph_of(made.data).nodes if node.name not in half and node.operator != "Constant"]
    mixed = convert(made.data, others, where)
    return HalfModel(mixed.data, tuple(KeptNode(name, FLOAT_BY_TABLE) for name in made.floats))


def beyond_half(data: bytes, table: CalibrationTable) -> Set[str]:
    """The nodes that make or read a tensor that went beyond FP16 in some picture."""
    large = {name for ranges in (table.ranges, table.statistics.get("max", {}))
             for name, largest in ranges.items() if largest > LARGEST_HALF}
    found: List[str] = []
    for node in graph_of(data).nodes:
        if large.intersection(node.inputs) or large.intersection(node.outputs):
            found.append(node.name)
    return set(found)
