"""A BuildSpec as TensorRT's builder configuration."""
from typing import Any, Optional, Sequence

from wholebody.engines.build_spec import BuildSpec
from wholebody.engines.calibration_table import CalibrationTable
from wholebody.engines.precision import PrecisionPlan
from wholebody.engines.shapes import InputShape
from wholebody.engines.trt_module import TensorRT
from wholebody.errors import BuildError

_NO_OTHERS_IN_CORE = "DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805"  # 8.5 and 8.6


def check_supported(trt: TensorRT, spec: BuildSpec, shapes: Sequence[InputShape]) -> None:
    """BuildError for a flag or an input that this TensorRT has no means for."""
    features = trt.features
    for flag, wanted, there in (
            ("--optimization-level", spec.optimization_level is not None, features.optimization_level),
            ("--version-compatible", spec.version_compatible, features.version_compatible),
            ("--strip", spec.strip, features.strip_plan and features.refit_from_onnx),
            ("--own-kernels", spec.own_kernels, features.tactic_sources),
            ("--dla", spec.dla_core is not None, features.dla),
            ("--target", bool(spec.target), features.compute_capabilities)):
        if wanted and not there:
            raise BuildError("%s does not know %s: leave it out" % (trt, flag))
    for shape in shapes:
        if shape.dtype == "uint8" and not features.uint8_inputs:
            raise BuildError("%s takes no uint8 input, as %s is: export the network without --fold-input"
                             % (trt, shape.name))


def make_config(trt: TensorRT, builder: Any, spec: BuildSpec, plan: PrecisionPlan, workspace_mb: int) -> Any:
    """The configuration without shapes, ranges and timing cache."""
    module, features = trt.module, trt.features
    config = builder.create_builder_config()
    if features.memory_pools:
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, workspace_mb << 20)
    else:
        config.max_workspace_size = workspace_mb << 20
    for name in plan.builder_flags:
        config.set_flag(getattr(module.BuilderFlag, name))
    if spec.precision == "fp32":
        config.clear_flag(module.BuilderFlag.TF32)  # on by default; it rounds to 10 bits
    if spec.optimization_level is not None:
        config.builder_optimization_level = spec.optimization_level
    if spec.version_compatible:
        config.set_flag(module.BuilderFlag.VERSION_COMPATIBLE)
    if spec.strip:
        config.set_flag(module.BuilderFlag.STRIP_PLAN)
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED  # what wb-export inspect shows
    if spec.own_kernels:
        _own_kernels(module, config)
    if spec.dla_core is not None:
        _use_dla(trt, builder, config, spec)
    if spec.capabilities:
        _set_capabilities(trt, config, spec.capabilities)
    return config


def set_shapes(builder: Any, network: Any, config: Any, shapes: Sequence[InputShape]) -> None:
    """Fixes the inputs of one shape and gives the others a profile."""
    inputs = {tensor.name: tensor for tensor in (network.get_input(i) for i in range(network.num_inputs))}
    profile: Optional[Any] = None
    for shape in shapes:
        tensor = inputs.get(shape.name)
        if tensor is None:
            raise BuildError("TensorRT drops input %r, on which no output depends: export the network without it"
                             % shape.name)
        if shape.is_fixed:
            tensor.shape = shape.opt
        else:
            profile = profile or builder.create_optimization_profile()
            profile.set_shape(shape.name, shape.min, shape.opt, shape.max)
    if profile is not None:
        config.add_optimization_profile(profile)


def set_ranges(network: Any, table: CalibrationTable) -> int:
    """Gives every tensor of the table its range; how many tensors of the network have none."""
    without = 0
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        tensors += [layer.get_output(k) for k in range(layer.num_outputs)]
    for tensor in tensors:
        largest = table.ranges.get(tensor.name)
        if largest is None:
            without += 1
        else:
            tensor.set_dynamic_range(-largest, largest)
    return without


def keep_layers(network: Any, names: Sequence[str], precision: Any) -> None:
    """Holds layers of these names, or that make tensors of these names, in a precision; BuildError for other names."""
    left, wanted = set(names), set(names)
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        known = {layer.name} | {layer.get_output(k).name for k in range(layer.num_outputs)}
        if known & wanted:
            layer.precision = precision
            left -= known
    if left:
        raise BuildError("the network has no layer %s, which --keep-fp32 or the calibration table keeps"
                         % ", ".join(repr(name) for name in sorted(left)))


def _own_kernels(module: Any, config: Any) -> None:
    sources = 0
    for name in ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"):
        if hasattr(module.TacticSource, name):
            sources |= 1 << int(getattr(module.TacticSource, name))
    config.set_tactic_sources(sources)
    preview = getattr(module, "PreviewFeature", None)
    if hasattr(preview, _NO_OTHERS_IN_CORE):
        config.set_preview_feature(getattr(preview, _NO_OTHERS_IN_CORE), True)


def _use_dla(trt: TensorRT, builder: Any, config: Any, spec: BuildSpec) -> None:
    cores = builder.num_DLA_cores
    if spec.dla_core is None or not 0 <= spec.dla_core < cores:
        raise BuildError("--dla %s: this board has %s: leave --dla out%s"
                         % (spec.dla_core, "no DLA" if not cores else "DLA cores 0 to %d" % (cores - 1),
                            "" if not cores else ", or name one of them"))
    config.default_device_type = trt.module.DeviceType.DLA
    config.DLA_core = spec.dla_core
    if spec.gpu_fallback:
        config.set_flag(trt.module.BuilderFlag.GPU_FALLBACK)


def _set_capabilities(trt: TensorRT, config: Any, capabilities: Sequence[str]) -> None:
    kinds = trt.module.ComputeCapability
    config.num_compute_capabilities = len(capabilities)
    for place, capability in enumerate(capabilities):
        name = "SM" + capability.replace(".", "")
        if not hasattr(kinds, name):
            known = sorted((n[2:] for n in dir(kinds) if n.startswith("SM")), key=int)
            raise BuildError("%s does not build for compute capability %s; it builds for %s"
                             % (trt, capability, ", ".join("%s.%s" % (n[:-1], n[-1]) for n in known)))
        config.set_compute_capability(getattr(kinds, name), place)
