"""GStreamer by ctypes: its C library is on every JetPack, while its Python module is for the system's Python only."""
import ctypes
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

from wholebody.errors import MissingPackage, SourceError

PLAYING, NULL = 4, 1                        # GstState
_FAILURE = 0                                # GstStateChangeReturn
_READ = 1                                   # GstMapFlags
_EOS, _ERROR = 1 << 0, 1 << 1               # GstMessageType
_NONE = (1 << 64) - 1                       # GST_CLOCK_TIME_NONE
_BUFFER_PTS = 72                            # bytes before `pts` in a GstBuffer: a GstMiniObject (64) and the pool
_BUFFER_DURATION = 88                       # `dts` lies between
INSTALL = "sudo apt install gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav"


class _MapInfo(ctypes.Structure):
    _fields_ = [("memory", ctypes.c_void_p), ("flags", ctypes.c_int), ("data", ctypes.c_void_p),
                ("size", ctypes.c_size_t), ("maxsize", ctypes.c_size_t), ("user_data", ctypes.c_void_p * 4),
                ("reserved", ctypes.c_void_p * 4)]


class _Error(ctypes.Structure):
    _fields_ = [("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p)]


class Picture(NamedTuple):
    """Pixels as GStreamer holds them: valid within the block that gave them."""

    data: "ctypes.Array[ctypes.c_ubyte]"
    width: int
    height: int
    format: str
    age: float      # seconds since it was taken, by the pipeline's clock; 0 where that is not known


def _libraries() -> Tuple[Any, Any]:
    try:
        return ctypes.CDLL("libgstreamer-1.0.so.0"), ctypes.CDLL("libgstapp-1.0.so.0")
    except OSError as error:
        raise MissingPackage("GStreamer does not load: %s. Install it: %s" % (error, INSTALL)) from error


_SIGNATURES = {  # of libgstreamer: what it gives back, what it takes
    "gst_init": (None, "pp"), "gst_parse_launch": ("p", "sp"), "gst_bin_get_by_name": ("p", "ps"),
    "gst_element_set_state": ("i", "pi"), "gst_element_get_bus": ("p", "p"), "gst_object_unref": (None, "p"),
    "gst_bus_pop_filtered": ("p", "pi"), "gst_bus_timed_pop_filtered": ("p", "pqi"),
    "gst_message_parse_error": (None, "ppp"),
    "gst_mini_object_unref": (None, "p"), "gst_sample_get_buffer": ("p", "p"), "gst_sample_get_caps": ("p", "p"),
    "gst_caps_get_structure": ("p", "pu"), "gst_structure_get_int": ("i", "psp"),
    "gst_structure_get_string": ("s", "ps"), "gst_buffer_map": ("i", "ppi"), "gst_buffer_unmap": (None, "pp"),
    "gst_element_factory_find": ("p", "s"), "gst_element_get_clock": ("p", "p"), "gst_clock_get_time": ("q", "p"),
    "gst_element_get_base_time": ("q", "p"), "gst_buffer_new_allocate": ("p", "pzp"),
    "gst_buffer_fill": ("z", "pzbz"),
}
_TYPES = {"p": ctypes.c_void_p, "s": ctypes.c_char_p, "i": ctypes.c_int, "u": ctypes.c_uint, "q": ctypes.c_uint64,
          "z": ctypes.c_size_t, "b": ctypes.c_char_p}


class GstLibrary:
    """The functions that are used, declared; opened once."""

    _opened: "Optional[GstLibrary]" = None

    def __init__(self) -> None:
        self.gst, self.app = _libraries()
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self.gst, name)
            function.restype = _TYPES[result] if result else None
            function.argtypes = [_TYPES[each] for each in arguments]
        self.pull = self.app.gst_app_sink_try_pull_sample
        self.pull.restype, self.pull.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_uint64]
        self.is_eos = self.app.gst_app_sink_is_eos
        self.is_eos.restype, self.is_eos.argtypes = ctypes.c_int, [ctypes.c_void_p]
        self.gst.gst_init(None, None)

    @classmethod
    def open(cls) -> "GstLibrary":
        """The library; MissingPackage where it is not installed."""
        if cls._opened is None:
            cls._opened = cls()
        return cls._opened

    def has(self, element: str) -> bool:
        """Whether a plugin with this element is installed."""
        factory = self.gst.gst_element_factory_find(element.encode())
        if factory:
            self.gst.gst_object_unref(factory)
        return bool(factory)


class Pipeline:
    """A running pipeline whose appsink is called `sink`."""

    def __init__(self, library: GstLibrary, text: str) -> None:
        """Starts it; SourceError where the text is no pipeline or an element refuses."""
        self._library, gst = library, library.gst
        error = ctypes.POINTER(_Error)()
        self._pipeline = gst.gst_parse_launch(text.encode(), ctypes.cast(ctypes.byref(error), ctypes.c_void_p))
        if error:
            reason = (error.contents.message or b"").decode("utf-8", "replace")
            self._sink = self._bus = None
            self.close()
            raise SourceError("GStreamer refuses %r: %s" % (text, reason))
        self.handle = self._pipeline
        self._sink = gst.gst_bin_get_by_name(self._pipeline, b"sink")
        self._bus = gst.gst_element_get_bus(self._pipeline)
        if gst.gst_element_set_state(self._pipeline, PLAYING) == _FAILURE:
            reasons = self.errors()
            self.close()
            raise SourceError("; ".join(reasons) or "the pipeline does not start: %s" % text)

    def pictures(self, seconds: float) -> Iterator[Picture]:
        """The next picture, or none when it did not come in time."""
        library, gst = self._library, self._library.gst
        sample = library.pull(self._sink, int(seconds * 1e9)) if self._sink else None
        if not sample:
            return
        info, buffer = _MapInfo(), gst.gst_sample_get_buffer(sample)
        try:
            structure = gst.gst_caps_get_structure(gst.gst_sample_get_caps(sample), 0)
            width, height = self._number(structure, b"width"), self._number(structure, b"height")
            pixels = (gst.gst_structure_get_string(structure, b"format") or b"").decode()
            age = self._age(ctypes.c_uint64.from_address(buffer + _BUFFER_PTS).value)
            if not gst.gst_buffer_map(buffer, ctypes.addressof(info), _READ):
                raise SourceError("GStreamer gives no access to a picture")
            try:
                yield Picture((ctypes.c_ubyte * info.size).from_address(info.data), width, height, pixels, age)
            finally:
                gst.gst_buffer_unmap(buffer, ctypes.addressof(info))
        finally:
            gst.gst_mini_object_unref(sample)

    def errors(self) -> List[str]:
        """What went wrong since the last call, one line each."""
        found: List[str] = []
        while True:
            message = self._library.gst.gst_bus_pop_filtered(self._bus, _ERROR) if self._bus else None
            if not message:
                return found
            error = ctypes.POINTER(_Error)()
            self._library.gst.gst_message_parse_error(message, ctypes.cast(ctypes.byref(error), ctypes.c_void_p), None)
            if error:
                line = " ".join((error.contents.message or b"").decode("utf-8", "replace").split())
                found += [line] if line not in found else []
            self._library.gst.gst_mini_object_unref(message)

    def has_ended(self) -> bool:
        """Whether everything has arrived at the end; asks for a moment. Of pipelines whose end is a file."""
        message = self._library.gst.gst_bus_timed_pop_filtered(self._bus, 10 ** 8, _EOS)
        if message:
            self._library.gst.gst_mini_object_unref(message)
        return bool(message)

    @staticmethod
    def stamp(buffer: int, nanoseconds: int, duration: int) -> None:
        """When a buffer is shown, and for how long."""
        ctypes.c_uint64.from_address(buffer + _BUFFER_PTS).value = nanoseconds
        ctypes.c_uint64.from_address(buffer + _BUFFER_DURATION).value = duration

    @property
    def ended(self) -> bool:
        """The stream came to its end, and every picture of it was taken."""
        return bool(self._sink) and bool(self._library.is_eos(self._sink))

    def close(self) -> None:
        """Stop it and let go of the camera; closing twice is allowed."""
        if self._pipeline:
            self._library.gst.gst_element_set_state(self._pipeline, NULL)
        for held in (self._sink, self._bus, self._pipeline):
            if held:
                self._library.gst.gst_object_unref(held)
        self._pipeline = self._sink = self._bus = None

    def _number(self, structure: int, name: bytes) -> int:
        value = ctypes.c_int()
        self._library.gst.gst_structure_get_int(structure, name, ctypes.addressof(value))
        return value.value

    def _age(self, taken: int) -> float:
        gst = self._library.gst
        clock = gst.gst_element_get_clock(self._pipeline)
        if not clock or taken == _NONE:
            return 0.0
        now = int(gst.gst_clock_get_time(clock)) - int(gst.gst_element_get_base_time(self._pipeline))
        gst.gst_object_unref(clock)
        return max(0.0, (now - taken) / 1e9)
