"""The write side: steps and pipelines, the decision to reuse or execute, and execution."""

from .declaring.outputs import Artifact
from .graph.mapping import row_groups, unmapped
from .pipeline import Pipeline, pipeline
from .step import Step, step

__all__ = ["Artifact", "Pipeline", "Step", "pipeline", "row_groups", "step", "unmapped"]
