"""Valid inputs made invalid: values of other kinds, texts and bytes with faults in them."""

from __future__ import annotations

import copy
import json
import math
import random
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

# Integers are small or absurd: those between are valid, and mean hours of work.
_PLAIN: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 2**62, 2**63, 2**64, -(2**63), 10**400, 0.0, -0.0, 0.5, 1.5,
    -1.5, math.nan, math.inf, -math.inf, 1e-320, 1e300, "", "x", "nan", "1", "\0", "\ud800",
    "../..", "/", "é" * 300, b"", b"x", (), [], {}, [None], ["x", 1], (1,), (-1, 2), {"x": None},
    {"term": "qpos"}, {1: 2}, [[1]], {1}, 1j, Fraction(1, 3), Path("/"), Path("nothing"), object,
    "~nobody/x",
)  # fmt: skip
_ARRAYS: tuple[Callable[[], Any], ...] = (
    lambda: np.zeros(0),
    lambda: np.zeros((2, 2)),
    lambda: np.full(3, np.nan),
    lambda: np.array(["a", "b"]),
    lambda: np.array([object()]),
    lambda: np.zeros((2, 3), np.int8),
    lambda: np.array(1),
    lambda: np.ones((4, 4), bool)[::2],
    lambda: np.zeros((1, 1, 1, 1)),
    lambda: np.float64("nan"),
    lambda: np.int64(-3),
    lambda: np.datetime64("2020-01-01"),
)
_WORDS = (
    "", " ", "\n", "[", "]", "{", "}", '"', "'", "=", "<", ">", "/>", "-", "0", "1e999", "nan",
    "-1", "1e-300", "99999999999999999999", "null", "true", "\0", "é", "&lt;", "<!--", "qpos", "#",
)  # fmt: skip


def odd_value(rng: random.Random) -> Any:
    """A value that hardly any argument expects."""
    if rng.random() < 0.25:
        return rng.choice(_ARRAYS)()
    return copy.copy(rng.choice(_PLAIN))


def odd_json(rng: random.Random) -> Any:
    """A value that a JSON or TOML file can hold."""
    kinds = (type(None), bool, int, float, str, list, dict)
    while True:
        value = rng.choice(_PLAIN)
        if isinstance(value, kinds) and value not in ({1: 2}, "\ud800"):
            return copy.deepcopy(value)


def faulty_bytes(rng: random.Random, content: bytes) -> bytes:
    """A file with some bytes changed, removed, repeated or put in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 4, 30, 500)))
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:end]
        elif kind == 2:
            data[at:at] = data[at:end]
        elif kind == 3:
            data[at:at] = rng.choice(_WORDS).encode()
        else:
            data[at:end] = rng.randbytes(end - at)
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data)


def faulty_text(rng: random.Random, text: str) -> str:
    """A text with some words changed, removed, repeated or put in."""
    words = text.replace("=", " = ").split(" ")
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(words) or 1)
        kind = rng.randrange(5)
        if kind == 0 and words:
            del words[at : at + rng.choice((1, 1, 3, 20))]
        elif kind == 1:
            words.insert(at, rng.choice(_WORDS))
        elif kind == 2 and words:
            words[at:at] = words[at : at + rng.choice((1, 5, 30))]
        elif kind == 3 and words:
            words[at] = rng.choice(words)
        elif words:
            word = words[at]
            cut = rng.randrange(len(word) + 1)
            words[at] = word[:cut] + rng.choice(_WORDS) + word[cut:]
    return " ".join(words).replace(" = ", "=")


def faulty_tree(rng: random.Random, tree: Any) -> Any:
    """Nested lists and dictionaries with a value, a key or a depth that is not expected."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places: list[tuple[Any, Any]] = []
        stack = [tree]
        while stack:
            node = stack.pop()
            keys = node.keys() if isinstance(node, dict) else range(len(node))
            for key in list(keys):
                places.append((node, key))
                if isinstance(node[key], dict | list):
                    stack.append(node[key])
        if not places:
            return odd_json(rng)
        node, key = rng.choice(places)
        kind = rng.randrange(5)
        if kind == 0:
            del node[key]
        elif kind == 1 and isinstance(node, dict):
            node[rng.choice(("x", "", "term", "seed", "é"))] = odd_json(rng)
        elif kind == 2:
            node[key] = copy.deepcopy(rng.choice(places)[0])
        else:
            node[key] = odd_json(rng)
    return tree


def safetensors_parts(content: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The tensors' table, pgcore's header in it, and the numbers."""
    size = struct.unpack("<Q", content[:8])[0]
    table = json.loads(content[8 : 8 + size])
    header = json.loads(table.pop("__metadata__")["pgcore"])
    return table, header, content[8 + size :]


def safetensors_file(table: Any, header: Any, numbers: bytes) -> bytes:
    """The file of such parts, whatever they are."""
    text = json.dumps(table | {"__metadata__": {"pgcore": json.dumps(header)}}).encode()
    return struct.pack("<Q", len(text)) + text + numbers
