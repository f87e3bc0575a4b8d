"""The fake GPU memory raises where a real one would corrupt results in silence."""
import numpy as np
import pytest
from fake_device import DeviceMisuse, FakeDevice


@pytest.fixture
def device():
    device = FakeDevice()
    yield device
    if not device.closed:
        device._blocks.clear()
        device._streams[:] = []
        device.close()


def ones(count=4):
    return np.ones(count, np.float32)


def test_what_goes_in_comes_out_after_synchronising_and_not_before(device):
    with device.active():
        stream, buffer, out = device.new_stream(), device.alloc(16), device.host_array((4,), "float32")
        device.upload(buffer, ones(), stream)
        device.download(out, buffer, stream)
        assert not (out == 1).any()
        device.synchronize(stream)
        assert (out == 1).all()


MISUSES = [
    ("out of bounds", lambda d, s, b: d.upload(b, ones(5), s), "20 bytes .* a buffer of 16"),
    ("not contiguous", lambda d, s, b: d.upload(b, ones(8)[::2], s), "contiguous: False"),
    ("use after free", lambda d, s, b: (d.free(b), d.upload(b, ones(), s)), "freed"),
    ("free twice", lambda d, s, b: (d.free(b), d.free(b)), "not allocated any more"),
    ("another stream", lambda d, s, b: d.upload(b, ones(), s + 99), "no stream"),
    ("free with work left", lambda d, s, b: (d.upload(b, ones(), s), d.free(b)), "work left"),
    ("closed with buffers left", lambda d, s, b: d.close(), "never freed"),
    ("an allocation of nothing", lambda d, s, b: d.alloc(0), "0 bytes"),
    ("a stray address", lambda d, s, b: d.view(b.address + b.nbytes, 1), "not allocated"),
]


@pytest.mark.parametrize("misuse, message", [case[1:] for case in MISUSES], ids=[case[0] for case in MISUSES])
def test_misuse_raises(device, misuse, message):
    with device.active():
        stream, buffer = device.new_stream(), device.alloc(16)
        with pytest.raises(DeviceMisuse, match=message):
            misuse(device, stream, buffer)


def test_a_device_that_is_not_active_is_refused(device):
    with pytest.raises(DeviceMisuse, match="within active"):
        device.alloc(1)
