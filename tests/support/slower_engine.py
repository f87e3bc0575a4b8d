"""A network that does more work than it has to: a planted regression."""
import time

from wholebody.engines.engine import Engine


def thread_seconds():
    """Of the processor, of this thread."""
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


class SlowerEngine(Engine):
    """A fake of a worse build: runs the real network, on one thread, and then works on for a part of that time."""

    def __init__(self, real, more=0.2):
        self.real, self.more = real, more
        self.path, self.card, self.inputs, self.outputs = real.path, real.card, real.inputs, real.outputs

    def infer(self, feeds):
        return self._with_more(self.real.infer, feeds)

    def infer_into(self, feeds, memory):
        return self._with_more(self.real.infer_into, feeds, memory)

    def _with_more(self, run, *given):
        started = thread_seconds()
        outputs = run(*given)
        end = thread_seconds() + self.more * (thread_seconds() - started)
        while thread_seconds() < end:
            pass
        return outputs

    def close(self):
        self.real.close()
