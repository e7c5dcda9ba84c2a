"""Facets of OpenLineage (specification 2-0-2): what is said of jobs, runs and datasets beside their names.

A facet names the definition that it conforms to. What only this store knows of is in facets called ``lineal``, which
conform to the general definitions: those allow any fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from ..errors import BlobMissing
from ..materializers.comparing import schema_of
from .surroundings import Checkout
from .views import ArtifactVersionView, RunView, StepRunView

PRODUCER = "urn:lineal"
"""What made the events; the format asks for a URI."""
_SPECIFICATION = "https://openlineage.io/spec"
_CORE = f"{_SPECIFICATION}/2-0-2/OpenLineage.json#/$defs"
EVENT_SCHEMA = f"{_CORE}/RunEvent"

Facet = dict[str, Any]
Facets = dict[str, Facet]

T = TypeVar("T")
_IDS = uuid5(NAMESPACE_URL, "urn:lineal:run")
_SCP_LIKE = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!/)(.+)")
_COMMIT_PAGES = {"github.com": "tree", "gitlab.com": "-/tree"}
"""Hosts of repositories whose pages of a commit are known, and what is between the two."""


def run_uuid(run: RunView) -> str:
    """The UUID of a run: the same in every export."""
    return str(uuid5(_IDS, run.id.hex()))


def step_uuid(step: StepRunView) -> str:
    """The UUID of a step run, within that of its run."""
    return str(uuid5(UUID(run_uuid(step.run)), step.name.encode("utf-8", "surrogatepass").hex()))


def namespace_of(run: RunView | StepRunView | ArtifactVersionView) -> str:
    """Where names of jobs and datasets are unique: in their store, which is called as it calls itself."""
    return f"lineal://{run._reader.store.id}"


class Surroundings(NamedTuple):
    """What a run was surrounded by, as far as it can still be read."""

    environment: Mapping[str, Any]
    checkout: Checkout | None

    @classmethod
    def of(cls, run: RunView) -> Self:
        """Read them, once for all events of the run."""
        return cls(_kept(lambda: run.environment) or {}, _kept(lambda: run.checkout))


def run_job(run: RunView) -> dict[str, str]:
    """The job that a run is a run of: its pipeline."""
    return {"namespace": namespace_of(run), "name": run.pipeline.name}


def step_job(step: StepRunView, run: RunView) -> dict[str, str]:
    """The job that a step run is a run of: the step in its pipeline."""
    return {"namespace": namespace_of(run), "name": f"{run.pipeline.name}.{step.name}"}


def pipeline_facets(run: RunView, around: Surroundings) -> Facets:
    """Of the job that is a pipeline."""
    return {
        "jobType": _job_type("PIPELINE"),
        **_documentation(run.docstring),
        **_location(around.checkout),
        **_tags("Job", run.pipeline.tags),
    }


def step_job_facets(step: StepRunView, around: Surroundings) -> Facets:
    """Of the job that is a step of a pipeline."""
    return {
        "jobType": _job_type("STEP"),
        **_documentation(step.docstring),
        **_source(step),
        **_location(around.checkout),
    }


def run_facets(run: RunView, around: Surroundings) -> Facets:
    """Of a run, from its beginning on."""
    again = run.again
    told = {
        "name": run.name,
        "id": str(run.id),
        "pipelineVersion": run.pipeline_version.version,
        "again": None if again is None else {"how": again[0], "runId": run_uuid(again[1])},
        "platform": around.environment.get("platform"),
    }
    return {
        **_engine(around.environment),
        **_parameters(run.shown_parameters),
        **_tags("Run", run.tags),
        "lineal": facet(f"{_CORE}/RunFacet", **told),
    }


def step_facets(step: StepRunView, run: RunView, around: Surroundings) -> Facets:
    """Of a step run, from its beginning on."""
    parent = {"run": {"runId": run_uuid(run)}, "job": run_job(run)}
    reused, fingerprint = step.reuses, step.fingerprint
    told = {
        "name": step.name,
        "function": step.function,
        "fingerprint": None if fingerprint is None else str(fingerprint),
        "code": None if step.code is None else str(step.code),
        "isCached": reused is not None,
        "reuses": None if reused is None else {"run": reused.run.name, "runId": step_uuid(reused)},
    }
    return {
        "parent": _facet("1-2-0", "ParentRunFacet", **parent, root=parent),
        **_engine(around.environment),
        **_parameters(step.shown_parameters),
        **_tags("Run", step.tags),
        "lineal": facet(f"{_CORE}/RunFacet", **told),
    }


def error_facets(message: str, trace: str | None = None) -> Facets:
    """Of a run that failed, or was stopped."""
    fields = {"message": message, "programmingLanguage": "Python", "stackTrace": trace}
    return {"errorMessage": _facet("1-0-1", "ErrorMessageRunFacet", **fields)}


def dataset(version: ArtifactVersionView) -> dict[str, Any]:
    """An artifact version as a dataset: the artifact's name, and a facet that says which version."""
    namespace, columns = namespace_of(version), schema_of(version.computed_metadata)
    kind = {"datasetType": "TABLE" if columns else "ARTIFACT", "subType": version.type}
    told = {
        "content": str(version.content),
        "format": version.format,
        "type": version.type,
        "sizeBytes": version.size_bytes,
        "aliases": list(version.aliases),
    }
    facets = {
        "dataSource": _facet("1-0-1", "DatasourceDatasetFacet", name="lineal", uri=namespace),
        "version": _facet("1-0-1", "DatasetVersionDatasetFacet", datasetVersion=str(version.version)),
        "datasetType": _facet("1-0-1", "DatasetTypeDatasetFacet", **kind),
        **_schema(columns),
        **_tags("Dataset", version.tags),
        "lineal": facet(f"{_CORE}/DatasetFacet", **told),
    }
    return {"namespace": namespace, "name": version.name, "facets": facets}


def output_facets(version: ArtifactVersionView) -> Facets:
    """Of a dataset that a step has made: how much it is."""
    rows, files = (_count(version.computed_metadata.get(name)) for name in ("rows", "files"))
    fields = {"rowCount": rows, "size": version.size_bytes, "fileCount": files}
    return {"outputStatistics": _facet("1-0-2", "OutputStatisticsOutputDatasetFacet", **fields)}


def facet(schema: str, /, **fields: Any) -> Facet:
    """A facet with the fields that are known."""
    known = {name: value for name, value in fields.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": schema, **known}


def _facet(version: str, definition: str, /, **fields: Any) -> Facet:
    return facet(f"{_SPECIFICATION}/facets/{version}/{definition}.json#/$defs/{definition}", **fields)


def _kept(read: Callable[[], T]) -> T | None:
    """What is read; None where its bytes are gone."""
    try:
        return read()
    except BlobMissing:
        return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _job_type(kind: str) -> Facet:
    return _facet("2-0-4", "JobTypeJobFacet", processingType="BATCH", integration="LINEAL", jobType=kind)


def _documentation(text: str | None) -> Facets:
    return {"documentation": _facet("1-1-0", "DocumentationJobFacet", description=text)} if text else {}


def _source(step: StepRunView) -> Facets:
    """The step's function as it was captured; nothing where it was not, or is gone."""

    def read() -> str | None:
        sources = step.sources
        return None if sources is None else sources.function_text(step.function)

    text = _kept(read)
    return (
        {}
        if text is None
        else {"sourceCode": _facet("1-0-1", "SourceCodeJobFacet", language="Python", sourceCode=text)}
    )


def _location(checkout: Checkout | None) -> Facets:
    if checkout is None or checkout.remote is None:
        return {}
    url = repository_url(checkout.remote, checkout.commit)
    if url is None:
        return {}
    fields = {"type": "git", "url": url, "repoUrl": checkout.remote, "version": checkout.commit}
    return {
        "sourceCodeLocation": _facet("1-1-0", "SourceCodeLocationJobFacet", **fields, branch=checkout.branch),
    }


def repository_url(remote: str, commit: str | None) -> str | None:
    """The address of a repository, at a commit where its host is known; None of one that is no address."""
    scp_like = _SCP_LIKE.fullmatch(remote)
    address = f"ssh://{scp_like[1]}/{scp_like[2]}" if scp_like is not None and "://" not in remote else remote
    scheme, has_scheme, rest = address.partition("://")
    if not has_scheme:
        return None
    host, _, path = rest.rpartition("@")[2].partition("/") if "@" in rest.split("/")[0] else rest.partition("/")
    if host in _COMMIT_PAGES and commit is not None:
        project = path.rstrip("/").removesuffix(".git")
        return f"https://{host}/{quote(project)}/{_COMMIT_PAGES[host]}/{quote(commit)}"
    return f"{scheme}://{quote(rest, safe='/@:%[]')}"


def _engine(environment: Mapping[str, Any]) -> Facets:
    """What executed: this package, as it was installed there; and its Python, which is in the name."""
    version = (environment.get("packages") or {}).get("lineal")
    name = " ".join(filter(None, ("Lineal on", environment.get("implementation"), environment.get("python"))))
    return (
        {"processing_engine": _facet("1-1-1", "ProcessingEngineRunFacet", version=version, name=name)}
        if version
        else {}
    )


def _parameters(values: Mapping[str, Any]) -> Facets:
    parameters = [{"key": name, "name": name, "value": _text(value)} for name, value in values.items()]
    return (
        {"executionParameters": _facet("1-0-0", "ExecutionParametersRunFacet", parameters=parameters)}
        if parameters
        else {}
    )


def _text(value: object) -> str:
    """A plain value as JSON, and what has no such form as Python shows it: what is shown is plain by then."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)


def _tags(kind: str, tags: Iterable[str]) -> Facets:
    """A tag has no value here, as it has there: each is true."""
    told = [{"key": tag, "value": "true", "source": "USER"} for tag in tags]
    return {"tags": _facet("1-0-0", f"Tags{kind}Facet", tags=told)} if told else {}


def _schema(types: Mapping[str, str]) -> Facets:
    fields = [
        {"name": name, "type": type_, "ordinal_position": place} for place, (name, type_) in enumerate(types.items(), 1)
    ]
    return {"schema": _facet("1-2-0", "SchemaDatasetFacet", fields=fields)} if fields else {}
