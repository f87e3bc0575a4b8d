"""The few calls of the CUDA driver that pycuda lacks, through ctypes: streams captured into graphs."""
import ctypes
from typing import Any, Callable, List

from wholebody.errors import ModelError

LIBRARY = "libcuda.so.1"
FIRST_WITH_GRAPHS = 10010    # CUDA 10.1: cuStreamBeginCapture with a mode
THREAD_LOCAL = 1             # another thread's allocation does not spoil a capture
_LOG_BYTES = 1024


class GraphDriver:
    """Captures and launches graphs. The context is the caller's to make current."""

    def __init__(self, library: Any) -> None:
        """`library`: an open libcuda."""
        self._library = library
        version = ctypes.c_int()
        self.available = (library.cuDriverGetVersion(ctypes.byref(version)) == 0
                          and version.value >= FIRST_WITH_GRAPHS)
        self._graphs: List[int] = []

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Handle of an executable graph of all that `work` puts on the stream."""
        self._call("cuStreamBeginCapture_v2", ctypes.c_void_p(stream), ctypes.c_int(THREAD_LOCAL))
        graph = ctypes.c_void_p()
        try:
            work()
        except BaseException:
            # The stream must not be left in capture; why `work` failed is the better message.
            self._library.cuStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph))
            self._destroy(graph)
            raise
        self._call("cuStreamEndCapture", ctypes.c_void_p(stream), ctypes.byref(graph))
        try:
            handle = self._instantiated(graph)
        finally:
            self._destroy(graph)
        self._graphs.append(handle)
        return handle

    def launch(self, graph: int, stream: int) -> None:
        """Put the graph on a stream."""
        self._call("cuGraphLaunch", ctypes.c_void_p(graph), ctypes.c_void_p(stream))

    def drop(self, graph: int) -> None:
        """Destroy a graph."""
        self._graphs.remove(graph)
        self._library.cuGraphExecDestroy(ctypes.c_void_p(graph))

    def close(self) -> None:
        """Destroy every graph; closing twice is allowed."""
        while self._graphs:
            self._library.cuGraphExecDestroy(ctypes.c_void_p(self._graphs.pop()))

    def _instantiated(self, graph: ctypes.c_void_p) -> int:
        executable = ctypes.c_void_p()
        if hasattr(self._library, "cuGraphInstantiateWithFlags"):  # CUDA 11.4
            self._call("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
        else:
            log = ctypes.create_string_buffer(_LOG_BYTES)
            self._call("cuGraphInstantiate", ctypes.byref(executable), graph, None, log, ctypes.c_size_t(_LOG_BYTES))
        return int(executable.value or 0)

    def _destroy(self, graph: ctypes.c_void_p) -> None:
        if graph:
            self._library.cuGraphDestroy(graph)

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise ModelError("%s failed: CUDA error %d (%s)" % (name, status, self._name_of(status)))

    def _name_of(self, status: int) -> str:
        text = ctypes.c_char_p()
        if self._library.cuGetErrorName(ctypes.c_int(status), ctypes.byref(text)) or text.value is None:
            return "unknown"
        return text.value.decode()


def open_graph_driver() -> GraphDriver:
    """Over the library that pycuda has loaded already."""
    return GraphDriver(ctypes.CDLL(LIBRARY))
