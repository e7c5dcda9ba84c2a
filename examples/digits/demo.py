"""The main job, three times: executed, served from the cache, and executed where a changed helper reaches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

import lineal

HERE = Path(__file__).resolve().parent
WORK = HERE.parents[1] / ".demo"
STORE = WORK / ".lineal"
BEFORE, AFTER = "return float(images.max() - images.min())", "return float(images.std())"


def main() -> None:
    """Run the pipeline's own script in a fresh copy, and show after each run what the store says of it."""
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    for name in ("training.py", "scaling.py"):
        shutil.copy(HERE / name, WORK)

    run_and_show(console, "1. The first run executes every step")
    run_and_show(console, "2. The same again: every step is served from the cache")
    change_one_function(console)
    run_and_show(console, "3. Only what the changed helper reaches is executed")
    show_history(console)


def run_and_show(console: Console, title: str) -> None:
    """Run the script in a process of its own, as a user would, and print the table of its steps."""
    console.rule(f"[bold]{title}", align="left")
    subprocess.run([sys.executable, "training.py"], cwd=WORK, env=os.environ | {"LINEAL_STORE": str(STORE)}, check=True)
    with lineal.open(STORE, read_only=True) as store:
        run = next(store.runs())
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("step", "status", "duration", "artifacts"):
            table.add_column(column, justify="right" if column == "duration" else "left")
        for step in run.steps.values():
            artifacts = ", ".join(f"{artifact}" for artifact in step.outputs.values())
            table.add_row(step.name, "cached" if step.is_cached else "executed", f"{step.duration_s:.4f} s", artifacts)
        console.print(f"{run.name}: {run.status} in {run.duration_s:.3f} s")
        console.print(table)


def change_one_function(console: Console) -> None:
    """Edit one function of the helper module."""
    source = WORK / "scaling.py"
    console.print("[bold]Now one helper changes[/bold], in scaling.py, a module that only the step [b]scale[/b] calls:")
    console.print(f"  [red]- {BEFORE}[/red]\n  [green]+ {AFTER}[/green]\n")
    source.write_text(source.read_text(encoding="utf-8").replace(BEFORE, AFTER), encoding="utf-8")


def show_history(console: Console) -> None:
    """Print the metrics, what the store holds, and where the final artifact comes from."""
    with lineal.open(STORE, read_only=True) as store:
        console.rule("[bold]What the store knows", align="left")
        metrics = store.artifact("digits-metrics")
        for version in reversed(metrics.artifact.versions):
            console.print(f"{version}: mean F1 {version.load()['f1'].mean():.4f}")
        console.print(f"\nWhat {metrics} was made from:", str(metrics.lineage()), sep="\n", markup=False)
        usage = store.usage()
        console.print(
            f"\nThe outputs of all three runs are {usage.logical_bytes:,} bytes; "
            f"the store keeps them in {usage.stored_bytes:,}, in {usage.blobs} blobs and {usage.events} events."
        )
        console.print(f"It is in {os.path.relpath(STORE)}: try [bold]lineal --help[/bold] there.")


if __name__ == "__main__":
    main()
