"""A TokenReview in Kubernetes' protobuf, as client-go writes it: each field that there is, empty ones too."""

MAGIC = b"k8s\0"


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, *texts):
    """Once for each text."""
    out = b""
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode()
        out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


METADATA = field(1, "") + b"".join(field(number, "") for number in (2, 3, 4, 5, 6)) + b"\x38\x00" + field(8, "")
STATUS = b"\x08\x00" + field(2, field(1, "") + field(2, "")) + field(3, "")


def spec(token, *audiences):
    return field(1, token) + field(2, *audiences)


def envelope(raw, version="authentication.k8s.io/v1", kind="TokenReview", encoding="", content_type=""):
    return MAGIC + field(1, field(1, version) + field(2, kind)) + field(2, raw) + field(3, encoding) + field(4, content_type)


def tokenreview(token, *audiences, **of_envelope):
    """The body of one."""
    return envelope(field(1, METADATA) + field(2, spec(token, *audiences)) + field(3, STATUS), **of_envelope)
