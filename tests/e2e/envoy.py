"""Envoy's side of gRPC ext_authz: the messages of envoy.service.auth.v3 by google.protobuf, and the calls by grpcio."""

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2  # noqa: F401: Struct is in the pool by its import

CHECK = "/envoy.service.auth.v3.Authorization/Check"
HEALTH = "/grpc.health.v1.Health/"
OVERWRITE_OR_ADD = 2

KINDS = {"string": 9, "bytes": 12, "int32": 5, "int64": 3, "bool": 8, "enum": 5}  # an enum is an int32 on the wire

# message: {field: (number, type)}; `*` before a type: repeated; `{}` after a name: a map of texts
MESSAGES = {
    "CheckRequest": {"attributes": (1, "AttributeContext")},
    "AttributeContext": {"source": (1, "Peer"), "destination": (2, "Peer"), "request": (4, "Request"), "context_extensions": (10, "*Pair"),
                         "metadata_context": (11, "Metadata")},
    "Peer": {"service": (2, "string"), "principal": (4, "string"), "certificate": (5, "string")},
    "Metadata": {"filter_metadata": (1, "*MetadataEntry")},
    "MetadataEntry": {"key": (1, "string"), "value": (2, "google.protobuf.Struct")},
    "Request": {"http": (2, "HttpRequest")},
    "HttpRequest": {"id": (1, "string"), "method": (2, "string"), "headers": (3, "*Pair"), "path": (4, "string"), "host": (5, "string"), "scheme": (6, "string"),
                    "size": (9, "int64"), "protocol": (10, "string"), "body": (11, "string"), "raw_body": (12, "bytes"), "header_map": (13, "HeaderMap")},
    "Pair": {"key": (1, "bytes"), "value": (2, "bytes")},
    "HeaderMap": {"headers": (1, "*HeaderValue")},
    "HeaderValue": {"key": (1, "string"), "value": (2, "string"), "raw_value": (3, "bytes")},
    "HeaderValueOption": {"header": (1, "HeaderValue"), "append": (2, "BoolValue"), "append_action": (3, "enum"), "keep_empty_value": (4, "bool")},
    "BoolValue": {"value": (1, "bool")},
    "CheckResponse": {"status": (1, "Status"), "denied_response": (2, "DeniedHttpResponse"), "ok_response": (3, "OkHttpResponse"),
                      "dynamic_metadata": (4, "google.protobuf.Struct"), "error_response": (5, "DeniedHttpResponse")},
    "Status": {"code": (1, "int32"), "message": (2, "string")},
    "OkHttpResponse": {"headers": (2, "*HeaderValueOption"), "dynamic_metadata": (3, "google.protobuf.Struct"), "headers_to_remove": (5, "*string"),
                       "response_headers_to_add": (6, "*HeaderValueOption")},
    "DeniedHttpResponse": {"status": (1, "HttpStatus"), "headers": (2, "*HeaderValueOption"), "body": (3, "string")},
    "HttpStatus": {"code": (1, "enum")},
    "HealthCheckRequest": {"service": (1, "string")},
    "HealthCheckResponse": {"status": (1, "enum")},
    "HealthListResponse": {"statuses": (1, "*HealthEntry")},
    "HealthEntry": {"key": (1, "string"), "value": (2, "HealthCheckResponse")},
}


def describe(message, name, number, kind):
    field = message.field.add(name=name, number=number, label=3 if kind.startswith("*") else 1)
    kind = kind.lstrip("*")
    if kind in KINDS:
        field.type = KINDS[kind]
    else:
        field.type, field.type_name = 11, f".{kind}" if "." in kind else f".relyd.test.{kind}"


def make_messages():
    pool = descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto(name="relyd_test.proto", package="relyd.test", syntax="proto3", dependency=["google/protobuf/struct.proto"])
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            describe(message, field, number, kind)
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(f"relyd.test.{name}")) for name in MESSAGES}


MESSAGE = make_messages()


def check_request(headers=None, method="GET", header_map=None, **extensions):
    """In: extensions - `route`, `aud`, `identity`, and others by their whole name with `__` for a dot."""
    request = MESSAGE["CheckRequest"]()
    context = request.attributes
    http = context.request.http
    http.id, http.method, http.path, http.host, http.scheme, http.size, http.protocol = "7", method, "/a?b=c", "shop.example", "https", -1, "HTTP/1.1"
    context.source.service = "a"
    context.metadata_context.filter_metadata.add(key="x").value.update({"deep": {"er": [1, {"est": None}]}})
    pseudo = {":method": method, ":path": "/a?b=c", ":authority": "shop.example", "x-forwarded-for": "192.0.2.1"}
    for name, value in (pseudo | (headers or {})).items() if header_map is None else ():
        http.headers.add(key=name.encode(), value=value if isinstance(value, bytes) else value.encode())
    for name, value in header_map or ():
        http.header_map.headers.add(key=name, raw_value=value.encode())
    for name, value in extensions.items():
        name = f"relyd.{name}" if name in ("route", "aud", "identity") else name.replace("__", ".")
        context.context_extensions.add(key=name.encode(), value=value if isinstance(value, bytes) else value.encode())
    return request


class Envoy:
    def __init__(self, address, credentials=None):
        target = "%s:%d" % address if isinstance(address, tuple) else address
        self.channel = grpc.insecure_channel(target) if credentials is None else grpc.secure_channel(target, credentials)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.channel.close()

    def call(self, path, request, answer="CheckResponse", metadata=()):
        serialise = bytes if isinstance(request, bytes) else type(request).SerializeToString
        method = self.channel.unary_unary(path, request_serializer=serialise, response_deserializer=MESSAGE[answer].FromString)
        return method(request, timeout=20, metadata=metadata, wait_for_ready=False)

    def watch(self, service="", timeout=20):
        """grpc.health.v1.Health/Watch: what is said of the service, one answer after the other."""
        method = self.channel.unary_stream(HEALTH + "Watch", request_serializer=MESSAGE["HealthCheckRequest"].SerializeToString,
                                           response_deserializer=MESSAGE["HealthCheckResponse"].FromString)
        return method(MESSAGE["HealthCheckRequest"](service=service), timeout=timeout)

    def check(self, headers=None, metadata=(), **words):
        return self.call(CHECK, check_request(headers, **words), metadata=metadata)


def headers_of(options):
    """Names and values; each overwrites what is there, and is kept when it is empty."""
    assert all(option.append_action == OVERWRITE_OR_ADD and option.keep_empty_value and not option.HasField("append") for option in options)
    names = [option.header.key for option in options]
    assert len(set(names)) == len(names)
    return {option.header.key: option.header.value for option in options}
