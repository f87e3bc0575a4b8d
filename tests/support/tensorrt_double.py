"""Strict fakes of TensorRT's Python module, one for each version, made from the names of the real ones.

`tensorrt_module("8.2.1")` has exactly the classes, attributes and enum members that 8.2.1.json in
tests/engines/tensorrt_api lists: any other name raises AttributeError, read or written, on the module, its classes and
its objects. What a name does is faked in tensorrt_fakes.py and tensorrt_fake_runtime.py; a name that nobody needed yet
raises NotFaked. A plan made here is no engine: it holds the ONNX file, and running it runs that on ONNX Runtime.
"""
import enum
import inspect
import json
import pathlib
import types

import tensorrt_fake_runtime
import tensorrt_fakes

API = pathlib.Path(__file__).resolve().parents[1] / "engines" / "tensorrt_api"
VERSIONS = ("8.2.1", "8.5.2.2", "8.6.0", "10.3.0", "10.13.3.9", "11.4.0")
_SUBCLASSED_BY_USERS = ("ILogger", "IProgressMonitor", "IProfiler", "IInt8EntropyCalibrator2")
_SEVERITIES = ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")


class NotFaked(NotImplementedError):
    """The real module has this name, the fake does not know what it does."""


class _Unfaked:
    def __init__(self, name):
        self.name = name

    def __get__(self, instance, owner):
        if instance is None:
            return self
        raise NotFaked("%s.%s is not faked" % (owner.__name__, self.name))

    def __set__(self, instance, value):
        raise NotFaked("%s.%s is not faked" % (type(instance).__name__, self.name))


class _StrictType(type):
    def __setattr__(cls, name, value):
        if not name.startswith("_") and not hasattr(cls, name):
            raise AttributeError("type object %r has no attribute %r" % (cls.__name__, name))
        type.__setattr__(cls, name, value)


class _Strict(metaclass=_StrictType):
    def __setattr__(self, name, value):
        if name.startswith("_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            raise AttributeError("%r object has no attribute %r" % (type(self).__name__, name))


class _StrictModule(types.ModuleType):
    def __setattr__(self, name, value):
        if not name.startswith("_"):
            raise AttributeError("module 'tensorrt' has no attribute %r" % name)
        super().__setattr__(name, value)


class _Enum(enum.Enum):
    """pybind11's enums turn into numbers by int() and are no numbers themselves."""

    def __int__(self):
        return self.value


def tensorrt_module(version):
    """The fake `tensorrt` of a version."""
    names = json.loads((API / (version + ".json")).read_text(encoding="utf-8"))
    module = _StrictModule("tensorrt", "a fake of TensorRT %s for tests" % version)
    module.__version__ = version
    for class_name, attributes in names.items():
        if not class_name.startswith("#"):
            module.__dict__[class_name] = _make(module, class_name, attributes)
    return module


def _make(module, name, attributes):
    if attributes and all(attribute.upper() == attribute for attribute in attributes):
        return _Enum(name, [(member, place) for place, member in enumerate(attributes)])
    if name == "IHostMemory":
        return tensorrt_fakes.host_memory(attributes)
    fake = getattr(tensorrt_fakes, name, getattr(tensorrt_fake_runtime, name, None))
    space = {"_trt": module}
    if fake is not None:
        space.update((key, value) for key, value in vars(fake).items()
                     if key.startswith("_") and key not in ("__dict__", "__weakref__"))
    elif name not in _SUBCLASSED_BY_USERS:
        def refuse(self, *args):
            raise TypeError("%s: No constructor defined!" % name)
        space["__init__"] = refuse
    for attribute in attributes:
        faked = inspect.getattr_static(fake, attribute, None) if fake is not None else None
        space[attribute] = faked if faked is not None else _Unfaked(attribute)
    if "Severity" in attributes:
        severity = _Enum("Severity", [(member, place) for place, member in enumerate(_SEVERITIES)])
        space.update({"Severity": severity}, **{member: severity[member] for member in _SEVERITIES})
    return _StrictType(name, (_Strict,), space)
