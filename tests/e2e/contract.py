"""The OpenAPI document that relyd prints, and what it says about an answer: `service.Relyd.admin` holds every answer against it."""

import functools
import json
import re
import subprocess

import jsonschema

CHECKER = jsonschema.Draft202012Validator


@functools.cache
def document(binary):
    printed = subprocess.run([binary, "--print-docs", "openapi"], check=True, capture_output=True, text=True, timeout=30)
    return json.loads(printed.stdout)


@functools.cache
def templates(binary):
    """[(pattern of a path, its operations)]"""
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + r"(\?.*)?"), methods) for path, methods in document(binary)["paths"].items()]


@functools.cache
def checker(binary, path, method, status, media_type):
    """Of an answer's body; None: the document does not say."""
    operation = next((methods.get(method) for pattern, methods in templates(binary) if pattern.fullmatch(path)), None)
    if operation is None:
        return None
    answer = operation["responses"].get(status, operation["responses"]["default"])
    schema = answer.get("content", {}).get(media_type, {}).get("schema")
    assert schema is not None, f"{method} {path}: the document has no {status} of {media_type}"
    return CHECKER(schema, resolver=jsonschema.RefResolver("", document(binary)))


def hold(binary, method, path, answer):
    """Fails where an answer is not what the document promises for it."""
    media_type = (answer.header("content-type") or "").split(";")[0]
    if method == "HEAD" or not media_type.endswith("json"):
        return
    found = checker(binary, path.split("?")[0], method.lower(), str(answer.status), media_type)
    if found is not None:
        faults = [f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in found.iter_errors(answer.json())]
        assert not faults, f"{method} {path}: {answer} is not what the OpenAPI document says: {faults}"
