"""Where the preview listens and who is let in."""
import pytest

from wholebody.errors import OutputError
from wholebody.runtime.web import WebAddress

GOOD = [("127.0.0.1:8080", "", "127.0.0.1", True), ("localhost:1", "", "localhost", True),
        ("[::1]:80", "", "::1", True), ("0.0.0.0:8080", "secret-token", "0.0.0.0", False),
        ("board.local:80", "secret-token", "board.local", False)]


@pytest.mark.parametrize("text, token, host, loopback", GOOD, ids=[case[0] for case in GOOD])
def test_an_address_is_read(text, token, host, loopback):
    address = WebAddress.parse(text, token)
    assert (address.host, address.loopback) == (host, loopback)


BAD = [("8080", "", "HOST:PORT"), ("127.0.0.1", "", "HOST:PORT"), ("127.0.0.1:70000", "", "HOST:PORT"),
       ("http://127.0.0.1:80", "", "HOST:PORT"), ("0.0.0.0:8080", "", "--web-token"),
       ("10.0.0.7:8080", "", "--web-token"), ("[::]:8080", "", "--web-token"),
       ("127.0.0.1.example.org:80", "", "--web-token"),
       ("0.0.0.0:8080", "short", "8 to 200"), ("0.0.0.0:8080", "with a space", "8 to 200"),
       ("0.0.0.0:8080", "a-line-break\n", "8 to 200")]


@pytest.mark.parametrize("text, token, said", BAD, ids=["%s %s" % case[:2] for case in BAD])
def test_an_address_that_is_none_or_open_to_others_is_refused_with_what_to_do(text, token, said):
    with pytest.raises(OutputError, match=said) as caught:
        WebAddress.parse(text, token)
    assert "\n" not in str(caught.value)


def test_only_the_token_itself_is_the_token():
    address = WebAddress.parse("0.0.0.0:80", "secret-token")
    assert address.lets_in("secret-token")
    for wrong in (None, "", "secret-toke", "secret-token1", "Secret-token", "s\xe9cret-token", "\udc80"):
        assert not address.lets_in(wrong)


HOSTS = [("127.0.0.1:8080", True), ("localhost:8080", True), ("[::1]:8080", True), ("LOCALHOST", True), ("", False),
         ("evil.example:8080", False), ("127.0.0.1.evil.example", False), ("10.0.0.7", False)]


@pytest.mark.parametrize("host, ours", HOSTS, ids=[case[0] or "none" for case in HOSTS])
def test_without_a_token_a_foreign_name_does_not_mean_us(host, ours):
    assert WebAddress.parse("127.0.0.1:8080").is_ours(host) == ours
    assert WebAddress.parse("127.0.0.1:8080", "secret-token").is_ours(host)
