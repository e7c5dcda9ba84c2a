"""The text of a LightGBM model, checked before the library reads it: it trusts what it reads, and ends the process.

Every count must be that of what it counts, every index one of what there is, and the nodes of every tree a tree.
The format is LightGBM's `GBDT::SaveModelToString` and `Tree::ToString`, of versions 2 to 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import ManifestCorrupt

_NUMBER = r"-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|inf|nan)"
_NUMBERS = re.compile(rf" *(?:{_NUMBER}(?: +{_NUMBER})*)? *", re.ASCII)
_INTEGERS = re.compile(r" *(?:-?\d{1,10}(?: +-?\d{1,10})*)? *", re.ASCII)
_HEAD_LINE = re.compile(r"[a-z_]+(?:=[^\n]*)?", re.ASCII)
_OBJECTIVE = re.compile(rf"[\w.]+(?: [a-z_]+(?::(?:{_NUMBER}|[\w.,]*))?)*", re.ASCII)
_RANGE = re.compile(rf"none|\[{_NUMBER}:{_NUMBER}\]|-?\d{{1,10}}(?::-?\d{{1,10}})*", re.ASCII)
_TAIL = re.compile(
    r"end of trees\n"
    r"(?:\nfeature[_ ]importances:\n(?:[^\n]+=\d{1,18}\n)*)?"
    r"(?:\nparameters:\n(?:\[[a-z_0-9]+: [^\n]*\]\n)*\nend of parameters\n)?"
    r"(?:\npandas_categorical:[^\n]*\n?)?\n*",
    re.ASCII,
)
_COUNT_MAX = 2**31 - 1
_CLASSES_MAX = 2**20
_IS_CATEGORY = 1
_DECISIONS_MAX = 16
_OF_NODES = ("split_gain", "threshold", "internal_value", "internal_weight", "internal_count")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count", "leaf_const", "num_features")
_NEEDED = ("split_feature", "threshold", "decision_type", "left_child", "right_child")


def check_model(text: str) -> None:
    """Refuse what is no model.

    Raises:
        ManifestCorrupt: It is none, and what is wrong.
    """
    head, gap, rest = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines[0] != "tree" or not all(map(_HEAD_LINE.fullmatch, lines)) or "\0" in text:
        raise _wrong("it has no head")
    fields = dict(line.partition("=")[::2] for line in lines[1:])
    features = _check_head(fields)
    sizes = _integers(fields, "tree_sizes")
    if sum(sizes) > len(rest) or not all(size > 0 for size in sizes):
        raise _wrong("its trees are not of the sizes that it says")
    data, place = rest.encode("utf-8"), 0
    for number, size in enumerate(sizes):
        _check_tree(data[place : place + size], number, features)
        place += size
    if not _TAIL.fullmatch(data[place:].decode("utf-8", "replace")):
        raise _wrong("what follows its trees is not what follows trees")


def _check_head(fields: Mapping[str, str]) -> int:
    """Give how many features there are."""
    (classes,), (each,) = _integers(fields, "num_class", 1), _integers(fields, "num_tree_per_iteration", 1)
    (last,) = _integers(fields, "max_feature_idx", 1)
    _integers(fields, "label_index", 1)
    if not (0 < classes <= _CLASSES_MAX and 0 < each <= _CLASSES_MAX and each in (1, classes)):
        raise _wrong("it has no number of classes")
    if last < 0 or len(_integers(fields, "tree_sizes")) % each:
        raise _wrong("its features or trees are of no number")
    objective = fields.get("objective", "")
    if objective and not _OBJECTIVE.fullmatch(objective):
        raise _wrong("it has no objective")
    if "num_class:" in objective and f"num_class:{classes}" not in objective.split(" "):
        raise _wrong("its objective has other classes")
    for name in ("feature_names", "feature_infos"):
        if len(fields.get(name, "").split(" ")) != last + 1:
            raise _wrong(f"it has others {name} than features")
    if not all(map(_RANGE.fullmatch, fields["feature_infos"].split(" "))):
        raise _wrong("the range of a feature is none")
    if "monotone_constraints" in fields:
        _integers(fields, "monotone_constraints", last + 1)
    return last + 1


def _check_tree(data: bytes, number: int, features: int) -> None:
    try:
        lines = data.decode("ascii").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise _wrong("a tree is no text") from error
    fields = dict(line.partition("=")[::2] for line in lines)
    if not data.endswith(b"\n") or len(fields) != len(lines) or fields.pop("Tree", None) != str(number):
        raise _wrong(f"tree {number} is not where it was to be")
    for name, values in fields.items():
        if not _NUMBERS.fullmatch(values):
            raise _wrong(f"{name} of tree {number} are no numbers")
    (leaves,), (categories,) = _integers(fields, "num_leaves", 1), _integers(fields, "num_cat", 1)
    if leaves < 1 or categories < 0 or leaves > len(data):
        raise _wrong(f"tree {number} has no number of leaves")
    for names, count in ((_OF_NODES, leaves - 1), (_OF_LEAVES, leaves)):
        for name in names:
            found = _count(fields.get(name, ""))
            if found != count and (found or name in _NEEDED or name == "leaf_value"):
                raise _wrong(f"{name} of tree {number} are {found}, and not {count}")
    _check_nodes(fields, number, leaves, features)
    _check_categories(fields, number, categories)
    _check_linear(fields, number, leaves, features)


def _check_nodes(fields: Mapping[str, str], number: int, leaves: int, features: int) -> None:
    nodes = leaves - 1
    if not nodes:
        return
    split, decisions, left, right = (_integers(fields, name, nodes) for name in _NEEDED if name != "threshold")
    if not all(0 <= one < features for one in split) or not all(0 <= one < _DECISIONS_MAX for one in decisions):
        raise _wrong(f"tree {number} splits by what is no feature")
    # Everything but the root has one parent, so that what is reached from the root is a tree.
    children = sorted((*left, *right))
    reached, waiting = 0, [0]
    while waiting and reached <= nodes:
        node = waiting.pop()
        reached += 1
        if node < nodes:
            waiting += [one for one in (left[node], right[node]) if one > 0]
    if children != [*range(-leaves, 0), *range(1, nodes)] or reached != nodes:
        raise _wrong(f"tree {number} is no tree")


def _check_categories(fields: Mapping[str, str], number: int, categories: int) -> None:
    decisions, thresholds = fields.get("decision_type", "").split(), fields.get("threshold", "").split()
    for decision, threshold in zip(decisions, thresholds, strict=False):
        if int(decision) & _IS_CATEGORY and not (threshold.isdigit() and int(threshold) < categories):
            raise _wrong(f"tree {number} splits by what is no category")
    if not categories:
        return
    bounds, words = _integers(fields, "cat_boundaries", categories + 1), _integers(fields, "cat_threshold")
    if (
        bounds != sorted(bounds)
        or bounds[0] != 0
        or bounds[-1] != len(words)
        or not all(0 <= one < 2**32 for one in words)
    ):
        raise _wrong(f"the categories of tree {number} are none")


def _check_linear(fields: Mapping[str, str], number: int, leaves: int, features: int) -> None:
    is_linear = fields.get("is_linear", "0").strip()
    if is_linear not in ("0", "1"):
        raise _wrong(f"tree {number} is neither linear nor not")
    if is_linear == "0":
        return
    counts, used = _integers(fields, "num_features", leaves), _integers(fields, "leaf_features")
    if any(one < 0 for one in counts) or sum(counts) != len(used) or not all(0 <= one < features for one in used):
        raise _wrong(f"the leaves of tree {number} have others than its features")
    if _count(fields.get("leaf_coeff", "")) != len(used) or _count(fields.get("leaf_const", "")) != leaves:
        raise _wrong(f"the leaves of tree {number} have no coefficients")


def _count(values: str) -> int:
    return len(values.split())


def _integers(fields: Mapping[str, str], name: str, count: int | None = None) -> list[int]:
    text = fields.get(name, "")
    if not _INTEGERS.fullmatch(text):
        raise _wrong(f"{name} are no integers")
    found = [*map(int, text.split())]
    if (count is not None and len(found) != count) or not all(-_COUNT_MAX <= one <= 2**32 for one in found):
        raise _wrong(f"{name} are not as many as they should be")
    return found


def _wrong(what: str) -> ManifestCorrupt:
    return ManifestCorrupt(f"a model can't be read: {what}", where="lightgbm.Booster/1")
