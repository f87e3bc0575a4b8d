"""TensorRT's data types by NumPy's names; trt.nptype of 8.5 breaks with NumPy 1.24 and later."""
from typing import Any

from wholebody.errors import ModelError

_NAMES = {"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32", "INT64": "int64",
          "UINT8": "uint8", "BOOL": "bool"}


def dtype_name(dtype: Any) -> str:
    """NumPy's name of a trt.DataType."""
    if dtype.name not in _NAMES:
        raise ModelError("TensorRT's type %s has no NumPy type: export the network with float32 inputs and outputs"
                         % dtype.name)
    return _NAMES[dtype.name]
