"""Where the preview listens, and who may look."""
import hmac
import ipaddress
import re
from typing import NamedTuple, Optional

from wholebody.errors import OutputError

TOKEN = re.compile(r"[A-Za-z0-9._~-]{8,200}\Z")  # what a URL takes as it is
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})\Z")


class WebAddress(NamedTuple):
    """Host and port; a token is needed wherever others than this machine's users may come."""

    host: str
    port: int
    token: str = ""

    @classmethod
    def parse(cls, text: str, token: str = "") -> "WebAddress":
        """OutputError where it is none, or one that others reach and that has no token.

        >>> WebAddress.parse("127.0.0.1:8080").loopback
        True
        """
        found = _ADDRESS.match(text)
        if not found or int(found.group(2)) > 65535:
            raise OutputError("--web %s is no address to listen at; expected HOST:PORT such as 127.0.0.1:8080" % text)
        if token and not TOKEN.match(token):
            raise OutputError("--web-token: expected 8 to 200 letters, digits and -._~; such as: "
                              "$(head -c 12 /dev/urandom | base64 | tr +/ -_)")
        address = cls(found.group(1).strip("[]"), int(found.group(2)), token)
        if not token and not address.loopback:
            raise OutputError("--web %s can be reached by others: add --web-token TOKEN, "
                              "or listen at 127.0.0.1:%d only" % (text, address.port))
        return address

    @property
    def loopback(self) -> bool:
        """Only this machine reaches it."""
        return is_loopback(self.host)

    def lets_in(self, token: Optional[str]) -> bool:
        """Whether this is the token, in a time that does not tell how much of it is right."""
        return not self.token or hmac.compare_digest((token or "").encode("utf-8", "replace"), self.token.encode())

    def is_ours(self, host: str) -> bool:
        """Whether a request that was sent to this host means us.

        Without a token a foreign name that leads here is a page that tries to look through the user's browser
        (DNS rebinding).
        """
        if self.token:
            return True
        name = re.sub(r":[0-9]*$", "", host).strip("[]")
        return name == self.host or is_loopback(name)


def is_loopback(host: str) -> bool:
    """Whether a name or number means this machine.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("10.0.0.7"), is_loopback("127.0.0.1.example.org")
    (True, True, False, False)
    """
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
