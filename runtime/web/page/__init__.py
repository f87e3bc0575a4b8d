"""The page: five files that are sent as one, so that nothing but this one address is asked for anything."""
import base64
import hashlib
import pathlib
from typing import NamedTuple

_FOLDER = pathlib.Path(__file__).resolve().parent


class Page(NamedTuple):
    """HTML with style and script in it, and the policy that lets these run and nothing else."""

    html: bytes
    policy: str

    @classmethod
    def load(cls) -> "Page":
        """From the files beside this one."""
        style, html = _read("preview.css"), _read("preview.html")
        script = "".join(_read(name) for name in ("people.js", "charts.js", "preview.js"))
        policy = ("default-src 'none'; script-src '%s'; style-src '%s'; img-src data: blob:; connect-src 'self'; "
                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" % (_hash(script), _hash(style)))
        return cls(html.replace("/*style*/", style).replace("/*script*/", script).encode("utf-8"), policy)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
