"""What each version can do, as detected from the names of its real module."""
import pytest
from tensorrt_double import VERSIONS, tensorrt_module

from wholebody.engines.trt_features import ALWAYS, NEVER, OPTIONAL, detect

FOUND = {version: detect(tensorrt_module(version)) for version in VERSIONS}
TABLE = [
    # in 8.2.1, 8.5, 8.6, 10.3, 10.13, 11.4
    ("explicit_batch_flag", (True, True, True, True, True, False)),
    ("strongly_typed", (NEVER, NEVER, NEVER, OPTIONAL, OPTIONAL, ALWAYS)),
    ("precision_flags", (True, True, True, True, True, False)),
    ("precision_constraints", (True, True, True, True, True, False)),
    ("dynamic_range", (True, True, True, True, True, False)),
    ("uint8_inputs", (False, True, True, True, True, True)),
    ("memory_pools", (False, True, True, True, True, True)),
    ("named_tensors", (False, True, True, True, True, True)),
    ("optimization_level", (False, False, True, True, True, True)),
    ("version_compatible", (False, False, True, True, True, True)),
    ("strip_plan", (False, False, False, True, True, True)),
    ("progress_monitor", (False, False, False, True, True, True)),
    ("reports_fast_precisions", (True, True, True, True, True, False)),
    ("parser_names_nodes", (False, False, False, True, True, True)),
    ("grid_sample", (False, True, True, True, True, True)),
    ("compute_capabilities", (False,) * 6),
    ("dla", (True,) * 6),
]


@pytest.mark.parametrize("feature, expected", TABLE, ids=[row[0] for row in TABLE])
def test_a_feature_is_found_where_it_is(feature, expected):
    assert tuple(getattr(FOUND[version], feature) for version in VERSIONS) == expected
