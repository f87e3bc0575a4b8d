"""What the builder's side of the fake TensorRT does (see tensorrt_double.py): parser, network, configuration, plan.

Settings of the fake machine are environment variables, so that a building process has them too: WB_DOUBLE_SM (8.7),
WB_DOUBLE_DLA (number of cores, 0), WB_DOUBLE_SLOW (precisions without fast kernels: int8, fp16), WB_DOUBLE_BUILD
(kill, crash or sleep: what becomes of a build; kill-later: of opening what was built).
"""
import hashlib
import json
import os
import signal
import time

from wholebody.engines.onnxfile import parse_onnx
from wholebody.errors import ModelError
from wholebody.protobuf import fields, nested, text

MAGIC = b"FAKE TENSORRT PLAN\n"
OPERATORS = {"Conv", "Split", "Relu", "Add", "Identity", "MaxPool", "Concat", "PRelu", "Sigmoid", "QuantizeLinear",
             "DequantizeLinear", "Cast", "Constant", "Mul", "Elu", "Sub", "Div", "BatchNormalization", "ConvTranspose",
             "AveragePool", "GlobalAveragePool", "Resize", "Reshape", "Transpose", "Clip", "LeakyRelu", "Softmax"}


class Value:
    """A readable and writable attribute with a default, as pybind11's def_readwrite makes them."""

    def __init__(self, default=None):
        self.default, self.key = default, None

    def __set_name__(self, owner, name):
        self.key = "_value_" + name

    def __get__(self, instance, owner):
        return self if instance is None else instance.__dict__.get(self.key, self.default)

    def __set__(self, instance, value):
        instance.__dict__[self.key] = value


def new(trt, class_name, **private):
    """An object that users cannot construct themselves."""
    cls = getattr(trt, class_name)
    made = cls.__new__(cls)
    for key, value in private.items():
        object.__setattr__(made, "_" + key, value)
    return made


def host_memory(attributes):
    """IHostMemory: bytes behind the buffer protocol, with the names of this version."""
    def look(self, name):
        if name == "nbytes":
            return bytes.__len__(self)
        if name.startswith("__"):
            return bytes.__getattribute__(self, name)
        raise AttributeError("'IHostMemory' object has no attribute %r" % name)
    return type("IHostMemory", (bytes,), dict(dict.fromkeys(attributes), __getattribute__=look))


def setting(name, default=""):
    return os.environ.get("WB_DOUBLE_" + name, default)


def is_8(trt):
    """Networks have an implicit batch unless told otherwise."""
    return hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_PRECISION")


class ILogger:
    def __init__(self):
        self._initialised = True

    def log(self, severity, msg):
        raise TypeError("pure virtual function \"ILogger::log\"")


class IProgressMonitor:
    def __init__(self):
        self._initialised = True

    def phase_start(self, phase_name, parent_phase, num_steps):
        raise TypeError("pure virtual function")

    def step_complete(self, phase_name, step):
        raise TypeError("pure virtual function")

    def phase_finish(self, phase_name):
        raise TypeError("pure virtual function")


class IProfiler:
    def __init__(self):
        self._initialised = True

    def report_layer_time(self, layer_name, ms):
        raise TypeError("pure virtual function")


class ITensor:
    dtype = Value()
    shape = Value()
    name = Value()

    def set_dynamic_range(self, min, max):
        self._range = (float(min), float(max))
        return True

    @property
    def dynamic_range(self):
        return getattr(self, "_range", None)


class ILayer:
    name = Value()
    precision = Value()
    num_outputs = property(lambda self: len(self._outputs))

    def get_output(self, index):
        return self._outputs[index]


class INetworkDefinition:
    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))
    num_layers = property(lambda self: len(self._layers))

    def get_input(self, index):
        return self._inputs[index]

    def get_output(self, index):
        return self._outputs[index]

    def get_layer(self, index):
        return self._layers[index]


class IOptimizationProfile:
    def set_shape(self, input, min, opt, max):
        self._shapes[input] = (tuple(min), tuple(opt), tuple(max))


class ITimingCache:
    def serialize(self):
        return self._trt.IHostMemory(self._data + b"+")


class IBuilderConfig:
    max_workspace_size = Value(16 << 20)
    builder_optimization_level = Value(3)
    profiling_verbosity = Value()
    default_device_type = Value()
    DLA_core = Value(-1)
    progress_monitor = Value()
    num_optimization_profiles = property(lambda self: len(self._profiles))

    def set_flag(self, flag):
        self._flags.add(self._checked(flag))

    def clear_flag(self, flag):
        self._flags.discard(self._checked(flag))

    def get_flag(self, flag):
        return self._checked(flag) in self._flags

    def set_memory_pool_limit(self, pool, pool_size):
        assert isinstance(pool, self._trt.MemoryPoolType)
        self._pools[pool.name] = pool_size

    def add_optimization_profile(self, profile):
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_tactic_sources(self, tactic_sources):
        self._tactics = int(tactic_sources)
        return True

    def set_preview_feature(self, feature, enable):
        assert isinstance(feature, self._trt.PreviewFeature)
        self._previews = dict(getattr(self, "_previews", {}), **{feature.name: enable})

    def create_timing_cache(self, serialized_timing_cache):
        data = bytes(serialized_timing_cache) or self._cache_header()
        return new(self._trt, "ITimingCache", data=data)

    def set_timing_cache(self, cache, ignore_mismatch):
        if not cache._data.startswith(self._cache_header()) and not ignore_mismatch:
            return False
        self._cache = cache
        return True

    def get_timing_cache(self):
        return self._cache

    def _cache_header(self):
        return ("timing %s sm%s" % (self._trt.__version__, setting("SM", "8.7"))).encode()

    def _checked(self, flag):
        if not isinstance(flag, self._trt.BuilderFlag):
            raise TypeError("incompatible function arguments: %r" % (flag,))
        return flag.name


class ParserError:
    def desc(self):
        return self._reason

    def node(self):
        return self._index

    def node_name(self):
        return self._names[0]

    def node_operator(self):
        return self._names[1]

    def code(self):
        return self._trt.ErrorCode.UNSUPPORTED_NODE

    def file(self):
        return "ModelImporter.cpp"

    def line(self):
        return 1

    def func(self):
        return "parse"


class OnnxParser:
    def __init__(self, network, logger):
        assert isinstance(network, self._trt.INetworkDefinition)
        self._network, self._logger, self._errors = network, logger, []

    num_errors = property(lambda self: len(self._errors))

    def get_error(self, index):
        return self._errors[index]

    def parse(self, model, path=None):
        network, trt = self._network, self._trt
        data = bytes(model)
        if is_8(trt) and not network._explicit:
            return self._fail(-1, ("", ""), "This version of the ONNX parser only supports TensorRT "
                                            "INetworkDefinitions with an explicit batch dimension.")
        try:
            found = parse_onnx(data, "model")
        except ModelError as error:
            return self._fail(-1, ("", ""), "Failed to parse ONNX model: %s" % error)
        graph = nested(memoryview(data), 7)[-1]
        nodes = nested(graph, 1)
        for index, node in enumerate(nodes):
            operator = text(node, 4)
            if operator not in OPERATORS:
                return self._fail(index, (text(node, 3), operator),
                                  "Plugin not found, are the plugin name,\nversion, and namespace correct?")
        if not hasattr(trt.DataType, "INT64"):
            for initializer in nested(graph, 5):
                if any(f.number == 2 and f.value == 7 for f in fields(initializer)):
                    self._logger.log(trt.ILogger.WARNING,
                                     "Your ONNX model has been generated with INT64 weights, while TensorRT does not "
                                     "natively support INT64. Attempting to cast down to INT32.")
        network._onnx = data
        network._inputs = [_tensor(trt, info) for info in found.inputs]
        network._outputs = [_tensor(trt, info) for info in found.outputs]
        by_name = {tensor.name: tensor for tensor in network._outputs}
        for node in nodes:
            layer = new(trt, "ILayer", outputs=[])
            layer.name = text(node, 3) or text(node, 2)
            for output in nested(node, 2):
                name = bytes(output).decode()
                if name not in by_name:
                    by_name[name] = new(trt, "ITensor")
                    by_name[name].name = name
                layer._outputs.append(by_name[name])
            network._layers.append(layer)
        return True

    def _fail(self, index, names, reason):
        self._errors.append(new(self._trt, "ParserError", index=index, names=names, reason=reason))
        self._logger.log(self._trt.ILogger.ERROR, "In node %d (parseGraph): UNSUPPORTED_NODE: %s" % (index, reason))
        return False


def _tensor(trt, info):
    tensor = new(trt, "ITensor")
    names = {"float32": "FLOAT", "float16": "HALF", "uint8": "UINT8", "int32": "INT32", "int64": "INT64"}
    tensor.name, tensor.dtype = info.name, getattr(trt.DataType, names[info.dtype])
    tensor.shape = tuple(dim if isinstance(dim, int) else -1 for dim in info.shape)
    return tensor


class Builder:
    platform_has_fast_fp16 = property(lambda self: "fp16" not in setting("SLOW"))
    platform_has_fast_int8 = property(lambda self: "int8" not in setting("SLOW"))
    num_DLA_cores = property(lambda self: int(setting("DLA", "0")))

    def __init__(self, logger):
        if not isinstance(logger, self._trt.ILogger) or not getattr(logger, "_initialised", False):
            raise TypeError("incompatible constructor arguments")
        self._logger = logger

    def create_network(self, flags=0):
        kinds = self._trt.NetworkDefinitionCreationFlag
        bits = {name: bool(flags >> int(getattr(kinds, name)) & 1) for name in kinds.__members__}
        if flags >> len(kinds.__members__):
            raise ValueError("unknown network flags %#x" % flags)
        return new(self._trt, "INetworkDefinition", explicit=bits.get("EXPLICIT_BATCH", True),
                   strong=bits.get("STRONGLY_TYPED", False) or not hasattr(self._trt.BuilderFlag, "FP16"),
                   inputs=[], outputs=[], layers=[], onnx=b"")

    def create_builder_config(self):
        return new(self._trt, "IBuilderConfig", flags={"TF32"}, pools={}, profiles=[], cache=None, tactics=None)

    def create_optimization_profile(self):
        return new(self._trt, "IOptimizationProfile", shapes={})

    def build_serialized_network(self, network, config):
        reason = _why_not(self._trt, network, config)
        if reason:
            self._logger.log(self._trt.ILogger.ERROR, reason)
            return None
        _fate()
        monitor = getattr(config, "progress_monitor", None)
        if monitor is not None:
            monitor.phase_start("Building", None, 2)
            monitor.phase_start("Tactics", "Building", 1)
            assert monitor.step_complete("Tactics", 0)
            assert monitor.step_complete("Building", 0)
            assert monitor.step_complete("Building", 1)
            monitor.phase_finish("Building")
        return self._trt.IHostMemory(_plan(self._trt, network, config))


def _why_not(trt, network, config):
    """TensorRT's own words for what it cannot build."""
    for tensor in network._inputs:
        if -1 in tensor.shape:
            if not config._profiles:
                return ("Error Code 4: Internal Error (Network has dynamic or shape inputs, but no optimization "
                        "profile has been defined.)")
            if tensor.name not in config._profiles[0]._shapes:
                return "Error Code 4: Internal Error (input %s has no dimensions in profile 0)" % tensor.name
            low, middle, high = config._profiles[0]._shapes[tensor.name]
            if not all(a <= b <= c for a, b, c in zip(low, middle, high)):
                return "Error Code 3: API Usage Error (profile kMIN <= kOPT <= kMAX)"
    if network._strong and config._flags & {"FP16", "INT8"}:
        return "Error Code 3: API Usage Error (precision flags are not allowed in a strongly typed network)"
    needs_ranges = "INT8" in config._flags and b"QuantizeLinear" not in network._onnx
    if needs_ranges and any(tensor.dynamic_range is None for tensor in network._inputs):
        return "Error Code 4: Internal Error (no calibrator and no dynamic range for the input)"
    if config.DLA_core >= 0 and not config._flags & {"FP16", "INT8"} and not network._strong:
        return "Error Code 9: Internal Error (DLA needs FP16 or INT8)"
    if config.profiling_verbosity is not None and not isinstance(config.profiling_verbosity, trt.ProfilingVerbosity):
        return "bad verbosity"
    return ""


def _fate():
    fate = setting("BUILD")
    if fate == "sleep":
        time.sleep(60)
    elif fate in ("kill", "crash"):
        os.kill(os.getpid(), signal.SIGKILL if fate == "kill" else signal.SIGSEGV)


def _plan(trt, network, config):
    tensors = []
    for kind, group in (("input", network._inputs), ("output", network._outputs)):
        for tensor in group:
            shapes = config._profiles[0]._shapes.get(tensor.name) if config._profiles else None
            tensors.append({"name": tensor.name, "kind": kind, "dtype": tensor.dtype.name,
                            "shape": list(tensor.shape), "profile": shapes})
    head = json.dumps({
        "version": trt.__version__, "sm": setting("SM", "8.7"), "flags": sorted(config._flags), "tensors": tensors,
        "held": {layer.name: "FP32" if layer.precision.name == "FLOAT" else "FP16" for layer in network._layers
                 if getattr(layer, "precision", None) is not None},
        "layers": [layer.name for layer in network._layers], "strong": network._strong,
        "dla": config.DLA_core}).encode()
    body = len(head).to_bytes(4, "big") + head + network._onnx
    return MAGIC + hashlib.sha256(body).digest() + body
