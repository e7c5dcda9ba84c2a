"""The names that types are saved under: those that users know them by, in every version of a library."""

from __future__ import annotations

# Where a library keeps what it gives out under a shorter name.
_MODULES = {
    "datasets.arrow_dataset": "datasets",
    "datasets.dataset_dict": "datasets",
    "lightgbm.basic": "lightgbm",
    "lightgbm.sklearn": "lightgbm",
    "pathlib._local": "pathlib",
    "plotly.graph_objs._figure": "plotly.graph_objects",
    "pyarrow._dataset": "pyarrow.dataset",
    "pyarrow.lib": "pyarrow",
    "xarray.core.dataarray": "xarray",
    "xarray.core.dataset": "xarray",
    "xgboost.core": "xgboost",
    "xgboost.sklearn": "xgboost",
    **{f"networkx.classes.{kind}": "networkx" for kind in ("graph", "digraph", "multigraph", "multidigraph")},
    **{f"scipy.sparse._{kind}": "scipy.sparse" for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")},
}

# What pandas 3 calls pandas.X lives elsewhere in pandas 2; the format knows one name. A mapped array loads as an array,
# and a generator as what it yielded.
_RENAMED = {
    "lineal.materializers.files.Directory": "lineal.Directory",
    "lineal.materializers.files.File": "lineal.File",
    "lineal.materializers.streams.ByteStream": "generator",
    "lineal.materializers.streams.ItemStream": "generator",
    "numpy.memmap": "numpy.ndarray",
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "pandas.core.series.Series": "pandas.Series",
    "pandas.core.indexes.base.Index": "pandas.Index",
    "pandas.core.indexes.category.CategoricalIndex": "pandas.CategoricalIndex",
    "pandas.core.indexes.datetimes.DatetimeIndex": "pandas.DatetimeIndex",
    "pandas.core.indexes.interval.IntervalIndex": "pandas.IntervalIndex",
    "pandas.core.indexes.multi.MultiIndex": "pandas.MultiIndex",
    "pandas.core.indexes.period.PeriodIndex": "pandas.PeriodIndex",
    "pandas.core.indexes.range.RangeIndex": "pandas.RangeIndex",
    "pandas.core.indexes.timedeltas.TimedeltaIndex": "pandas.TimedeltaIndex",
    "pandas.core.arrays.arrow.array.ArrowExtensionArray": "pandas.arrays.ArrowExtensionArray",
    "pandas.core.arrays.boolean.BooleanArray": "pandas.arrays.BooleanArray",
    "pandas.core.arrays.categorical.Categorical": "pandas.Categorical",
    "pandas.core.arrays.datetimes.DatetimeArray": "pandas.arrays.DatetimeArray",
    "pandas.core.arrays.floating.FloatingArray": "pandas.arrays.FloatingArray",
    "pandas.core.arrays.integer.IntegerArray": "pandas.arrays.IntegerArray",
    "pandas.core.arrays.interval.IntervalArray": "pandas.arrays.IntervalArray",
    "pandas.core.arrays.numpy_.NumpyExtensionArray": "pandas.arrays.NumpyExtensionArray",
    "pandas.core.arrays.period.PeriodArray": "pandas.arrays.PeriodArray",
    "pandas.core.arrays.string_.StringArray": "pandas.arrays.StringArray",
    "pandas.core.arrays.string_.StringArrayNumpySemantics": "pandas.arrays.StringArray",
    "pandas.core.arrays.string_arrow.ArrowStringArray": "pandas.arrays.ArrowStringArray",
    "pandas.core.arrays.string_arrow.ArrowStringArrayNumpySemantics": "pandas.arrays.ArrowStringArray",
    "pandas.core.arrays.timedeltas.TimedeltaArray": "pandas.arrays.TimedeltaArray",
    "polars.dataframe.frame.DataFrame": "polars.DataFrame",
    "polars.series.series.Series": "polars.Series",
    "torch.nn.parameter.Parameter": "torch.nn.Parameter",
    "pandas._libs.interval.Interval": "pandas.Interval",
    "pandas._libs.missing.NAType": "pandas.api.typing.NAType",
    "pandas._libs.tslibs.nattype.NaTType": "pandas.api.typing.NaTType",
    "pandas._libs.tslibs.period.Period": "pandas.Period",
    "pandas._libs.tslibs.timedeltas.Timedelta": "pandas.Timedelta",
    "pandas._libs.tslibs.timestamps.Timestamp": "pandas.Timestamp",
}


def type_name(kind: type) -> str:
    """The qualified name that a type is saved under, the same in every version of its library.

    Builtins go without a module.
    """
    module = kind.__module__
    if module == "builtins":
        return kind.__qualname__
    if module.startswith("PIL.") and module.endswith("ImagePlugin") and kind.__name__.endswith("ImageFile"):
        return "PIL.Image.Image"  # Whatever file it was opened from.
    module = _MODULES.get(module, module)
    if module == "__mp_main__":
        module = "__main__"  # What multiprocessing calls the main program in the processes that it starts.
    if module.startswith("altair.vegalite."):
        module = "altair"
    name = f"{module}.{kind.__qualname__}"
    return _RENAMED.get(name, name)
