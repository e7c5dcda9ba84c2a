"""Step runs as a PROV-JSON document (W3C member submission of 24 April 2013): who made what, from what.

Entities are artifact versions and the code that steps ran, activities are step runs, agents the processes of runs.
A step run that was served from the cache generates nothing: it was informed by the one that executed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from .views import ArtifactVersionView, StepRunView

_PREFIXES = {"lineal": "urn:lineal:", "version": "urn:lineal:version:", "step": "urn:lineal:step:"} | {
    name: f"urn:lineal:{name}:" for name in ("code", "process")
}


def prov_document(steps: Iterable[StepRunView]) -> dict[str, Any]:
    """The document, of plain JSON. Raises nothing where bytes are gone: it needs none."""
    document: dict[str, Any] = {"prefix": _PREFIXES}
    for step in steps:
        _add_step(document, step)
    return document


def _add(document: dict[str, Any], section: str, name: str, **attributes: str | int | None) -> None:
    """Add one record; attributes are named as in ``prov_startTime``, and left out where there is none."""
    known = {name.replace("_", ":", 1): value for name, value in attributes.items() if value is not None}
    document.setdefault(section, {})[name] = known


def _add_step(document: dict[str, Any], step: StepRunView) -> None:
    name, started, took_s = _step_name(step), step.started, step.duration_s
    ended = None if started is None or took_s is None else started + timedelta(seconds=took_s)
    _add(
        document,
        "activity",
        name,
        prov_startTime=None if started is None else started.isoformat(),
        prov_endTime=None if ended is None else ended.isoformat(),
        prov_label=f"{step.run.name}/{step.name}",
        lineal_status=step.status,
        lineal_function=step.function,
        lineal_run=str(step.id.run),
        lineal_error=None if step.failure is None else f"{step.failure.type}: {step.failure.message}",
    )
    process, plan = step.run.beginning.process, None
    agent = f"process:{quote(process.host, safe='')}-{process.pid}"
    _add(document, "agent", agent, prov_type="prov:SoftwareAgent", prov_label=f"process {process.pid}")
    if step.code is not None:
        plan = f"code:{step.code}"
        _add(document, "entity", plan, prov_type="prov:Plan", lineal_function=step.function)
    _add(document, "wasAssociatedWith", f"_:by-{name[5:]}", prov_activity=name, prov_agent=agent, prov_plan=plan)
    if step.reuses is not None:
        informed = {"prov_informed": name, "prov_informant": _step_name(step.reuses)}
        _add(document, "wasInformedBy", f"_:reuse-{name[5:]}", **informed)
    for role, version in step.inputs.items():
        entity = _add_version(document, version)
        _add(
            document,
            "used",
            f"_:use-{name[5:]}-{quote(role, safe='')}",
            prov_activity=name,
            prov_entity=entity,
            prov_role=role,
        )
    if not step.is_cached:
        for role, version in step.outputs.items():
            _add_output(document, step, role, version)


def _add_output(document: dict[str, Any], step: StepRunView, role: str, version: ArtifactVersionView) -> None:
    name, entity = _step_name(step), _add_version(document, version)
    end = f"{name[5:]}-{quote(role, safe='')}"
    _add(document, "wasGeneratedBy", f"_:made-{end}", prov_entity=entity, prov_activity=name, prov_role=role)
    for taken, source in step.inputs.items():
        _add(
            document,
            "wasDerivedFrom",
            f"_:from-{end}-{quote(taken, safe='')}",
            prov_generatedEntity=entity,
            prov_usedEntity=_add_version(document, source),
            prov_activity=name,
        )


def _step_name(step: StepRunView) -> str:
    return f"step:{step.id.run}-{quote(step.name, safe='')}"


def _add_version(document: dict[str, Any], version: ArtifactVersionView) -> str:
    name = f"version:{quote(version.name, safe='')}-{version.content}"
    _add(
        document,
        "entity",
        name,
        prov_label=str(version),
        lineal_type=version.type,
        lineal_format=version.format,
        lineal_content=str(version.content),
        lineal_size_bytes=version.size_bytes,
    )
    return name
