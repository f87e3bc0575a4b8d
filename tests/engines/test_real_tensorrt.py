"""TensorRT's real Python module, where it is installed: its names are the fake's, and no GPU is one line."""
import json

import pytest
from tensorrt_double import API, VERSIONS, tensorrt_module

from wholebody.engines.trt_builder import _builder
from wholebody.engines.trt_features import detect
from wholebody.engines.trt_logger import LogBook, make_logger
from wholebody.engines.trt_module import load_tensorrt
from wholebody.errors import BuildError, MissingPackage


@pytest.fixture(scope="module")
def real():
    try:
        return load_tensorrt()
    except MissingPackage as error:
        pytest.skip("the real TensorRT is not here: %s" % error)


@pytest.fixture(scope="module")
def version(real):
    """The fake of this very version."""
    if real.features.version not in VERSIONS:
        pytest.skip("there is no fake of TensorRT %s, only of %s" % (real.features.version, ", ".join(VERSIONS)))
    return real.features.version


def test_the_same_features_are_found_as_on_the_fake(real, version):
    assert detect(real.module) == detect(tensorrt_module(version))


def test_every_name_of_the_fake_is_one_of_the_real_module(real, version):
    names = json.loads((API / (version + ".json")).read_text())
    for owner, listed in names.items():
        if not owner.startswith("#"):
            have = set(dir(getattr(real.module, owner)))
            assert set(listed) <= have, owner
            public = {name for name in have if not name.startswith("_")} - {"name", "value", "itemsize"}
            assert public <= set(listed), owner


def test_our_logger_is_one_of_its_own(real):
    book = LogBook()
    logger = make_logger(real.module, book)
    assert isinstance(logger, real.module.ILogger)
    logger.log(real.module.ILogger.WARNING, "Your ONNX model has been generated with INT64 weights")
    logger.log(real.module.ILogger.ERROR, "bad\nthing")
    assert (book.int64_warnings, book.errors) == (1, ["bad thing"])


def test_flags_turn_into_bits_as_the_builder_wants_them(real):
    kinds = real.module.NetworkDefinitionCreationFlag
    if real.features.explicit_batch_flag:
        assert 1 << int(kinds.EXPLICIT_BATCH) >= 1


def test_without_a_gpu_the_builder_is_refused_in_one_line(real):
    book = LogBook()
    try:
        builder = _builder(real, make_logger(real.module, book), book)
    except BuildError as error:
        assert "is there an NVIDIA GPU with its driver" in str(error)
        assert "\n" not in str(error)
    else:
        assert builder.num_DLA_cores >= 0
