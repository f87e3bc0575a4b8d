"""The CUDA kernels on a fake GPU: the real sources, compiled for the CPU."""
import cuda_shim
import pycuda_double
import pytest
from fake_gpu import fake_cubin


@pytest.fixture(scope="session")
def kernels_library(tmp_path_factory):
    """The kernels as a shared library over the shim."""
    return cuda_shim.build(tmp_path_factory.mktemp("kernels") / "kernels.so")


@pytest.fixture
def gpu(monkeypatch, kernels_library):
    """The fake GPU behind pycuda; what would compile kernels for it takes those of the shim."""
    monkeypatch.setattr("wholebody.runtime.kernels.compiling.kernels_for", lambda sm: fake_cubin(kernels_library))
    return pycuda_double.install(monkeypatch)
