"""Whether a picture file is all there: OpenCV 4 fills the rest of a cut-off JPEG with grey and says nothing."""

_JPEG_SCAN = 0xDA
_PNG_START = b"\x89PNG\r\n\x1a\n"


def missing_end(data: bytes) -> str:
    """What a JPEG or PNG file lacks at its end; "" when complete, or of another kind.

    >>> missing_end(b"BM and so on")
    ''
    """
    if data.startswith(b"\xff\xd8\xff") and not _jpeg_ends(data):
        return "no end-of-image marker"
    if data.startswith(_PNG_START) and b"IEND" not in data[-65536:]:
        return "no IEND chunk"
    return ""


def _jpeg_ends(data: bytes) -> bool:
    """Look for the end marker behind the start of the scan: a thumbnail in the header has one of its own.

    ITU T.81, B.1.1: each header segment says its length; in a scan the byte 0xFF is always stuffed or a marker.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _JPEG_SCAN:
            return data.find(b"\xff\xd9", at) >= 0
        if marker == 0xFF:  # padding
            at += 1
        else:
            at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
    return False
