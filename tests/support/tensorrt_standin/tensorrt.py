"""What a building process of the tests imports as tensorrt: the fake of the version in WB_DOUBLE_VERSION."""
import os
import sys

import tensorrt_double

sys.modules[__name__] = tensorrt_double.tensorrt_module(os.environ["WB_DOUBLE_VERSION"])
