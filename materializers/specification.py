"""Descriptions that are JSON to those who make them: the order of their keys says nothing."""

from __future__ import annotations

from typing import Any


def in_order_of_keys(value: Any) -> Any:
    """The same description with the keys of all its objects sorted."""
    if isinstance(value, dict):
        return {key: in_order_of_keys(value[key]) for key in sorted(value)}
    return [in_order_of_keys(one) for one in value] if isinstance(value, (list, tuple)) else value
