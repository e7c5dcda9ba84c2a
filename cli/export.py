"""The verb ``export``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import Invalid
from ..history import History, PipelineView, StepRunView, openlineage_events, prov_document, step_runs_behind
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import STDOUT, add_as_of, opened, opened_history
from .progress import shown_progress
from .transfer_kinds import Bundle, Exported
from .units import size_text

EXAMPLE = "lineal export training.bundle training-1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Write runs or artifact versions with all that explains them, values included, as a bundle: one file that "
        "any verb reads as --store, and that `lineal import` takes into another store. Or write what was done, without "
        "values, in a standard form: as a W3C PROV-JSON document, or as OpenLineage run events, one JSON object a line."
    )
    parser.set_defaults(form="bundle")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--prov", dest="form", action="store_const", const="prov", help="as a W3C PROV-JSON document")
    forms.add_argument(
        "--openlineage", dest="form", action="store_const", const="openlineage", help="as OpenLineage run events"
    )
    parser.add_argument("--all", action="store_true", help="everything that is in the store")
    parser.add_argument("file", metavar="FILE", help="where nothing is; - for stdout, but not for a bundle")
    parser.add_argument(
        "references",
        metavar="REF",
        nargs="*",
        help="runs, steps as run/step, or artifact versions; of a bundle also content ids, and pipelines for all runs",
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Write the bundle, the document or the events."""
    if options.all == bool(options.references):
        raise Invalid("it is not clear what is to be exported", hint="Name runs or artifact versions, or say --all.")
    if options.form == "bundle":
        _export_bundle(options, output)
        return ExitCode.OK
    with opened_history(options) as history:
        steps = step_runs_behind(history.runs()) if options.all else _step_runs(history, options.references)
        lines = _prov(steps) if options.form == "prov" else _openlineage(steps)
        if options.file == STDOUT:
            sys.stdout.writelines(lines)
            return ExitCode.OK
        _write(Path(options.file), lines)
    record: Exported = {"kind": "exported", "v": 1, "path": options.file, "form": options.form, "step_runs": len(steps)}
    output.document(record, _sections)
    return ExitCode.OK


def _export_bundle(options: argparse.Namespace, output: Output) -> None:
    if options.as_of is not None or options.file == STDOUT:
        raise Invalid("a bundle is a file, of what the store is now", hint="Leave --as-of out, and give a path.")
    with opened(options) as client, shown_progress():
        written = client.export_bundle(options.file, *options.references)
    record: Bundle = {
        "kind": "bundle",
        "v": 1,
        "path": options.file,
        "id": str(written.id),
        "store": str(written.store),
        "head_seq": written.head_seq,
        "events": written.events,
        "blobs": written.blobs,
        "size_bytes": written.size_bytes,
        "lacking": written.lacking,
    }
    output.document(record, _bundle_sections)


def _bundle_sections(record: Bundle) -> list[Section]:
    pairs = [
        ("bundle", record["path"]),
        ("size", f"{size_text(record['size_bytes'])}, {record['events']:,} events, {record['blobs']:,} blobs"),
        ("from", f"store {record['store']} at event {record['head_seq']:,}"),
    ]
    if record["lacking"]:
        pairs.append(("lacking", f"{record['lacking']:,} contents that had been collected"))
    return [Fields("", pairs)]


def _step_runs(history: History, references: Iterable[str]) -> list[StepRunView]:
    things = []
    for reference in references:
        found = history.find(reference)
        if isinstance(found, PipelineView):
            raise Invalid(f"{reference!r} is a pipeline", hint="Name its runs: see `lineal runs --pipeline`.")
        things.append(found)
    return step_runs_behind(things)


def _prov(steps: list[StepRunView]) -> Iterator[str]:
    yield json.dumps(prov_document(steps), indent=2, allow_nan=False) + "\n"


def _openlineage(steps: list[StepRunView]) -> Iterator[str]:
    for event in openlineage_events(steps):
        yield json.dumps(event, allow_nan=False) + "\n"


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write a file that is not there yet, whole or not at all."""
    try:
        file = path.open("x", encoding="ascii")
    except FileExistsError as error:
        raise Invalid("a file is there already", where=path, hint="Give another path.") from error
    try:
        with file:
            file.writelines(lines)
    except BaseException:
        path.unlink()
        raise


def _sections(record: Exported) -> list[Section]:
    return [Fields("", [(record["form"], record["path"]), ("step runs", str(record["step_runs"]))])]
