"""Steps: declared functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from ..errors import InvalidPipeline
from ..history import StepRunView, check_name
from .declaring.attempts import ONCE, AttemptOptions, Attempts
from .declaring.binding import Binder
from .declaring.checks import Check, checks_of
from .declaring.outputs import Outputs, declared_outputs
from .declaring.policy import UNSAID, CacheChoice, Expiry, Policy
from .executing.hooks import NO_HOOKS, Hooks, StepHookOptions
from .graph.mapping import MapKind, spread
from .graph.references import Reference
from .graph.tracing import calls_in, current_trace
from .surroundings.seeds import checked_seed

P = ParamSpec("P")
R = TypeVar("R")


class ExecutionOptions(AttemptOptions, StepHookOptions, total=False):
    """How a step is tried, and what is called when it has ended."""


def executed_as(
    said: ExecutionOptions, attempts: Attempts = ONCE, hooks: Hooks[StepRunView] = NO_HOOKS
) -> dict[str, Any]:
    """The fields of `StepOptions` for what was said of a step's execution. Raises `InvalidPipeline`."""
    of_hooks = {name: hook for name, hook in said.items() if name in StepHookOptions.__annotations__}
    others: Any = {name: value for name, value in said.items() if name not in of_hooks}
    return {"attempts": attempts.but(others), "hooks": hooks.but(of_hooks)}


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How a step is run; none of it changes what it computes, except ``version`` and ``depends_on``."""

    name: str | None = None
    """Name in the run; by default the function's."""
    policy: Policy = UNSAID
    """Whether it is served from the cache, serves later runs, and shows what it gives; what it doesn't say is left to
    the pipeline."""
    version: str | None = None
    """Stands for the code in the fingerprint: change it, and only it, to say that the code's meaning changed."""
    depends_on: tuple[Any, ...] = ()
    """Objects, and paths of files, whose content counts as code."""
    ignore_inputs: frozenset[str] = frozenset()
    """Parameters that do not count in the fingerprint."""
    once: bool | None = None
    """Whether of processes that need the same result at once one computes it and the others wait for it, which costs a
    commit before each execution; None: if an execution of its function has taken 0.2 s or more before."""
    attempts: Attempts = ONCE
    """How often and how long it is tried."""
    hooks: Hooks[StepRunView] = NO_HOOKS
    """What is called when it has ended."""
    seed: int | None = None
    """What the global random generators are seeded from before each execution; it counts in the fingerprint. None
    leaves it to the pipeline."""
    after: tuple[Reference, ...] = ()
    """Calls of steps that it runs after, though it takes nothing of them."""


class Step(Generic[P, R]):
    """A declared function: inside a pipeline, calling it adds it to the graph; elsewhere it is the plain function."""

    def __init__(self, function: Callable[P, R], options: StepOptions) -> None:
        if not callable(function) or not hasattr(function, "__code__"):
            raise InvalidPipeline(f"{function!r} is not a plain function", hint="Decorate a def or a lambda.")
        _refuse_deferred(function)
        functools.update_wrapper(self, function)
        self.function = function
        self.options = options
        checked_seed(options.seed, function.__qualname__)
        unknown = options.ignore_inputs - set(self.signature.parameters)
        if unknown:
            raise InvalidPipeline(
                f"ignore_inputs names {sorted(unknown)[0]!r}, which is no parameter",
                where=self.qualified_name,
                hint=f"Its parameters are {', '.join(self.signature.parameters)}.",
            )

    @cached_property
    def name(self) -> str:
        """Its name in a run, before a number tells equals apart."""
        return check_name(self.options.name or self.function.__name__, "step")

    @cached_property
    def qualified_name(self) -> str:
        """Module and qualified name of the function."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature."""
        return inspect.signature(self.function)

    @cached_property
    def binder(self) -> Binder:
        """Binds calls of it."""
        return Binder(self.signature)

    @cached_property
    def outputs(self) -> Outputs:
        """What it declares to give."""
        return declared_outputs(self.function)

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        """What its arguments must fit, by parameter."""
        return checks_of(self.function)

    def with_options(
        self,
        *,
        name: str | None = None,
        cache: CacheChoice | None = None,
        expires_after: Expiry | None = None,
        visualize: bool | None = None,
        version: str | None = None,
        once: bool | None = None,
        seed: int | None = None,
        **execution: Unpack[ExecutionOptions],
    ) -> Step[P, R]:
        """The same step with some options changed."""
        policy = Policy.of(cache, expires_after, visualize).under(self.options.policy)
        changes: dict[str, Any] = {"name": name, "policy": policy, "version": version, "once": once, "seed": seed}
        changes |= executed_as(execution, self.options.attempts, self.options.hooks)
        return Step(self.function, replace(self.options, **{k: v for k, v in changes.items() if v is not None}))

    def after(self, *calls: Any) -> Step[P, R]:
        """The same step, to run after these calls of the pipeline: ``report.after(check(x))(y)``.

        Args:
            calls: What calls of steps gave in the pipeline's body. They don't count in the fingerprint.

        Raises:
            InvalidPipeline: One is no such thing.
        """
        return Step(self.function, replace(self.options, after=(*self.options.after, *calls_in(calls, self.name))))

    def under(self, wider: Policy) -> Step[P, R]:
        """The same step with a policy for what it doesn't say itself."""
        return Step(self.function, replace(self.options, policy=self.options.policy.under(wider)))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        trace = current_trace()
        if trace is None:
            return self.function(*args, **kwargs)
        result: R = trace.add(self, args, kwargs)
        return result

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """Call it for each item: ``train.map(seeds, rate=0.1)``, as ``[train(seed, rate=0.1) for seed in seeds]``.

        The calls are named ``train[0]``, ``train[1]`` and so on, each cached by itself. What an output gives one by one
        is known when the run gets there; it can be mapped over, indexed and passed on as a list before that.

        Args:
            args: Lists, tuples, ranges, generators, a step's output or `row_groups`, of one length, which are gone
                through side by side; numbers, texts and other single values, and what is `unmapped`, go to each call.
            kwargs: Likewise.

        Returns:
            What a call gives, with a list in the place of each output.

        Raises:
            InvalidPipeline: Nothing is to be gone through, or the lists differ in length.
        """
        return self._mapped("zip", args, kwargs)

    def product(self, *args: Any, **kwargs: Any) -> Any:
        """Call it for each combination of the items of several lists, the last one fastest; else as `map`."""
        return self._mapped("product", args, kwargs)

    def _mapped(self, kind: MapKind, args: Any, kwargs: Any) -> Any:
        trace = current_trace()
        if trace is not None:
            return trace.map(self, kind, args, kwargs)
        where = f"the map of step {self.name!r}"
        spreading = spread(kind, self.binder.bind(args, kwargs, where), self.signature, where)
        results: list[Any] = [self._plainly(call) for call in spreading.calls(where)]
        if self.outputs.form is None:
            return results
        columns = [self.outputs.apart(result, self.name) for result in results]
        return self.outputs.together([[one[place] for one in columns] for place in range(len(self.outputs.specs))])

    def _plainly(self, arguments: Mapping[str, Any]) -> Any:
        bound = self.signature.bind_partial()
        bound.arguments.update(arguments)
        function: Callable[..., Any] = self.function
        return function(*bound.args, **bound.kwargs)

    def __repr__(self) -> str:
        return f"<Step {self.qualified_name}>"


def _refuse_deferred(function: Callable[..., Any]) -> None:
    """Refuse functions whose call only begins the work: what they return is no value that could be stored."""
    if inspect.isgeneratorfunction(function):
        kind, hint = (
            "a generator function",
            "Return a list of what it yields, or a generator.",
        )
    elif inspect.isasyncgenfunction(function):
        kind, hint = "an async generator function", "Write a plain def that returns a list of what it yields."
    else:
        return
    raise InvalidPipeline(f"{function.__qualname__} is {kind}: a step returns its outputs", hint=hint)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    *,
    name: str | None = None,
    cache: CacheChoice | None = None,
    expires_after: Expiry | None = None,
    visualize: bool | None = None,
    version: str | None = None,
    depends_on: Iterable[Any] = (),
    ignore_inputs: Iterable[str] = (),
    once: bool | None = None,
    seed: int | None = None,
    **execution: Unpack[ExecutionOptions],
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    cache: CacheChoice | None = None,
    expires_after: Expiry | None = None,
    visualize: bool | None = None,
    version: str | None = None,
    depends_on: Iterable[Any] = (),
    ignore_inputs: Iterable[str] = (),
    once: bool | None = None,
    seed: int | None = None,
    **execution: Unpack[ExecutionOptions],
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Declare a function as a step; with or without options, as `StepOptions` describes them.

    Args:
        function: What to declare.
        name: Its name in a run.
        cache: ``True`` or ``"on"``: take results and offer them; ``False`` or ``"off"``: neither; ``"refresh"``:
            execute, and offer what comes of it; ``"read-only"``: take results, offer none. None leaves it to the
            pipeline, whose own default is on.
        expires_after: How old a result may be that it is served with, as a timedelta or in seconds.
        visualize: Whether visualizations of what it gives are kept. None leaves it to the pipeline, which leaves it to
            the store; they are, where none of them says otherwise.
        version: What stands for its code.
        depends_on: What counts as its code in addition: objects, paths of files or directories, patterns of such, names
            of modules, ``module:name``.
        ignore_inputs: Parameters that do not count.
        once: Whether of processes that need the same one computes it.
        seed: What the global generators of `random`, NumPy and, where it is imported, torch are seeded from, together
            with the fingerprint: a step gives the same on whatever executor and in whatever order.
        execution: ``retries``, ``retry_delay_s``, ``retry_backoff``, ``retry_jitter``, ``retry_on``, ``retry_if``,
            ``timeout_s``: how often and how long it is tried, as `Attempts` describes them; ``on_success``,
            ``on_failure``, ``on_start``, ``on_end``: functions that are called with its view, as `Hooks` says.

    Its inputs and outputs are stored, and it is not executed again while its code, all code it reaches,
    and its inputs are the same. In a pipeline, lists, dicts and other plain values are taken as they are when the
    step is called; arrays, tables and other objects must not be changed before the run has ended.
    """
    options = StepOptions(
        name,
        Policy.of(cache, expires_after, visualize),
        version,
        tuple(depends_on),
        frozenset(ignore_inputs),
        once,
        seed=seed,
        **executed_as(execution),
    )
    if function is not None:
        return Step(function, options)
    return lambda decorated: Step(decorated, options)
