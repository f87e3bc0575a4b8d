"""What the running side of the fake TensorRT does (see tensorrt_double.py): a plan is run by ONNX Runtime."""
import hashlib
import json
import os
import signal

import fake_device
import numpy as np
from tensorrt_fakes import MAGIC, Value, new, setting

NUMPY = {"FLOAT": "float32", "HALF": "float16", "UINT8": "uint8", "INT32": "int32", "INT64": "int64", "BOOL": "bool",
         "INT8": "int8"}


class Runtime:
    engine_host_code_allowed = Value(False)
    DLA_core = Value(-1)

    def __init__(self, logger):
        if not isinstance(logger, self._trt.ILogger):
            raise TypeError("incompatible constructor arguments")
        self._logger = logger
        if setting("BUILD") == "kill-later":
            os.kill(os.getpid(), signal.SIGKILL)

    def deserialize_cuda_engine(self, serialized_engine):
        data = bytes(serialized_engine)
        start = len(MAGIC) + 32
        reason, head = "", {}
        if not data.startswith(MAGIC) or hashlib.sha256(data[start:]).digest() != data[len(MAGIC):start]:
            reason = "Serialization assertion stdVersionRead == serializationVersion failed."
        else:
            size = int.from_bytes(data[start:start + 4], "big")
            head = json.loads(data[start + 4:start + 4 + size].decode())
            reason = self._misfit(head)
        if reason:
            self._logger.log(self._trt.ILogger.ERROR, "Error Code 1: Serialization (%s)" % reason)
            return None
        return new(self._trt, "ICudaEngine", head=head, onnx=data[start + 4 + size:], logger=self._logger,
                   refitted="STRIP_PLAN" not in head["flags"])

    def _misfit(self, head):
        here = self._trt.__version__
        if head["sm"] != setting("SM", "8.7"):
            return "the engine plan file is generated on an incompatible device, expecting compute %s got %s" % (
                setting("SM", "8.7"), head["sm"])
        if "VERSION_COMPATIBLE" in head["flags"]:
            if not getattr(self, "engine_host_code_allowed", False):
                return "Attempting to deserialize engine with embedded lean runtime without engine_host_code_allowed"
            return "" if head["version"].split(".")[0] == here.split(".")[0] else "Version tag does not match."
        return "" if head["version"] == here else "Version tag does not match. Note: Current Version: %s" % here


class ICudaEngine:
    num_bindings = property(lambda self: len(self._head["tensors"]))
    num_io_tensors = property(lambda self: len(self._head["tensors"]))
    num_layers = property(lambda self: len(self._head["layers"]))
    num_optimization_profiles = property(lambda self: 1)

    def get_binding_name(self, index):
        return self._head["tensors"][index]["name"]

    get_tensor_name = get_binding_name

    def binding_is_input(self, binding):
        return self._named(binding)["kind"] == "input"

    def get_binding_shape(self, binding):
        return tuple(self._named(binding)["shape"])

    def get_binding_dtype(self, binding):
        return getattr(self._trt.DataType, self._named(binding)["dtype"])

    def get_tensor_mode(self, name):
        kinds = self._trt.TensorIOMode
        return kinds.INPUT if self._of_name(name)["kind"] == "input" else kinds.OUTPUT

    def get_tensor_shape(self, name):
        return tuple(self._of_name(name)["shape"])

    def get_tensor_dtype(self, name):
        return getattr(self._trt.DataType, self._of_name(name)["dtype"])

    def create_execution_context(self):
        if fake_device.current() is None:
            self._logger.log(self._trt.ILogger.ERROR, "CUDA error 201: invalid device context")
            return None
        return new(self._trt, "IExecutionContext", engine=self, shapes={}, addresses={}, session=None)

    def create_engine_inspector(self):
        return new(self._trt, "EngineInspector", engine=self)

    def _named(self, binding):
        assert isinstance(binding, (int, str))
        return self._head["tensors"][binding] if isinstance(binding, int) else self._of_name(binding)

    def _of_name(self, name):
        if not isinstance(name, str):
            raise TypeError("incompatible function arguments: %r" % (name,))
        return next(t for t in self._head["tensors"] if t["name"] == name)


class EngineInspector:
    def get_engine_information(self, format):
        assert format is self._trt.LayerInformationFormat.JSON
        return self._told()

    def _told(self):
        head = self._engine._head
        half = "FP16" in head["flags"] and "INT8" not in head["flags"]
        layers = [{"Name": "Reformatting CopyNode for Input Tensor 0 to " + head["layers"][0], "LayerType": "Reformat",
                   "Outputs": [{"Name": "r", "Format/Datatype": "Row major linear FP32"}]}]
        for name in head["layers"]:
            kind = head["held"][name] if name in head["held"] else "Int8" if "INT8" in head["flags"] else (
                "FP16" if half else "FP32")
            layers.append({"Name": name, "LayerType": "CaskConvolution",
                           "Outputs": [{"Name": "t", "Format/Datatype": "Channel major %s format" % kind}]})
        old = hasattr(self._trt.BuilderFlag, "FP16")
        return json.dumps({"Layers": layers, "Bindings" if old else "I/O Tensors": []})


class Profiler:
    """A property that takes what pybind11 takes: an object whose base was initialised."""

    def __get__(self, instance, owner):
        return self if instance is None else instance.__dict__.get("_profiler")

    def __set__(self, instance, profiler):
        if not (isinstance(profiler, instance._trt.IProfiler) and getattr(profiler, "_initialised", False)):
            raise TypeError("incompatible function arguments: %r" % (profiler,))
        instance.__dict__["_profiler"] = profiler


class IExecutionContext:
    profiler = Profiler()

    def set_binding_shape(self, binding, shape):
        tensor = self._engine._named(binding)
        return self._set_shape(tensor, shape)

    def set_input_shape(self, name, shape):
        return self._set_shape(self._engine._of_name(name), shape)

    def get_binding_shape(self, binding):
        return self._shape(self._engine._named(binding))

    def get_tensor_shape(self, name):
        return self._shape(self._engine._of_name(name))

    def set_tensor_address(self, name, memory):
        self._engine._of_name(name)
        self._addresses[name] = int(memory)
        return True

    def execute_async_v2(self, bindings, stream_handle, input_consumed=None):
        tensors = self._engine._head["tensors"]
        if len(bindings) != len(tensors):
            return self._error("expected %d bindings, got %d" % (len(tensors), len(bindings)))
        return self._run({t["name"]: int(a) for t, a in zip(tensors, bindings)}, stream_handle)

    def execute_async_v3(self, stream_handle):
        missing = [t["name"] for t in self._engine._head["tensors"] if t["name"] not in self._addresses]
        if missing:
            return self._error("Address is not set for tensor %s" % missing[0])
        return self._run(dict(self._addresses), stream_handle)

    def _error(self, reason):
        self._engine._logger.log(self._trt.ILogger.ERROR, "IExecutionContext::enqueue: " + reason)
        return False

    def _set_shape(self, tensor, shape):
        own = tensor["shape"]
        low, _, high = tensor["profile"] or (own, own, own)
        if len(shape) != len(low) or not all(a <= b <= c for a, b, c in zip(low, shape, high)):
            return self._error("Static dimension mismatch or outside of profile: %s %s" % (tensor["name"], shape))
        self._shapes[tensor["name"]] = tuple(shape)
        return True

    def _shape(self, tensor):
        if tensor["kind"] == "input":
            return self._shapes.get(tensor["name"], tuple(tensor["shape"]))
        inputs = [t for t in self._engine._head["tensors"] if t["kind"] == "input"]
        if any(-1 in self._shape(t) for t in inputs):
            return tuple(tensor["shape"])
        zeros = {t["name"]: np.zeros(self._shape(t), NUMPY[t["dtype"]]) for t in inputs}
        return self._onnxruntime(zeros)[tensor["name"]].shape

    def _run(self, addresses, stream):
        device, head = fake_device.current(), self._engine._head
        inputs = [t for t in head["tensors"] if t["kind"] == "input"]
        if device is None:
            return self._error("no CUDA context")
        for tensor in inputs:
            if -1 in self._shape(tensor):
                return self._error("input %s has no shape yet" % tensor["name"])
        shapes = {t["name"]: self._shape(t) for t in inputs}
        refitted = self._engine._refitted

        def work():
            assert refitted, "a stripped engine runs on weights that nobody gave it"
            feeds = {}
            for tensor in inputs:
                name, dtype = tensor["name"], np.dtype(NUMPY[tensor["dtype"]])
                size = int(np.prod(shapes[name])) * dtype.itemsize
                feeds[name] = np.frombuffer(bytes(device.view(addresses[name], size)), dtype).reshape(shapes[name])
            for name, value in self._onnxruntime(feeds).items():
                device.view(addresses[name], value.nbytes)[:] = np.ascontiguousarray(value).tobytes()
            if self.profiler is not None:  # one tick of the fake's clock, shared among the layers
                layers = json.loads(EngineInspector._told(self))["Layers"]
                for layer in layers:
                    self.profiler.report_layer_time(layer["Name"], 1.0 / len(layers))

        fake_device.enqueue(stream, device, work)
        return True

    def _onnxruntime(self, feeds):
        import onnxruntime
        if self._session is None:
            options = onnxruntime.SessionOptions()
            options.log_severity_level, options.intra_op_num_threads = 4, 1
            self._session = onnxruntime.InferenceSession(self._engine._onnx, options,
                                                         providers=["CPUExecutionProvider"])
        names = [o.name for o in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, feeds)))


class Refitter:
    def __init__(self, engine, logger):
        self._engine, self._weights = engine, None

    def refit_cuda_engine(self):
        if self._weights is None:
            return False
        self._engine._refitted = True
        return True


class OnnxParserRefitter:
    num_errors = property(lambda self: 0)

    def __init__(self, refitter, logger):
        self._refitter = refitter

    def refit_from_bytes(self, model, path=None):
        if bytes(model) != self._refitter._engine._onnx:
            return False
        self._refitter._weights = True
        return True
