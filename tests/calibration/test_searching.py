"""The search finds the nodes that INT8 ruins, and keeps no others."""
import numpy as np
import pytest
from onnx_bytes import ints, model, node, number, text, weights

from wholebody.calibration.output_error import OutputError, costs
from wholebody.calibration.searching import best_method, search
from wholebody.engines.calibration_table import CalibrationTable
from wholebody.engines.qdq_graph import candidates, channel_ranges, graph_of, weights_of

RNG = np.random.default_rng(0)
CHANNELS, LAYERS = 8, 6
GAINS = 10.0 ** np.linspace(-3, 2, CHANNELS)  # of the depth-wise convolution in the middle, undone by the next
FED = [{"x": RNG.normal(0, 1, (1, CHANNELS, 16, 16)).astype(np.float32)} for _ in range(2)]
PADDED = ints("pads", [1, 1, 1, 1])


def network():
    """Convolutions one after the other; a depth-wise one after the third."""
    nodes, held, name = [], [], "x"
    for layer in range(LAYERS):
        kernel = RNG.normal(0, 0.12, (CHANNELS, CHANNELS, 3, 3))
        if layer == 3:
            group = text(1, "group") + number(3, CHANNELS) + number(20, 2)
            nodes.append(node("Conv", [name, "depth"], ["depthwise"], group))
            held.append(weights("depth", (CHANNELS, 1, 1, 1), GAINS))
            kernel, name = kernel / GAINS[None, :, None, None], "depthwise"
        nodes.append(node("Conv", [name, f"k{layer}"], [f"conv{layer}"], PADDED))
        held.append(weights(f"k{layer}", kernel.shape, kernel.ravel()))
        name = f"conv{layer}"
    return model(nodes, held, [("x", (1, CHANNELS, 16, 16))], [(name, (1, CHANNELS, 16, 16))])


DATA = network()
ALL = ["conv0", "conv1", "conv2", "depthwise", "conv3", "conv4", "conv5"]


def ranges(**changes):
    """The largest magnitudes; the names in `changes` have other ones."""
    from wholebody.calibration.observing import watched, with_outputs
    from wholebody.engines.onnxruntime_engine import open_session
    graph = graph_of(DATA)
    names = [name for name in watched(graph) if name != "x"]
    answers = open_session(with_outputs(DATA, graph, names), "it")[0].run(names, FED[0])
    found = {name: float(np.abs(array).max()) for name, array in zip(names, answers)}
    return {"x": float(np.abs(FED[0]["x"]).max()), **found, **changes}


def per_tensor():
    """One range for all channels of a weight, as naive quantisers take."""
    found = candidates(graph_of(DATA))
    values = weights_of(graph_of(DATA), [one.weights for one in found])
    return {one.weights: [float(np.abs(values[one.weights]).max())] * len(channel_ranges(values[one.weights], one.axis))
            for one in found}


def judge_by(error, bar, calls):
    def judge(made, keep):
        calls.append(keep)
        value = error(made)
        return -value, value < bar
    return judge


ERROR = OutputError(DATA, FED)
COSTS = costs(DATA, FED[0])


def test_multiplications_are_counted():
    by_name = {cost.candidate.name: cost.macs for cost in COSTS}
    assert list(by_name) == ALL
    assert by_name["conv0"] == 16 * 16 * CHANNELS * CHANNELS * 9
    assert by_name["depthwise"] == 16 * 16 * CHANNELS


def test_where_all_may_be_int8_nothing_is_searched():
    calls = []
    found = search(DATA, CalibrationTable("", ranges()), ERROR, COSTS, judge_by(ERROR, 9.0, calls))
    assert (found.passed, found.blocks, found.table.keep, calls) == (True, (), (), [()])


@pytest.mark.parametrize("victim", ["x", "conv0", "conv4"])
def test_a_node_with_a_bad_range_is_found_and_it_alone_is_kept(victim):
    reader = {"x": "conv0", "conv0": "conv1", "conv4": "conv5"}[victim]
    good = ranges()
    table = CalibrationTable("", dict(good, **{victim: 40 * good[victim], "depthwise": 0.0}))
    found = search(DATA, table, ERROR, COSTS, judge_by(ERROR, 0.01, []))
    assert found.passed
    assert found.table.keep == (reader,)
    assert found.trials[-1].int8_macs < found.trials[0].int8_macs
    assert found.trials[-1].error < 0.1 * found.trials[0].error


def test_naive_ranges_of_a_depthwise_convolution_are_found_by_themselves():
    table = CalibrationTable("", ranges(), channels=per_tensor())
    bar = 0.02
    found = search(DATA, table, ERROR, COSTS, judge_by(ERROR, bar, []), least_int8=0.6)
    assert found.trials[0].error > 5 * bar
    assert found.passed
    assert {"depthwise", "conv3"} >= set(found.table.keep) != set()


def test_what_cannot_be_had_is_said_and_nothing_is_kept_then():
    calls = []
    found = search(DATA, CalibrationTable("", ranges()), ERROR, COSTS, judge_by(ERROR, 1e-9, calls), least_int8=0.5)
    assert (found.passed, found.table.keep) == (False, ())
    assert all(trial.int8_macs >= 0.5 for trial in found.trials)
    assert min(trial.int8_macs for trial in found.trials) < 0.7
    assert len(found.blocks) == len(ALL)


def test_the_method_that_changes_the_outputs_least_is_taken():
    good = ranges(depthwise=0.0)
    worse = {name: 20 * value for name, value in good.items()}
    table = CalibrationTable("", worse, method="max", statistics={"max": worse, "entropy": good})
    chosen, errors = best_method(DATA, table, ERROR)
    assert (chosen.method, chosen.ranges) == ("entropy", good)
    assert [name for name, _ in errors] == ["entropy", "max"]
