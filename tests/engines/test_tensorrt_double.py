"""The fakes of TensorRT are as strict as they claim: what a version lacks cannot be read, written or imported."""
import json

import fake_device
import onnx_bytes
import pytest
import tensorrt_double
from tensorrt_double import API, VERSIONS, tensorrt_module
from tensorrt_fakes import new

NAMES = {version: json.loads((API / (version + ".json")).read_text()) for version in VERSIONS}
CASES = [(version, name) for version in VERSIONS for name in sorted(NAMES[version]) if not name.startswith("#")]
EVERY_NAME = {(cls, name) for names in NAMES.values() for cls, listed in names.items() if not cls.startswith("#")
              for name in listed}


class Silent:
    def log(self, severity, msg):
        pass


def builder(trt):
    class Logger(trt.ILogger):
        def __init__(self):
            trt.ILogger.__init__(self)

        def log(self, severity, msg):
            pass
    return trt.Builder(Logger())


@pytest.mark.parametrize("version, name", CASES, ids=["%s-%s" % case for case in CASES])
def test_a_class_has_the_names_of_the_real_one_and_no_other(version, name):
    cls = getattr(tensorrt_module(version), name)
    for attribute in {attribute for owner, attribute in EVERY_NAME if owner == name}:
        assert hasattr(cls, attribute) == (attribute in NAMES[version][name]), attribute


@pytest.mark.parametrize("version", VERSIONS)
def test_the_module_has_the_classes_of_the_real_one_and_no_other(version):
    trt = tensorrt_module(version)
    for name in {owner for owner, _ in EVERY_NAME}:
        assert hasattr(trt, name) == (name in NAMES[version])
    with pytest.raises(AttributeError):
        trt.NoSuchClass  # noqa: B018
    with pytest.raises(AttributeError):
        trt.something = 1


WRONG = [
    ("8.2.1", "set_memory_pool_limit"), ("8.2.1", "builder_optimization_level"), ("8.5.2.2", "progress_monitor"),
    ("8.6.0", "progress_monitor"), ("10.3.0", "max_workspace_size"), ("10.13.3.9", "max_workspace_size"),
    ("11.4.0", "int8_calibrator"), ("11.4.0", "max_workspace_size")]


@pytest.mark.parametrize("version, name", WRONG, ids=["%s-%s" % case for case in WRONG])
def test_a_wrong_attribute_of_a_configuration_can_neither_be_read_nor_written(version, name):
    config = builder(tensorrt_module(version)).create_builder_config()
    with pytest.raises(AttributeError, match=name):
        getattr(config, name)
    with pytest.raises(AttributeError, match=name):
        setattr(config, name, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_misspelt_attribute_is_refused_on_every_kind_of_object(version):
    trt = tensorrt_module(version)
    made = builder(trt)
    config, network = made.create_builder_config(), made.create_network()
    for thing in (made, config, network, new(trt, "ICudaEngine"), new(trt, "IExecutionContext"), new(trt, "ITensor")):
        with pytest.raises(AttributeError):
            thing.workspcae = 1
        with pytest.raises(AttributeError):
            thing.workspcae  # noqa: B018
    with pytest.raises(AttributeError):
        trt.Builder.workspcae = 1
    with pytest.raises(AttributeError):
        trt.BuilderFlag.FP61  # noqa: B018
    assert not hasattr(trt.BuilderFlag, "FP16") or not version.startswith("11")


def test_a_name_that_is_real_and_not_faked_says_so():
    network = builder(tensorrt_module("8.2.1")).create_network()
    with pytest.raises(tensorrt_double.NotFaked, match="add_convolution"):
        network.add_convolution  # noqa: B018


def test_a_logger_that_is_none_is_refused():
    with pytest.raises(TypeError):
        tensorrt_module("8.5.2.2").Builder(Silent())


def test_an_enum_is_no_number_until_it_is_made_one():
    flag = tensorrt_module("8.2.1").NetworkDefinitionCreationFlag.EXPLICIT_BATCH
    with pytest.raises(TypeError):
        1 << flag
    assert isinstance(1 << int(flag), int)


def test_the_parser_of_8_refuses_a_network_with_an_implicit_batch():
    trt = tensorrt_module("8.2.1")
    made = builder(trt)
    parser = trt.OnnxParser(made.create_network(0), made._logger)
    assert not parser.parse(b"x")
    assert "explicit batch" in parser.get_error(0).desc()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plan_of_another_version_does_not_deserialise(version, tmp_path):
    trt = tensorrt_module(version)
    made = builder(trt)
    runtime = trt.Runtime(made._logger)
    assert runtime.deserialize_cuda_engine(b"no plan") is None


def parsed(trt, data, flags=None):
    """A builder, its configuration and a network, as of the real ones."""
    made = builder(trt)
    kinds = trt.NetworkDefinitionCreationFlag
    explicit = 1 << int(kinds.EXPLICIT_BATCH) if hasattr(kinds, "EXPLICIT_BATCH") else 0
    network = made.create_network(explicit | (flags or 0))
    assert trt.OnnxParser(network, made._logger).parse(data)
    return made, made.create_builder_config(), network


@pytest.mark.parametrize("version", VERSIONS)
def test_a_dynamic_input_without_a_profile_is_not_built(version):
    made, config, network = parsed(tensorrt_module(version), onnx_bytes.paf_net())
    assert made.build_serialized_network(network, config) is None
    network.get_input(0).shape = (1, 3, 16, 16)
    assert made.build_serialized_network(network, config) is not None


@pytest.mark.parametrize("version", ["10.3.0", "10.13.3.9"])
def test_a_strongly_typed_network_takes_no_precision_flags(version):
    trt = tensorrt_module(version)
    made, config, network = parsed(trt, onnx_bytes.paf_net(size=(16, 16)),
                                   1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    network.get_input(0).shape = (1, 3, 16, 16)
    config.set_flag(trt.BuilderFlag.FP16)
    assert made.build_serialized_network(network, config) is None


def test_int8_without_ranges_is_not_built():
    trt = tensorrt_module("8.5.2.2")
    made, config, network = parsed(trt, onnx_bytes.paf_net())
    network.get_input(0).shape = (1, 3, 16, 16)
    config.set_flag(trt.BuilderFlag.INT8)
    assert made.build_serialized_network(network, config) is None
    network.get_input(0).set_dynamic_range(-1, 1)
    assert made.build_serialized_network(network, config) is not None


def opened(trt):
    made, config, network = parsed(trt, onnx_bytes.paf_net())
    network.get_input(0).shape = (1, 3, 16, 16)
    plan = made.build_serialized_network(network, config)
    return trt.Runtime(made._logger).deserialize_cuda_engine(plan)


def test_a_context_without_a_device_is_not_made():
    assert opened(tensorrt_module("8.6.0")).create_execution_context() is None


def test_running_without_addresses_or_with_too_few_bindings_fails():
    device = fake_device.FakeDevice()
    with device.active():
        stream = device.new_stream()
        context = opened(tensorrt_module("8.6.0")).create_execution_context()
        assert not context.execute_async_v3(stream)
        assert not context.execute_async_v2([0], stream)
        assert not context.set_input_shape("image", (1, 3, 16, 24))
        assert context.set_input_shape("image", (1, 3, 16, 16))
    device.close()
