"""How trips go from one thread to the next: first in, first out, until it is closed."""
import collections
import threading
from typing import Callable, Deque, Generic, Optional, TypeVar

WAKE_SECONDS = 0.2  # a thread that must notice signals wakes up this often while it waits
_Item = TypeVar("_Item")


class Channel(Generic[_Item]):
    """Holds as many items as there are: lanes are few, and nothing else travels."""

    def __init__(self) -> None:
        self._items: Deque[_Item] = collections.deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: _Item) -> None:
        """Hand on; once the channel is closed nobody wants it any more, and it is dropped."""
        with self._changed:
            if not self._closed:
                self._items.append(item)
                self._changed.notify()

    def take(self, meanwhile: Optional[Callable[[], None]] = None) -> Optional[_Item]:
        """The next item; None when the channel is closed and empty. While it waits it calls `meanwhile` at times."""
        while True:
            with self._changed:
                if not self._items and not self._closed:
                    self._changed.wait(WAKE_SECONDS if meanwhile else None)
                if self._items:
                    return self._items.popleft()
                if self._closed:
                    return None
            if meanwhile:
                meanwhile()

    def close(self, discard: bool = False) -> None:
        """Nothing more will come; what is still in it is delivered, or dropped."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()
