"""Errors of a contract in words: where, which line, what was given, what is valid."""

import json
from typing import Any

from pydantic import BaseModel, ValidationError

from vlm_robot_ros.robot.contract_schema import NAME, SERVOS, Contract


def contract_schema_text() -> str:
    """Return the JSON schema of contracts, for editors and other tools."""
    return json.dumps(Contract.model_json_schema(), indent=2) + "\n"


def schema_fields(model: type[BaseModel]) -> list[tuple[str, str, str, str]]:
    """Return part, name, valid values and meaning of each field of a schema."""
    schema = model.model_json_schema()
    parts = {"": schema, **schema["$defs"]}
    rows = []
    for part, content in parts.items():
        for name, field in content["properties"].items():
            own = {"properties": {name: field}, "$defs": schema["$defs"]}
            valid = _valid(_field(own, [name]))
            if name not in content.get("required", []):
                valid += "; optional"
            rows.append((part, name, valid, field.get("description", "")))
    return rows


def error_text(error: ValidationError, schema: type[BaseModel], content: Any, where: str) -> str:
    """Return all problems, one a line.

    Args:
        error: What pydantic found.
        schema: Of the content.
        content: The YAML, whose mappings may know the lines of their keys.
        where: Names the content.
    """
    whole = schema.model_json_schema()
    lines = [_text(dict(each), whole, content, where) for each in error.errors()]
    return "\n".join(dict.fromkeys(lines))


def _text(error: dict[str, Any], schema: dict[str, Any], content: Any, where: str) -> str:
    place = [part for part in error["loc"] if part not in (SERVOS, NAME)]
    kind, context = error["type"], error.get("ctx", {})
    if kind == "problem":
        place.append(context["key"])
    # Of a list of numbers the whole is named.
    while place and isinstance(place[-1], int) and not _is_mapping_list(schema, place):
        place.pop()
    parent = _value(content, place[:-1])
    line = line_of(parent, place[-1]) if place else ""
    path = f"{where}{_path(place)}"
    if kind == "missing":
        begins = getattr(parent, "line", None)
        begins = f" (the mapping begins in line {begins})" if begins else ""
        above, valid = f"{where}{_path(place[:-1])}", _valid(_field(schema, place))
        return f"{above}: '{place[-1]}' is missing; it must be {valid}{begins}"
    if kind == "extra_forbidden":
        valid = ", ".join(_field(schema, place[:-1]).get("properties", {}))
        above = f"{where}{_path(place[:-1])}"
        return f"{above}: unknown field(s) {place[-1]}; valid: {valid}{line}"
    if kind == "problem":
        return f"{path}: {context['text']}{line}"
    given = _value(content, place)
    if not place:
        return f"{where}: expected a mapping, got {type(given).__name__}"
    return f"{path}: got {given!r}; it must be {_valid(_field(schema, place))}{line}"


def _is_mapping_list(schema: dict[str, Any], place: list[Any]) -> bool:
    return "properties" in _field(schema, place)


def _path(place: list[Any]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f": {part}" for part in place)


def _value(content: Any, place: list[Any]) -> Any:
    for part in place:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def line_of(parent: Any, key: Any) -> str:
    """Return the line of a mapping's key in words; empty if the mapping does not know it."""
    lines = getattr(parent, "lines", {})
    return f" (line {lines[key]})" if key in lines else ""


def _field(schema: dict[str, Any], place: list[Any]) -> dict[str, Any]:
    """Return the JSON schema of a place; empty if there is none."""
    found = schema
    for part in [*place, None]:
        options = found.get("anyOf") or found.get("oneOf") or [found]
        # Of null and something the latter; of a name and a mapping the mapping.
        named = [each for each in options if each.get("type") not in ("null",)]
        found = next((each for each in named if "$ref" in each), (named or options)[0]) | {
            key: value for key, value in found.items() if key not in ("anyOf", "oneOf", "$ref")
        }
        if "$ref" in found:
            found = schema["$defs"][found["$ref"].rpartition("/")[2]]
        if part is None:
            return found
        if isinstance(part, int):
            found = found.get("items", {})
        else:
            found = found.get("properties", {}).get(part, {})
    return found


def _valid(field: dict[str, Any]) -> str:
    """Return what a field may be, in words, from its JSON schema."""
    if "enum" in field:
        return f"one of {', '.join(map(str, field['enum']))}"
    kind = field.get("type")
    if kind == "number":
        text = "a number"
        if "exclusiveMinimum" in field:
            text += f" above {float(field['exclusiveMinimum'])}"
        elif "minimum" in field:
            text += f" from {field['minimum']:g}"
        return text + (f", {field['maximum']:g} at most" if "maximum" in field else "")
    if kind == "array":
        item = field.get("items", {})
        least, most = field.get("minItems"), field.get("maxItems")
        count = f"{least} " if least is not None and least == most else ""
        of = {"number": "numbers", "string": "texts"}.get(item.get("type", ""), "mappings")
        return f"a list of {count}{of}"
    words = {"integer": f"a whole number from {field.get('minimum', 0)}", "string": "a text",
             "boolean": "true or false", "object": "a mapping"}  # fmt: skip
    return words.get(str(kind), "as in the documentation")
