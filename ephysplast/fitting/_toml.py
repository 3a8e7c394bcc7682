"""Results as TOML text, which the standard library reads and does not write."""

import json
from collections.abc import Iterable, Mapping
from math import isinf, isnan


def toml_table(path: tuple[str, ...], values: Mapping[str, object]) -> str:
    """Return one table; an empty path is the top of the file.

    Examples
    --------
    >>> print(toml_table(("a", "b c"), {"x": 1.0, "y": "τ", "z": [True], "u": float("nan")}))
    [a."b c"]
    x = 1.0
    y = "τ"
    z = [true]
    u = nan
    """
    head = [f"[{'.'.join(_key(each) for each in path)}]"] if path else []
    return "\n".join([*head, *(f"{_key(name)} = {_value(value)}" for name, value in values.items())])


def toml_text(tables: Iterable[str]) -> str:
    """Join tables to a file."""
    return "\n\n".join(tables) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isascii() and name.isidentifier() else _string(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if isnan(value):
            return "nan"
        return ("inf" if value > 0 else "-inf") if isinf(value) else repr(float(value))
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return _string(str(value))


def _string(text: str) -> str:
    # JSON escapes what TOML wants escaped, but for the delete character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
