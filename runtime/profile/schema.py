"""profile.schema.json, and whether a profile is as it says: as much of JSON Schema as that file uses."""
import json
import pathlib
from typing import Any, Dict, Iterator, List

from wholebody.errors import WholebodyError

SCHEMA = pathlib.Path(__file__).parent / "profile.schema.json"
_TYPES: Dict[str, Any] = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
                          "boolean": bool, "null": type(None)}
_KNOWN = {"$schema", "$id", "title", "description", "definitions", "$ref", "type", "required", "properties",
          "additionalProperties", "items", "enum", "const", "minimum", "minItems"}


def read_profile(path: str) -> Dict[str, Any]:
    """A profile from its file; WholebodyError where it is none."""
    try:
        data: Dict[str, Any] = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WholebodyError("%s cannot be read as a profile: %s; make one: profile-engine MODEL --json FILE"
                             % (path, error))
    wrong = problems(data)
    if wrong:
        raise WholebodyError("%s is no profile of this version: %s; make one: profile-engine MODEL --json FILE"
                             % (path, wrong[0]))
    return data


def problems(data: Any) -> List[str]:
    """What is not as the schema says, a line each."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return list(_check(data, schema, schema["definitions"], "profile"))


def _check(data: Any, rule: Dict[str, Any], named: Dict[str, Any], where: str) -> Iterator[str]:
    assert set(rule) <= _KNOWN, "the schema uses words that this validator does not know: %s" % sorted(rule)
    if "$ref" in rule:
        rule = named[rule["$ref"].rsplit("/", 1)[-1]]
    if not _is(data, rule.get("type")):
        yield "%s: expected %s, got %s" % (where, rule["type"], json.dumps(data)[:60])
        return
    if "const" in rule and data != rule["const"]:
        yield "%s: expected %r, got %r" % (where, rule["const"], data)
    if "enum" in rule and data not in rule["enum"]:
        yield "%s: expected one of %r, got %r" % (where, rule["enum"], data)
    if "minimum" in rule and isinstance(data, (int, float)) and data < rule["minimum"]:
        yield "%s: expected %r or more, got %r" % (where, rule["minimum"], data)
    if isinstance(data, dict):
        for line in _check_object(data, rule, named, where):
            yield line
    if isinstance(data, list):
        if len(data) < rule.get("minItems", 0):
            yield "%s: expected %d items or more, got %d" % (where, rule["minItems"], len(data))
        for place, item in enumerate(data):
            for line in _check(item, rule.get("items", {}), named, "%s[%d]" % (where, place)):
                yield line


def _check_object(data: Dict[str, Any], rule: Dict[str, Any], named: Dict[str, Any], where: str) -> Iterator[str]:
    own, more = rule.get("properties", {}), rule.get("additionalProperties", True)
    for name in rule.get("required", []):
        if name not in data:
            yield "%s: %r is missing" % (where, name)
    for name, value in data.items():
        if name not in own and more is False:
            yield "%s: %r is unknown" % (where, name)
        elif name in own or isinstance(more, dict):
            for line in _check(value, own.get(name, more), named, "%s.%s" % (where, name)):
                yield line


def _is(data: Any, types: Any) -> bool:
    if types is None:
        return True
    if isinstance(data, bool):
        return "boolean" in ([types] if isinstance(types, str) else types)
    return any(isinstance(data, _TYPES[one]) for one in ([types] if isinstance(types, str) else types))
