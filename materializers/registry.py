"""The registry: which materializer saves a type and which loads a format.

Both answers follow from the type or format and what was registered, never from what was imported before.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from ..errors import Invalid, MaterializerMissing
from .base import DEFINITION_FORMAT, PICKLE_FORMAT, PLAIN_FORMAT, Materializer, type_name
from .records import form_of

M = TypeVar("M", bound=type[Materializer[Any]])

_FORMAT = re.compile(r"[\w.+-]+/[1-9]\d*", re.ASCII)

_PLAIN = """
    NoneType bool int float complex str bytes bytearray list tuple set frozenset dict range slice
    datetime.date datetime.time datetime.datetime datetime.timedelta datetime.timezone zoneinfo.ZoneInfo
    decimal.Decimal fractions.Fraction uuid.UUID
    pathlib.PurePosixPath pathlib.PureWindowsPath pathlib.PosixPath pathlib.WindowsPath
    numpy.bool numpy.int8 numpy.int16 numpy.int32 numpy.int64 numpy.uint8 numpy.uint16 numpy.uint32 numpy.uint64
    numpy.float16 numpy.float32 numpy.float64 numpy.longdouble numpy.complex64 numpy.complex128 numpy.clongdouble
    numpy.str_ numpy.bytes_ numpy.void numpy.datetime64 numpy.timedelta64
    pandas.Timestamp pandas.Timedelta pandas.Period pandas.Interval
    pandas.api.typing.NaTType pandas.api.typing.NAType
    collections.OrderedDict collections.Counter collections.defaultdict collections.deque
"""
_SPARSE = "bsr coo csc csr dia dok lil"
_CHARTS = ("", "Concat", "Facet", "HConcat", "Layer", "Repeat", "VConcat")
_BUILT_IN = {
    "builtins:PlainValues": ("python.plain/1", _PLAIN),
    "streams:Generators": ("python.generator/1", "generator"),
    "streams:Groups": ("python.generator.group/1", "lineal.materializers.streams.Group"),
    "numpy:Ndarray": ("numpy.ndarray/1", "numpy.ndarray"),
    "pandas:DataFrame": ("pandas.DataFrame/1", "pandas.DataFrame"),
    "pandas:Series": ("pandas.Series/1", "pandas.Series"),
    "pandas_index:Index": (
        "pandas.Index/1",
        """
        pandas.Index pandas.RangeIndex pandas.MultiIndex pandas.CategoricalIndex pandas.DatetimeIndex
        pandas.IntervalIndex pandas.PeriodIndex pandas.TimedeltaIndex
        """,
    ),
    "pandas_arrays:Categorical": ("pandas.Categorical/1", "pandas.Categorical"),
    "pandas_arrays:Masked": (
        "pandas.masked/1",
        "pandas.arrays.BooleanArray pandas.arrays.FloatingArray pandas.arrays.IntegerArray",
    ),
    "pandas_arrays:Datetimes": ("pandas.datetimes/1", "pandas.arrays.DatetimeArray pandas.arrays.TimedeltaArray"),
    "pandas_arrays:Periods": ("pandas.periods/1", "pandas.arrays.PeriodArray"),
    "pandas_arrays:Intervals": ("pandas.intervals/1", "pandas.arrays.IntervalArray"),
    "pandas_arrays:ArrowBacked": (
        "pandas.arrow/1",
        "pandas.arrays.ArrowExtensionArray pandas.arrays.ArrowStringArray",
    ),
    "pandas_arrays:Strings": ("pandas.strings/1", "pandas.arrays.StringArray"),
    "pandas_arrays:NumpyBacked": ("pandas.numpy/1", "pandas.arrays.NumpyExtensionArray"),
    "pyarrow:Table": ("pyarrow.Table/2", "pyarrow.Table"),
    "pyarrow:RecordBatch": ("pyarrow.RecordBatch/2", "pyarrow.RecordBatch"),
    "pyarrow:Array": ("pyarrow.Array/2", "pyarrow.Array"),
    "pyarrow:ChunkedArray": ("pyarrow.ChunkedArray/2", "pyarrow.ChunkedArray"),
    # Read for ever, though nothing is saved in them any more.
    "pyarrow_1:Table1": ("pyarrow.Table/1", ""),
    "pyarrow_1:RecordBatch1": ("pyarrow.RecordBatch/1", ""),
    "pyarrow_1:Array1": ("pyarrow.Array/1", ""),
    "pyarrow_1:ChunkedArray1": ("pyarrow.ChunkedArray/1", ""),
    "files:Files": ("lineal.file/1", "lineal.File"),
    "files:Directories": ("lineal.directory/1", "lineal.Directory"),
    "polars:DataFrame": ("polars.DataFrame/1", "polars.DataFrame"),
    "polars:Series": ("polars.Series/1", "polars.Series"),
    "torch:Tensor": ("torch.Tensor/1", "torch.Tensor torch.nn.Parameter"),
    "numpy_masked:MaskedArray": ("numpy.masked/1", "numpy.ma.MaskedArray"),
    "numpy_masked:RecordArray": ("numpy.recarray/1", "numpy.rec.recarray"),
    "pandas_sparse:Sparse": ("pandas.sparse/1", "pandas.arrays.SparseArray"),
    "pyarrow_datasets:Batches": ("pyarrow.batches/1", "pyarrow.dataset.Dataset pyarrow.RecordBatchReader"),
    "scipy_sparse:Sparse": (
        "scipy.sparse/1",
        " ".join(f"scipy.sparse.{form}_{kind}" for form in _SPARSE.split() for kind in ("array", "matrix")),
    ),
    "torch:Shared": ("torch.shared/1", "lineal.materializers.torch_sharing.SharedTensors"),
    "pillow:Images": ("PIL.Image/1", "PIL.Image.Image"),
    "matplotlib:Figure": ("matplotlib.Figure/1", "matplotlib.figure.Figure"),
    "plotly:Figure": ("plotly.Figure/1", "plotly.graph_objects.Figure"),
    "altair:Chart": ("altair.Chart/1", " ".join(f"altair.{kind}Chart" for kind in _CHARTS)),
    "networkx:Graph": (
        "networkx.Graph/1",
        "networkx.Graph networkx.DiGraph networkx.MultiGraph networkx.MultiDiGraph",
    ),
    "xarray:Dataset": ("xarray.Dataset/1", "xarray.Dataset"),
    "xarray:DataArray": ("xarray.DataArray/1", "xarray.DataArray"),
    "xgboost:Booster": ("xgboost.Booster/1", "xgboost.Booster"),
    "xgboost:Estimator": (
        "xgboost.estimator/1",
        """
        xgboost.XGBClassifier xgboost.XGBModel xgboost.XGBRanker xgboost.XGBRegressor xgboost.XGBRFClassifier
        xgboost.XGBRFRegressor
        """,
    ),
    "lightgbm:Booster": ("lightgbm.Booster/1", "lightgbm.Booster"),
    "lightgbm:Estimator1": ("lightgbm.estimator/1", ""),
    "lightgbm:Estimator": (
        "lightgbm.estimator/2",
        "lightgbm.LGBMClassifier lightgbm.LGBMModel lightgbm.LGBMRanker lightgbm.LGBMRegressor",
    ),
    "huggingface:Dataset": ("datasets.Dataset/1", "datasets.Dataset"),
    "huggingface:DatasetDict": ("datasets.DatasetDict/1", "datasets.DatasetDict"),
    "definitions:Definitions": (DEFINITION_FORMAT, "lineal.materializers.definitions.Definition"),
    # Every type ends here.
    "fallback:Pickle": (PICKLE_FORMAT, "object"),
}
"""Where the built-in materializers are, by the format that each writes and the types that each saves."""

_BY_FORMAT = {format_id: place for place, (format_id, _) in _BUILT_IN.items()}
_BY_TYPE = {name: place for place, (_, names) in _BUILT_IN.items() for name in names.split()}
_WITHOUT_ENTRY_POINTS = frozenset(
    {*(name.partition(".")[0] for name in _BY_TYPE), "__main__", "__mp_main__", "lineal", *sys.stdlib_module_names}
)
"""Packages whose types are saved here, or by nobody else: no other package is asked for materializers of them."""
_loaded: dict[str, Materializer[Any]] = {}


class Registry:
    """Finds materializers: those registered here, and the built-in ones, which are imported when first met."""

    def __init__(self) -> None:
        self._by_type: dict[str | type, Materializer[Any]] = {}
        self._offered_by_type: dict[str, Materializer[Any]] = {}
        """Those of installed packages, by qualified name."""
        self._by_format: dict[str, Materializer[Any]] = {}
        self._built_in: dict[type, Materializer[Any]] = {}
        """What was found for the types of the interpreter itself, which are asked for most."""
        self._found: WeakKeyDictionary[type, Materializer[Any]] = WeakKeyDictionary()
        """What was found for other types."""
        self._asked: set[str] = set()
        """Packages whose entry points were loaded."""

    def register(self, materializer: M) -> M:
        """Add a materializer; a class decorator.

        It comes before a built-in one, and one that an installed package offers, for the same type. Inside containers,
        values of plain types stay as they are. What has the same name as one that was registered takes its place.

        Raises:
            Invalid: Its format id can't be one, or is taken; it names no types, or one that another is registered for.
        """
        where = type_name(materializer)
        if not getattr(materializer, "types", ()):
            raise Invalid("a materializer names no types", where=where, hint="Fill in its types.")
        if not isinstance(getattr(materializer, "format", None), str):
            raise Invalid("a materializer names no format", where=where, hint='Give it one: format = "project.Type/1".')
        for kind in materializer.types:
            holder = self._holder(kind)
            if holder is not None and type_name(type(holder)) != where:
                # Which of the two was registered last depends on what was imported when.
                name = kind if isinstance(kind, str) else type_name(kind)
                raise Invalid(
                    f"{name} is saved by {type_name(type(holder))} already",
                    where=where,
                    hint="Register one for each type; a step's output may name another: Artifact(..., materializer=…).",
                )
        instance = self.add_format(materializer)
        self._by_type.update(dict.fromkeys(instance.types, instance))
        self._built_in.clear()
        self._found.clear()
        return materializer

    def _holder(self, kind: str | type) -> Materializer[Any] | None:
        """What is registered for a type, by whatever it was named."""
        holder = self._by_type.get(kind)
        if holder is None and isinstance(kind, type):
            return self._by_type.get(type_name(kind))
        named = (one for key, one in self._by_type.items() if isinstance(key, type) and type_name(key) == kind)
        return holder or next(named, None)

    def add_format(self, materializer: type[Materializer[Any]]) -> Materializer[Any]:
        """Let values of its format be loaded, without it being chosen for any type; give what saves and loads them.

        Raises:
            Invalid: Its format id can't be one, or is taken.
        """
        format_id = materializer.format
        place = _BY_FORMAT.get(format_id)
        holder = self._by_format.get(format_id) or (None if place is None else _load(place))
        if holder is not None and type(holder) is materializer:
            return holder
        if not _FORMAT.fullmatch(format_id):
            raise Invalid(f"{format_id!r} is no format id", where=type_name(materializer), hint="Write name/1.")
        if holder is not None and (place is not None or type_name(type(holder)) != type_name(materializer)):
            raise Invalid(f"the format id {format_id} is taken", where=type_name(materializer), hint="Choose another.")
        instance = self._by_format[format_id] = materializer()
        return instance

    def for_type(self, kind: type) -> Materializer[Any]:
        """The materializer that saves values of this type: that of the nearest base class that has one.

        A registered one comes before a built-in one for the same class, and before that for values that say which
        fields they have, such as dataclasses.
        """
        found = self._built_in.get(kind)
        if found is None:
            found = self._found.get(kind)
        if found is None:
            found = self._find(kind)
            if kind.__module__ == "builtins":
                self._built_in[kind] = found
            else:
                self._found[kind] = found
        return found

    def _find(self, kind: type) -> Materializer[Any]:
        names = {base: type_name(base) for base in kind.__mro__ if base is not object}
        for name in names.values():
            self._ask(name)
        for base, name in names.items():
            found = self._by_type.get(base) or self._by_type.get(name) or self._offered_by_type.get(name)
            if found is None and name in _BY_TYPE:
                found = _load(_BY_TYPE[name])
            if found is not None and (base is kind or not found.exact):
                return found
        if object in self._by_type or "object" in self._by_type:
            return self._by_type.get(object) or self._by_type["object"]
        return _load(_BY_FORMAT[PICKLE_FORMAT if form_of(kind) is None else PLAIN_FORMAT])

    def _ask(self, name: str) -> None:
        """Take what installed packages offer for the package that this type's name or format id begins with."""
        package = name.partition(".")[0].partition("/")[0]
        if "." not in name and "/" not in name:
            return
        if package in _WITHOUT_ENTRY_POINTS or package in self._asked:
            return
        from .entry_points import materializers_for

        for materializer in materializers_for(package):
            instance = self.add_format(materializer)
            names = (one if isinstance(one, str) else type_name(one) for one in instance.types)
            self._offered_by_type.update(dict.fromkeys(names, instance))
        self._asked.add(package)

    def registered(self) -> list[type[Materializer[Any]]]:
        """The classes of all materializers that were registered for types."""
        return list(dict.fromkeys(type(one) for one in self._by_type.values()))

    def registered_for(self, kind: type) -> type[Materializer[Any]] | None:
        """The class of the registered materializer that saves values of this type; None if it is a built-in one."""
        found = self.for_type(kind)
        return type(found) if self._by_format.get(found.format) is found else None

    def for_value(self, value: object) -> Materializer[Any]:
        """The materializer that saves this value."""
        return self.for_type(type(value))

    def for_format(self, format_id: str) -> Materializer[Any]:
        """The materializer that loads this format.

        Raises:
            MaterializerMissing: None is registered.
        """
        found = self._by_format.get(format_id)
        if found is not None:
            return found
        if format_id in _BY_FORMAT:
            return _load(_BY_FORMAT[format_id])
        return self._offered(format_id)

    def runs_code(self, format_id: str) -> bool:
        """Whether loading this format may execute code; imports nothing but what an installed package offers for it.

        Raises:
            MaterializerMissing: None is registered.
        """
        found = self._by_format.get(format_id)
        if found is not None:
            return found.runs_code
        if format_id in _BY_FORMAT:
            return format_id in (DEFINITION_FORMAT, PICKLE_FORMAT)
        return self._offered(format_id).runs_code

    def _offered(self, format_id: str) -> Materializer[Any]:
        self._ask(format_id)
        if format_id not in self._by_format:
            raise self._missing(format_id)
        return self._by_format[format_id]

    def _missing(self, format_id: str) -> MaterializerMissing:
        name, _, _ = format_id.rpartition("/")
        known = sorted(one for one in (*_BY_FORMAT, *self._by_format) if one.rpartition("/")[0] == name)
        hint = "Import the module that registers its materializer."
        if known:
            hint = f"Known is {', '.join(known)}: upgrade what wrote it."
        return MaterializerMissing(f"no materializer loads the format {format_id!r}", hint=hint, format=format_id)


def _load(place: str) -> Materializer[Any]:
    materializer = _loaded.get(place)
    if materializer is None:
        module, _, name = place.partition(":")
        try:
            found = import_module(f".{module}", __package__)
        except ModuleNotFoundError as error:
            raise MaterializerMissing(
                f"values of {module} can't be loaded without {error.name}", hint=f"Install {error.name}."
            ) from error
        materializer = _loaded[place] = getattr(found, name)()
    return materializer


REGISTRY = Registry()
"""What `save` and `load` ask."""


def register(materializer: M) -> M:
    """Add a materializer to what `save` and `load` ask; a class decorator, as `Registry.register` says."""
    # A function, and no method of the registry: the code of steps is what it names, and not what is registered.
    return REGISTRY.register(materializer)
