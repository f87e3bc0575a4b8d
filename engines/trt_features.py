"""What a TensorRT module can do, read once from the names it has: its version number decides nothing."""
from typing import Any, NamedTuple

NEVER, OPTIONAL, ALWAYS = "never", "optional", "always"


class Features(NamedTuple):
    """The differences between TensorRT 8.2 and 11 (and TensorRT-RTX) that matter here."""

    version: str
    explicit_batch_flag: bool      # 8 and 10 have the flag, 8 needs it
    strongly_typed: str            # never, optional or always: types come from the network, not from flags
    precision_flags: bool          # FP16 and INT8 as builder flags
    precision_constraints: bool    # OBEY_PRECISION_CONSTRAINTS: a layer's own precision is kept
    dynamic_range: bool            # ITensor.set_dynamic_range
    uint8_inputs: bool
    memory_pools: bool             # else max_workspace_size
    named_tensors: bool            # else bindings
    optimization_level: bool
    version_compatible: bool
    host_code_allowed: bool        # to be set before a version-compatible engine is opened
    strip_plan: bool
    refit_from_onnx: bool
    tactic_sources: bool
    progress_monitor: bool
    dla: bool
    reports_fast_precisions: bool  # Builder.platform_has_fast_fp16 and _int8
    compute_capabilities: bool     # builds for GPUs that are not here (TensorRT-RTX)
    parser_names_nodes: bool       # ParserError.node_name and node_operator; else the node's index alone
    inspector: bool
    grid_sample: bool


def detect(trt: Any) -> Features:
    """The features of an imported TensorRT module."""
    flags, config, engine = trt.BuilderFlag, trt.IBuilderConfig, trt.ICudaEngine
    precision_flags = hasattr(flags, "FP16") and hasattr(flags, "INT8")
    strongly = hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")
    return Features(
        version=str(trt.__version__),
        explicit_batch_flag=hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"),
        strongly_typed=ALWAYS if not precision_flags else OPTIONAL if strongly else NEVER,
        precision_flags=precision_flags,
        precision_constraints=hasattr(flags, "OBEY_PRECISION_CONSTRAINTS") and hasattr(trt.ILayer, "precision"),
        dynamic_range=hasattr(trt.ITensor, "set_dynamic_range"),
        uint8_inputs=hasattr(trt.DataType, "UINT8"),
        memory_pools=hasattr(config, "set_memory_pool_limit"),
        named_tensors=hasattr(engine, "num_io_tensors"),
        optimization_level=hasattr(config, "builder_optimization_level"),
        version_compatible=hasattr(flags, "VERSION_COMPATIBLE"),
        host_code_allowed=hasattr(trt.Runtime, "engine_host_code_allowed"),
        strip_plan=hasattr(flags, "STRIP_PLAN"),
        refit_from_onnx=hasattr(trt, "OnnxParserRefitter"),
        tactic_sources=hasattr(config, "set_tactic_sources"),
        progress_monitor=hasattr(config, "progress_monitor"),
        dla=hasattr(config, "DLA_core"),
        reports_fast_precisions=hasattr(trt.Builder, "platform_has_fast_fp16"),
        compute_capabilities=hasattr(config, "set_compute_capability"),
        parser_names_nodes=hasattr(trt.ParserError, "node_operator"),
        inspector=hasattr(engine, "create_engine_inspector"),
        grid_sample=hasattr(trt.INetworkDefinition, "add_grid_sample"))
