"""Transcripts: what verbs print about the golden store of format 2, whole; ``golden/make.py`` says what is in it.

``make transcripts`` writes them anew, for the difference to be read before it is committed.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import tarfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from lineal.cli import main

FOLDER = Path(__file__).parent / "transcripts"
STORE = Path(__file__).parents[2] / "golden" / "format-2.tar.xz"
FLOWS = """
from lineal import pipeline, step

@step
def fit(rate: float) -> float:
    return rate

@pipeline
def learning(rate: float = 0.1):
    fit(rate)
"""
COMMANDS = {
    "alias": ["alias model@1 champion", "alias model@2 champion --json", "show model@champion"],
    "annotate": ["annotate model@1 accuracy=0.9 note=good", "annotate learning-1 by=me --json"],
    "artifacts": ["artifacts", "artifacts --json", "artifacts small", "artifacts small --json", "artifacts none"],
    "bisect": ["bisect 'loss < 1' --pipeline learning", "bisect loss"],
    "blame": ["blame model@2", "blame model@2 --json", "blame model@1"],
    "cancel": ["cancel learning-1", "cancel learning-9"],
    "check-proof": ["prove small@1", "check-proof proof.json"],
    "completion": ["completion tcsh"],
    "diff": ["diff learning-1 learning-3", "diff learning-1 learning-3 --json", "diff small", "diff frame@1 frame@1"],
    "distrust": ["distrust 3c60868a"],
    "doctor": ["doctor", "doctor --json"],
    "du": ["du", "du small --json", "du --sort name --as-of learning-1"],
    "export": ["export --openlineage - learning-4/fit", "export small.bundle small@1", "export --prov out.json none"],
    "gc": ["gc --keep-last 1 --dry-run", "gc --keep-last 1 --dry-run --json"],
    "get": ["get small -", "get frame@1 frame.csv", "get frame@1 frame.csv", "get plain - --json", "get nothing -"],
    "head": ["head", "head --as-of 3", "head --json"],
    "import": ["export small.bundle small@1", "import small.bundle", "import small.bundle --json", "import flows.py"],
    "imports": ["imports", "imports --json"],
    "info": ["info", "info --as-of learning-1 --json"],
    "init": ["init", "init --json"],
    "lineage": [
        "lineage score@1",
        "lineage score@1 --format dot",
        "lineage score@1 --format mermaid",
        "lineage samples --downstream",
        "lineage score@1 --json",
    ],
    "log": ["log --limit 12", "log --limit 2 --json", "log --run learning-4"],
    "logs": ["logs learning-1", "logs learning-1 --json", "logs learning-9"],
    "migrate": ["migrate", "migrate --drop-old --json"],
    "name": ["name model@1 approved", "name model@1 approved --json"],
    "pin": ["pin model@1 best", "pin model@1 best --json"],
    "pins": ["pins", "pins --json"],
    "plan": ["plan flows.py:learning", "plan flows.py:none"],
    "prove": ["prove small@2 --head none"],
    "put": ["put flows.py", "put flows.py code --json", "put none"],
    "rebuild": ["rebuild", "rebuild --json"],
    "recompute": ["recompute model@1", "recompute small@1"],
    "rename": [
        "rename learning-1 baseline",
        "rename model digits --json",
        "rename small frame",
        "runs",
        "rename learning fitting",
        "show learning",
        "show fitting",
    ],
    "repack": ["repack grows@2", "repack grows@2 --json"],
    "repair": ["repair", "repair --json"],
    "replay": ["replay learning-4 --instant"],
    "reproduce": ["reproduce learning-1"],
    "rerun": ["rerun learning-9"],
    "resume": ["resume learning-1"],
    "rm": ["rm learning-4", "rm learning-1 --json", "rm small@2 --yes", "rm small@2"],
    "runs": [
        "runs",
        "runs --json --limit 1",
        "runs --status failed",
        "runs --where 'params.rate > 0.2'",
        "runs --where x",
    ],
    "show": [
        "show learning-1",
        "show learning-4/fit",
        "show model@1",
        "show learning",
        "show learning-1 --json",
        "show learnin-1",
    ],
    "steps": ["steps", "steps learning-4", "steps learning-4 --json"],
    "tag": ["tag model@1 good", "show model@1 --json"],
    "trust": ["trust 3c60868a"],
    "unalias": ["alias model@1 champion", "unalias model champion", "unalias model champion"],
    "undo": ["tag model@1 good", "undo 41", "undo 99"],
    "unpin": ["unpin kept", "unpin kept"],
    "untag": ["tag model@1 good", "untag model@1 good", "untag model@1 good"],
    "verify": ["verify", "verify --json"],
    "visualize": ["visualize frame --output page.html", "visualize none --output page.html"],
    "why": ["why learning-1", "why learning-2/fit", "why learning-3/fit", "why learning-3/fit --json"],
    "why-kept": ["why-kept small@1", "why-kept small@1 --json", "why-kept 000000"],
}
"""By verb, the command lines of a session: first what people see, then what programs do, and what goes wrong."""
_NOW = re.compile(r"(?!2026-11-26T01:07:2)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|\+00:00)")
_OF_THE_MACHINE = re.compile(r"(?m)^(libraries|file system|room|access) .*\n")
_OF_THE_MACHINE_IN_JSON = re.compile(r'\{"name": "(?:libraries|file system|room|access)"[^}]*\}, ')
_ON_DISK = re.compile(r"(size on disk  |\"disk_bytes\": )[^}\n]+")


def transcript(verb: str, folder: Path) -> str:
    """What a session prints, in a folder of its own."""
    store = folder / "store"
    with tarfile.open(STORE) as packed:
        packed.extractall(store, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
    (folder / "flows.py").write_text(FLOWS)
    with chdir(folder):
        return "".join(said(line, folder) for line in COMMANDS[verb])


def said(line: str, folder: Path) -> str:
    """A command line, what it prints to stdout and stderr, and its exit code if it fails."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with redirect_stdout(printed), redirect_stderr(printed):
        code = main([*shlex.split(line), "--store", str(folder / "store")])
    out = printed.buffer.getvalue().decode().replace(str(folder), "/there")
    out = _ON_DISK.sub(r"\1…", _NOW.sub(r"####-##-##T##:##:##\1", out))
    if line.startswith("doctor"):
        out = re.sub(" {2,}", "  ", _OF_THE_MACHINE_IN_JSON.sub("", _OF_THE_MACHINE.sub("", out)))
    if line.startswith("prove small@1"):
        (folder / "proof.json").write_text(out)
    return f"$ lineal {line}\n{out}" + (f"[exit code {code}]\n" if code else "")


def kept(verb: str) -> Path:
    """Where the transcript of a verb is kept."""
    return FOLDER / f"{verb}.txt"


def written() -> Iterator[str]:
    """Write all of them; give the verbs."""
    FOLDER.mkdir(exist_ok=True)
    for verb in COMMANDS:
        with TemporaryDirectory() as folder:
            kept(verb).write_text(transcript(verb, Path(folder)), encoding="utf-8")
        yield verb


if __name__ == "__main__":
    for name in ("LINEAL_STORE", "NO_COLOR", "COLUMNS"):
        os.environ.pop(name, None)
    print(*written())
