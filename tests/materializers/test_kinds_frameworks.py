"""Values of the large frameworks are the same content in every process, whatever its hash seed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.frameworks
PROGRAM = """if True:
    import warnings
    warnings.simplefilter("ignore")
    import numpy as np, pandas as pd
    import altair, datasets, lightgbm, plotly.graph_objects as go, torch, xgboost
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from lineal.cas import MemoryBlobs
    from lineal.materializers import load, save

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    base = torch.arange(6.0)
    x = np.arange(120.0).reshape(40, 3) % 7
    y = (x[:, 0] > x[:, 1]).astype(int)
    values = {
        "tensor": torch.arange(6.0).reshape(2, 3).T, "bfloat16": torch.ones(3, dtype=torch.bfloat16),
        "shared": {"a": base, "b": base[2:], "words": {"p", "q", "r"}}, "state": module.state_dict(), "module": module,
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y),
        "forest": RandomForestClassifier(3, random_state=0).fit(x, y),
        "xgboost": xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1).fit(x, y),
        "booster": xgboost.train({"max_depth": 2, "nthread": 1}, xgboost.DMatrix(x, y), 2),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(x, y),
        "datasets": datasets.Dataset.from_dict({"a": [1, 2], "t": ["x", None]}),
        "splits": datasets.DatasetDict(train=datasets.Dataset.from_dict({"a": [1, 2]})),
        "plotly": go.Figure([go.Bar(x=["a", "b"], y=[1, 2])], {"template": None}),
        "altair": altair.Chart(pd.DataFrame({"x": [1, 2]})).mark_bar().encode(x="x:Q"),
    }
    values["mixed"] = {"model": values["pipeline"], "state": values["state"], "tags": [{"u", "v", "w"}]}
    for name, value in values.items():
        blobs = MemoryBlobs()
        manifest = save(value, blobs).manifest
        assert type(load(manifest, blobs)) is type(value), name
        print(name, manifest.digest)
"""


def test_four_processes_with_four_hash_seeds_make_the_same_contents_of_frameworks() -> None:
    command = [sys.executable, "-P", "-c", PROGRAM]
    said = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        for seed in ("0", "1", "77", "random")
    ]
    lines = [one.splitlines() for one in said]
    assert len(lines[0]) == 15
    assert [[pair for pair in zip(lines[0], other, strict=True) if len({*pair}) > 1] for other in lines[1:]] == [[]] * 3
