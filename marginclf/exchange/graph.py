"""A graph of ONNX nodes that grows as one computes with what stands for its tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_MOST_PATHS, _DEEPEST = 64, 24


class Node:
    """A tensor of float64 or bool of the graph; arithmetic and comparisons add nodes."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def __bool__(self) -> bool:
        return self.graph.decide(self)

    def __neg__(self) -> Node:
        return self.graph.add("Neg", self)

    def __abs__(self) -> Node:
        return self.graph.add("Abs", self)

    def __pos__(self) -> Node:
        return self

    def __add__(self, other: Any) -> Node:
        return self.graph.add("Add", self, other)

    def __radd__(self, other: Any) -> Node:
        return self.graph.add("Add", other, self)

    def __sub__(self, other: Any) -> Node:
        return self.graph.add("Sub", self, other)

    def __rsub__(self, other: Any) -> Node:
        return self.graph.add("Sub", other, self)

    def __mul__(self, other: Any) -> Node:
        return self.graph.add("Mul", self, other)

    def __rmul__(self, other: Any) -> Node:
        return self.graph.add("Mul", other, self)

    def __truediv__(self, other: Any) -> Node:
        return self.graph.add("Div", self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return self.graph.add("Div", other, self)

    def __pow__(self, other: Any) -> Node:
        return self.graph.add("Pow", self, other)

    def __rpow__(self, other: Any) -> Node:
        return self.graph.add("Pow", other, self)

    def __lt__(self, other: Any) -> Node:
        return self.graph.add("Less", self, other)

    def __le__(self, other: Any) -> Node:
        return self.graph.add("LessOrEqual", self, other)

    def __gt__(self, other: Any) -> Node:
        return self.graph.add("Greater", self, other)

    def __ge__(self, other: Any) -> Node:
        return self.graph.add("GreaterOrEqual", self, other)

    def __eq__(self, other: Any) -> Node:  # type: ignore[override]
        return self.graph.add("Equal", self, other)

    def __ne__(self, other: Any) -> Node:  # type: ignore[override]
        return self.graph.add("Not", self == other)

    __hash__ = object.__hash__


class _UndecidedError(Exception):
    def __init__(self, condition: Node) -> None:
        super().__init__("undecided")
        self.condition = condition


class Graph:
    """The nodes of one operator of skl2onnx.

    Parameters
    ----------
    scope, container : object
        Of skl2onnx: where names and nodes go.
    """

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container
        self._known: dict[tuple, Node] = {}
        self._answers: list[bool] = []
        self._asked = 0

    @property
    def opset(self) -> int:
        """Version of the operators."""
        return self._container.target_opset_any_domain("")

    def constant(self, value: Any) -> Node:
        """Numbers, words or truth values; real numbers as float64."""
        value = np.asarray(value)
        if value.dtype.kind in "USO":
            kind, flat = "STRING", [str(item).encode() for item in value.ravel()]
        elif value.dtype.kind == "f":
            kind, flat = "DOUBLE", value.astype(float).ravel().tolist()
        elif value.dtype.kind == "b":
            kind, flat = "BOOL", value.ravel().tolist()
        else:
            kind, flat = "INT64", value.astype(np.int64).ravel().tolist()
        key = "constant", kind, value.shape, tuple(map(repr, flat))
        if key not in self._known:
            from onnx import TensorProto

            name = self._scope.get_unique_variable_name("constant")
            self._container.add_initializer(name, getattr(TensorProto, kind), list(value.shape), flat)
            self._known[key] = Node(self, name)
        return self._known[key]

    def add(self, kind: str, *inputs: Any, domain: str = "", **attributes: Any) -> Node:
        """One more node, or the one that is there already. Real numbers become constants."""
        nodes = [item if isinstance(item, Node) else self.constant(_real(item)) for item in inputs]
        key = kind, tuple(node.name for node in nodes), tuple(sorted(attributes.items()))
        if key not in self._known:
            name = self._scope.get_unique_variable_name(kind.lower())
            names = [node.name for node in nodes]
            self._container.add_node(
                kind,
                names,
                [name],
                op_domain=domain,
                op_version=1 if domain else self.opset,
                name=self._scope.get_unique_operator_name(kind),
                **{key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()},
            )
            self._known[key] = Node(self, name)
        return self._known[key]

    def output(self, node: Node, name: str, kind: str | None = None) -> None:
        """Let a tensor be an output, converted to a type of ONNX if one is given."""
        from onnx import TensorProto

        if kind is None:
            self._container.add_node("Identity", [node.name], [name], name=self._scope.get_unique_operator_name("out"))
        else:
            self._container.add_node(
                "Cast",
                [node.name],
                [name],
                to=getattr(TensorProto, kind),
                name=self._scope.get_unique_operator_name("out"),
                op_version=self.opset,
            )

    def cast(self, node: Node, kind: str) -> Node:
        """A tensor in another type."""
        from onnx import TensorProto

        return self.add("Cast", node, to=getattr(TensorProto, kind))

    def over_classes(self, kind: str, node: Node) -> Node:
        """ReduceSum or ReduceMax over the columns, which stay one column."""
        if kind == "ReduceSum" or self.opset >= 18:
            return self.add(kind, node, self.constant([1]), keepdims=1)
        return self.add(kind, node, axes=(1,), keepdims=1)

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        """The one or the other, where the condition is a tensor."""
        return self.add("Where", condition, yes, no) if isinstance(condition, Node) else (yes if condition else no)

    def decide(self, condition: Node) -> bool:
        """The answer to a condition in the path that is being explored."""
        if self._asked == len(self._answers):
            raise _UndecidedError(condition)
        self._asked += 1
        return self._answers[self._asked - 1]

    def every_path(self, formula: Callable[[], Any]) -> Any:
        """What a formula with branches returns, as a tensor: each path is computed, and the right one selected.

        Raises
        ------
        TypeError
            If there are too many paths, as where a loop goes on until something is small.
        """
        n_paths = 0

        def walk(answers: list[bool]) -> Any:
            nonlocal n_paths
            self._answers, self._asked = answers, 0
            try:
                found = formula()
            except _UndecidedError as undecided:
                condition = undecided.condition
            else:
                n_paths += 1
                return found
            if n_paths >= _MOST_PATHS or len(answers) >= _DEEPEST:
                raise TypeError("the formula has too many branches to become a graph of ONNX")
            return self.where(condition, walk([*answers, True]), walk([*answers, False]))

        return walk([])


def _real(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | np.number) and not isinstance(value, bool) else value
