"""Every network at the size its authors run: checkpoint, ONNX file, and the same numbers from ONNX Runtime."""
import time

import pytest
from checkpoint_files import official_tensors, write_official

from wholebody.export.checkpoint_verification import verify_checkpoint
from wholebody.export.loading import load_network
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.export.verification import VerifyOptions


@pytest.mark.long
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_gives_the_same_at_its_official_size(name, tmp_path, record_property):
    checkpoint, size = write_official(tmp_path, name, official_tensors(name)), ARCHITECTURES[name].default_input
    model = tmp_path / "model.onnx"
    started = time.monotonic()
    export_onnx(load_network(str(checkpoint), name), str(model), OnnxOptions(size, 1), str(checkpoint))
    result = verify_checkpoint(str(checkpoint), str(model), name, VerifyOptions(inputs=1))
    checkpoint.unlink()
    model.unlink()
    assert [row.size for row in result.rows] == [size] * len(result.rows)
    assert result.passed, result
    record_property("relative_error", max(row.relative for row in result.rows))
    record_property("seconds", time.monotonic() - started)
