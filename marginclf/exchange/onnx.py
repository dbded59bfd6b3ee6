"""The classifier as a graph of ONNX, by a converter for skl2onnx."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .._estimator import MarginLinearClassifier
from .._estimator.coefficients import class_weights_of, coefficients, loss_of
from .._estimator.probabilities import has_probability, is_joint
from .._process import quiet
from ..losses.probability import is_symmetric
from .graph import Graph, Node
from .tracing import joint_probability, log_probability, probability, shares


def register_onnx_converter() -> None:
    """Let skl2onnx convert :class:`~marginclf.MarginLinearClassifier`, alone and in pipelines.

    The graph computes in float64, whatever the type of the input, and gives what ``predict`` and ``predict_proba``
    give. Where the loss has no probability, or with the option ``raw_scores=True``, the second output holds the
    decision values instead, and is called ``scores`` (of maps, ``output_scores``): a column for each class in the order
    of ``classes_``, of two classes −z and z, as skl2onnx has it for scikit-learn's, so that the last column is
    ``decision_function``. A loss of your own is converted from its ``point``, if that needs no more than arithmetic,
    branches, and functions that ONNX has.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    By default skl2onnx makes a map of each row (ZipMap), which ONNX has for float32 only. For input of float64 the
    conversion is an error that says so: pass ``options={"zipmap": False}``, or ``"columns"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skl2onnx import to_onnx
    >>> from marginclf import MarginLinearClassifier
    >>> from marginclf.exchange import register_onnx_converter
    >>> register_onnx_converter()
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MarginLinearClassifier("squared_hinge").fit(X, y)
    >>> onnx = to_onnx(model, X[:1].astype(np.float32), options={"zipmap": False})
    >>> [output.name for output in onnx.graph.output]
    ['label', 'probabilities']
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    except ImportError as error:
        raise ImportError("register_onnx_converter needs skl2onnx: pip install 'marginclf[onnx]'") from error
    update_registered_converter(
        MarginLinearClassifier,
        "MarginclfMarginLinearClassifier",
        calculate_linear_classifier_output_shapes,
        _convert,
        parser=_parse,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [False, True],
            "raw_scores": [True, False],
        },
    )


class _ScoresByName:
    """A scope of skl2onnx in which outputs that hold decision values are not called probabilities."""

    _NAMES: ClassVar[dict[str, str]] = {"probabilities": "scores", "output_probability": "output_scores"}

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scope, name)

    def declare_local_variable(self, raw_name: str, *arguments: Any, **options: Any) -> Any:
        return self._scope.declare_local_variable(self._NAMES.get(raw_name, raw_name), *arguments, **options)


def _parse(scope: Any, model: MarginLinearClassifier, inputs: list, custom_parsers: Any = None) -> list:
    """The outputs of every classifier of scikit-learn, by names that say what they hold."""
    from skl2onnx._parse import _parse_sklearn_classifier

    if _gives_scores(model, scope.get_options(model, {"raw_scores": False})):
        scope = _ScoresByName(scope)
    return _parse_sklearn_classifier(scope, model, inputs, custom_parsers=custom_parsers)


def _gives_scores(model: MarginLinearClassifier, options: dict) -> bool:
    return bool(options["raw_scores"]) or not has_probability(model)


@quiet
def _convert(scope: Any, operator: Any, container: Any) -> None:
    model: MarginLinearClassifier = operator.raw_operator
    graph = Graph(scope, container)
    options = container.get_options(model, {"raw_scores": False})
    w, b, classes = coefficients(model)
    n_classes = len(classes)
    w = w.toarray() if hasattr(w, "toarray") else w
    X = graph.cast(Node(graph, operator.inputs[0].full_name), "DOUBLE")
    z = graph.add("Add", graph.add("MatMul", X, graph.constant(w.T)), graph.constant(b))
    if n_classes == 2:
        index = graph.cast(z > 0.0, "INT64")
        scores = graph.add("Concat", -z, z, axis=1)
    else:
        index = graph.add("ArgMax", z, axis=1, keepdims=1)
        scores = z
    _output_labels(graph, classes, index, operator.outputs[0].full_name)
    proba = scores if _gives_scores(model, options) else _probabilities(graph, model, z, n_classes)
    double = type(operator.inputs[0].type).__name__ == "DoubleTensorType"
    if double and any(reader.type == "SklearnZipMap" for reader in operator.outputs[1].operators_inputs_):
        raise ValueError(
            "ZipMap, which skl2onnx puts at the end by default, exists in ONNX for float32 only, and the input is of "
            "float64: convert with options={'zipmap': False} for an array, or options={'zipmap': 'columns'} for a "
            "column of each class; or give input of float32"
        )
    graph.output(proba, operator.outputs[1].full_name, "DOUBLE" if double else "FLOAT")


def _output_labels(graph: Graph, classes: np.ndarray, index: Node, name: str) -> None:
    words = classes.dtype.kind in "USO" and not all(isinstance(label, int | float) for label in classes)
    labels = graph.constant(classes.astype(str) if words else classes.astype(np.int64))
    flat = graph.add("Reshape", index, graph.constant([-1]))
    graph.output(graph.add("Gather", labels, flat, axis=0), name)


def _probabilities(graph: Graph, model: MarginLinearClassifier, z: Node, n_classes: int) -> Node:
    loss = loss_of(model)
    if n_classes == 2:
        eta = probability(loss, z)
        proba = graph.add("Concat", probability(loss, -z) if is_symmetric(loss) else 1.0 - eta, eta, axis=1)
    elif is_joint(model):
        proba = joint_probability(loss, z, n_classes)
    else:
        proba = shares(graph, log_probability(loss, z))
    if model.proba_prior == "data":
        weights = class_weights_of(model)
        proba = proba / graph.constant(weights / weights.max())
        proba = proba / graph.over_classes("ReduceSum", proba)
    return proba
