"""A loss is written once, in Python: its formulas are run on tensors of a graph, and become its nodes."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ..kernels import elementary
from ..losses import MarginLoss
from ..losses.probability import is_own
from .graph import Node


def _log1p(t: Node) -> Node:
    """Without the rounding of 1 + t, by what it lost."""
    add, one_more = t.graph.add, 1.0 + t
    return add("Where", one_more == 1.0, t, add("Log", one_more) * t / (one_more - 1.0))


def _expm1(x: Node) -> Node:
    add, e = x.graph.add, x.graph.add("Exp", x)
    kept = (e - 1.0) * x / add("Log", e)
    return add("Where", e == 1.0, x, add("Where", add("Abs", x) < 0.5, kept, e - 1.0))


def _arctan(x: Node) -> Node:
    """By three halvings of the angle and its series, since onnxruntime has Atan for float32 only."""
    x = _clip(x, -1e150, 1e150)
    for _ in range(3):
        x = x / (1.0 + x.graph.add("Sqrt", 1.0 + x * x))
    square = x * x
    series = 0.0 * x
    for power in range(25, 0, -2):
        series = (-1.0) ** (power // 2) / power + square * series
    return 8.0 * x * series


def _log_expit(x: Node) -> Node:
    return x.graph.add("Min", x, 0.0) - _log1p(x.graph.add("Exp", -abs(x)))


def _clip(x: Node, low: Any, high: Any) -> Node:
    return x.graph.add("Min", x.graph.add("Max", x, low), high)


def _unary(kind: str) -> Callable[[Node], Node]:
    return lambda x: x.graph.add(kind, x)


def _binary(kind: str) -> Callable[[Any, Any], Node]:
    return lambda a, b: (a if isinstance(a, Node) else b).graph.add(kind, a, b)


_BY_NAME: dict[str, Callable] = {
    **{name: _unary(kind) for name, kind in (("exp", "Exp"), ("log", "Log"), ("sqrt", "Sqrt"), ("tanh", "Tanh"))},
    **{name: _unary(kind) for name, kind in (("sin", "Sin"), ("cos", "Cos"), ("sign", "Sign"))},
    **dict.fromkeys(("arctan", "atan"), _arctan),
    **dict.fromkeys(("abs", "fabs", "absolute"), _unary("Abs")),
    **dict.fromkeys(("power", "pow"), _binary("Pow")),
    "maximum": _binary("Max"),
    "minimum": _binary("Min"),
    "expit": lambda x: 1.0 / (1.0 + x.graph.add("Exp", -x)),  # the Sigmoid of onnxruntime ends at 1e-16 or so
    "log_expit": _log_expit,
    "log1p": _log1p,
    "expm1": _expm1,
    "clip": _clip,
    "where": lambda condition, yes, no: condition.graph.where(condition, yes, no),
    "asarray": lambda x, *_, **__: x,
    "float64": lambda x: x,
}


class _Module:
    """A module whose functions take tensors too."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return _either(value, name) if callable(value) else value


def _either(function: Callable, name: str) -> Callable:
    """A function that takes tensors too, if there are nodes for it."""

    def call(*arguments: Any, **options: Any) -> Any:
        if not any(isinstance(argument, Node) for argument in arguments):
            return function(*arguments, **options)
        if name not in _BY_NAME:
            raise TypeError(f"there is no ONNX operator for {name}")
        return _BY_NAME[name](*arguments, **options)

    return call


_MODULES = (math, np, special)
_KNOWN = {
    id(getattr(module, name)): name
    for module in (math, np, special, elementary)
    for name in _BY_NAME
    if hasattr(module, name)
}


def traced(function: Callable) -> Callable:
    """The same function, in which what it calls takes tensors too."""

    def replaced(value: Any) -> Any:
        if any(value is module for module in _MODULES):
            return _Module(value)
        if id(value) in _KNOWN:
            return _either(value, _KNOWN[id(value)])
        return traced(value) if isinstance(value, types.FunctionType) else value

    names = function.__code__.co_names
    here = {name: replaced(value) for name, value in function.__globals__.items() if name in names}
    cells = tuple(types.CellType(replaced(cell.cell_contents)) for cell in function.__closure__ or ())
    found = types.FunctionType(
        function.__code__, {**function.__globals__, **here}, function.__name__, function.__defaults__, cells or None
    )
    found.__kwdefaults__ = function.__kwdefaults__
    return found


def slope(loss: MarginLoss, m: Node) -> Node:
    """φ'(m) of a tensor of margins, from the loss's own ``point``."""
    point = traced(type(loss).point)
    return m.graph.every_path(lambda: point(loss, m)[1])


def log_slope(loss: MarginLoss, m: Node) -> Node:
    """log(−φ'(m)): from the loss's own formula, or from its slopes."""
    if is_own(loss, "log_slope"):
        return _run(loss.log_slope, m)
    return m.graph.add("Log", m.graph.add("Max", -slope(loss, m), 0.0))


def probability(loss: MarginLoss, z: Node) -> Node:
    """η(z) of a tensor of decision values: from the loss's closed form, or from its slopes."""
    graph = z.graph
    if is_own(loss, "probability"):
        return _run(loss.probability, z)
    here, there = (graph.add("Min", slope(loss, m), 0.0) for m in (z, -z))
    eta = there / (here + there)
    return graph.where(graph.add("IsNaN", eta), _step(z), eta)


def log_probability(loss: MarginLoss, z: Node) -> Node:
    """log η(z), likewise."""
    graph = z.graph
    if is_own(loss, "log_probability"):
        return _run(loss.log_probability, z)
    if is_own(loss, "probability"):
        return graph.add("Log", probability(loss, z))
    found = _log_expit(log_slope(loss, -z) - log_slope(loss, z))
    return graph.where(graph.add("IsNaN", found), graph.add("Log", _step(z)), found)


def _run(method: Callable, x: Node) -> Node:
    formula = traced(getattr(method, "__func__", method))
    first = (method.__self__,) if isinstance(method, types.MethodType) else ()
    return x.graph.every_path(lambda: formula(*first, x))


def _step(z: Node) -> Node:
    graph = z.graph
    return graph.where(z > 0.0, 1.0, graph.where(z < 0.0, 0.0, 0.5 + 0.0 * graph.add("Sign", z)))


def joint_probability(loss: MarginLoss, z: Node, n_classes: int) -> Node:
    """Probabilities of many classes with one joint margin: :meth:`MarginLoss.joint_probability`, in nodes."""
    graph = z.graph
    if is_own(loss, "joint_probability"):
        raise TypeError(f"{type(loss).__name__} has a joint_probability of its own, for which there are no ONNX nodes")

    def summed(x: Node) -> Node:
        return graph.over_classes("ReduceSum", x)

    def largest(x: Node) -> Node:
        return graph.over_classes("ReduceMax", x)

    first = graph.add("Equal", graph.constant(np.arange(n_classes)[None]), graph.add("ArgMax", z, axis=1, keepdims=1))
    others = graph.where(first, -np.inf, z)
    second = graph.add(
        "Equal", graph.constant(np.arange(n_classes)[None]), graph.add("ArgMax", others, axis=1, keepdims=1)
    )
    top, next_to = largest(z), largest(others)
    log_rest = _log1p(summed(graph.where(second, 0.0, graph.add("Exp", others - next_to))))
    log_q = others - next_to - log_rest
    e = graph.add("Exp", others - top)
    m_top = top - next_to - log_rest
    m = graph.where(first, m_top, others - top - _log1p(graph.add("Max", summed(e) - e, 0.0)))
    pull = log_slope(loss, m)
    lost = graph.add("And", m <= 0.0, pull == -np.inf)
    pull = graph.where(lost, float(np.log(np.finfo(float).smallest_subnormal)), pull)
    pull_top = largest(graph.where(first, pull, -np.inf))
    w = log_q - _log1p(graph.add("Exp", m)) + _log1p(graph.add("Exp", -m_top)) + (pull_top - pull)
    return shares(graph, graph.where(first, 0.0, w))


def shares(graph: Any, w: Node) -> Node:
    """e^w over its sum, of the classes; where all are −∞, they are the same."""
    top = graph.over_classes("ReduceMax", w)
    e = graph.add("Exp", graph.where(top == -np.inf, 0.0, w - top))
    return e / graph.over_classes("ReduceSum", e)
