"""What a check found: one row of wb-doctor."""
import subprocess
from typing import Dict, List, NamedTuple, Optional

OK, LOOK, MEND = "ok", "look", "mend"   # look: works, but may surprise; mend: something will fail
_SECONDS = 60


class Finding(NamedTuple):
    """One thing that goes wrong in the field, how it is here, and the command that mends it."""

    name: str
    state: str
    found: str
    mend: str = ""

    def to_dict(self) -> Dict[str, str]:
        """For --json."""
        return {"name": self.name, "state": self.state, "found": self.found, "mend": self.mend}


class Said(NamedTuple):
    """What a program printed; `code` is None where it could not be started."""

    code: Optional[int]
    text: str


def ask(command: List[str]) -> Said:
    """Runs a program, which may hang, crash or be missing."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Said(None, " ".join(str(error).split()))
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"))
