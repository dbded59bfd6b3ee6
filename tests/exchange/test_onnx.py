"""The graph of ONNX gives what the classifier gives: labels, decision values and probabilities, of every loss."""

import math
import subprocess
import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from problems import fit
from references import LOSSES, usually
from skl2onnx import to_onnx
from skl2onnx.common.data_types import Int64TensorType
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale

from marginclf import MarginLinearClassifier
from marginclf.exchange import register_onnx_converter
from marginclf.losses import MarginLoss

register_onnx_converter()
X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
DATA = {
    "binary": (X, Y, {}),
    "joint": (X_IRIS, Y_IRIS, {}),
    "ovr": (X_IRIS, Y_IRIS, {"multi_class": "ovr"}),
}
# From where slopes are equal to where they overflow.
SCALES = np.array([0.0, 1e-8, 1e-3, 0.3, 1.0, 3.0, 100.0, 1e4])


def run(model, rows, *, options=None, **more):
    onnx = to_onnx(model, rows[:1], options={"zipmap": False, **(options or {})}, **more)
    session = onnxruntime.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": rows})


def both(z):
    return np.column_stack([-z, z]) if z.ndim == 1 else z


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("loss", usually(LOSSES))
def test_labels_scores_and_probabilities(loss, data):
    rows, labels, parameters = DATA[data]
    model, _ = fit(loss, rows, labels, **parameters)
    far = np.concatenate([rows[::9] * size for size in SCALES])
    found, scores = run(model, far, options={"raw_scores": True})
    np.testing.assert_array_equal(found, model.predict(far))
    expected = both(model.decision_function(far))
    np.testing.assert_allclose(scores, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max())
    found, second = run(model, far)
    np.testing.assert_array_equal(found, model.predict(far))
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(second, model.predict_proba(far), rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_array_equal(second, scores)


@pytest.mark.parametrize("data", ["binary", "ovr", pytest.param("joint", marks=pytest.mark.slow)])
def test_float32(data):
    rows, labels, parameters = DATA[data]
    rows = rows.astype(np.float32)
    model = MarginLinearClassifier("smooth_hinge", **parameters).fit(rows, labels)
    found, proba = run(model, rows)
    assert proba.dtype == np.float32
    np.testing.assert_array_equal(found, model.predict(rows))
    np.testing.assert_allclose(proba, model.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize("opset", [13, 15, 17, 18, 21])
def test_older_operators(opset):
    model = MarginLinearClassifier("lum").fit(X_IRIS, Y_IRIS)
    _, proba = run(model, X_IRIS, target_opset=opset)
    np.testing.assert_allclose(proba, model.predict_proba(X_IRIS), rtol=1e-12)


@pytest.mark.parametrize("data", DATA)
def test_probabilities_of_the_data_s_own_population(data):
    rows, labels, parameters = DATA[data]
    weights = {label: 1.0 + 10.0 * k for k, label in enumerate(np.unique(labels))}
    model = MarginLinearClassifier(class_weight=weights, proba_prior="data", **parameters).fit(rows, labels)
    found, proba = run(model, rows)
    np.testing.assert_array_equal(found, model.predict(rows))
    np.testing.assert_allclose(proba, model.predict_proba(rows), rtol=1e-12)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["benign", "malignant"], object),
        (["setosa", "versicolor", "virginica"], str),
        ([-3, 7], int),
        ([False, True], bool),
        ([1.0, 2.0, 5.0], float),
    ],
)
def test_labels_of_every_kind(names, kind):
    rows, codes = (X, Y) if len(names) == 2 else (X_IRIS, Y_IRIS)
    labels = np.array(names, dtype=kind)[codes]
    model = MarginLinearClassifier("hinge").fit(rows, labels)
    found, _ = run(model, rows)
    np.testing.assert_array_equal(found, model.predict(rows))


def test_in_a_pipeline_with_maps_and_from_whole_numbers():
    table = pd.DataFrame({"word": np.where(X[:, 0] > 0.0, "large", "small"), "x": X[:, 1], "z": X[:, 2]})
    table = table.astype({"x": np.float32, "z": np.float32})  # ZipMap, of ONNX, takes nothing else
    columns = make_column_transformer((OneHotEncoder(), ["word"]), (StandardScaler(), ["x", "z"]))
    model = make_pipeline(columns, MarginLinearClassifier()).fit(table, Y)
    onnx = to_onnx(model, table[:1])
    session = onnxruntime.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {name: table[[name]].to_numpy() for name in table.columns}
    found, maps = session.run(None, inputs)
    np.testing.assert_array_equal(found, model.predict(table))
    np.testing.assert_allclose([row[1] for row in maps], model.predict_proba(table)[:, 1], atol=1e-6)

    whole = (10 * X_IRIS).astype(np.int64)
    model = MarginLinearClassifier().fit(whole, Y_IRIS)
    _, proba = run(model, whole, initial_types=[("X", Int64TensorType([None, 4]))])
    np.testing.assert_allclose(proba, model.predict_proba(whole), atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "options", "names"),
    [
        ("logistic", {"zipmap": False}, ["label", "probabilities"]),
        ("logistic", {"zipmap": False, "raw_scores": True}, ["label", "scores"]),
        ("logistic", {}, ["output_label", "output_probability"]),
        ("hinge", {"zipmap": False}, ["label", "scores"]),
        ("hinge", {"zipmap": False, "output_class_labels": True}, ["label", "scores", "class_labels"]),
        ("hinge", {}, ["output_label", "output_scores"]),
        ("hinge", {"zipmap": "columns"}, ["output_label", "i0", "i1"]),
    ],
)
def test_outputs_are_called_what_they_are(loss, options, names):
    rows = X.astype(np.float32)
    model = make_pipeline(StandardScaler(), MarginLinearClassifier(loss)).fit(rows, Y)
    onnx = to_onnx(model, rows[:1], options={id(model[-1]): options})
    session = onnxruntime.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == names
    found = session.run(None, {"X": rows})
    if "probabilities" not in names and "output_probability" not in names:
        # The last column, of arrays, of maps and of columns, is the decision value for classes_[1].
        of = found[2] if "i1" in names else [row[1] for row in found[1]]
        np.testing.assert_allclose(of, model.decision_function(rows), rtol=1e-4, atol=1e-5)


def test_maps_of_float64_are_refused_by_the_conversion():
    model = MarginLinearClassifier("hinge").fit(X, Y)
    with pytest.raises(ValueError, match=r"ZipMap.*float32 only, and the input is of float64.*\{'zipmap': False\}"):
        to_onnx(model, X[:1])
    names = [output.name for output in to_onnx(model, X[:1], options={"zipmap": "columns"}).graph.output]
    assert names == ["output_label", "i0", "i1"]


def test_sparse_coefficients():
    model = MarginLinearClassifier().fit(X, Y)
    expected = model.predict_proba(X)
    _, proba = run(model.sparsify(), X)
    np.testing.assert_allclose(proba, expected, rtol=1e-12)


@pytest.mark.parametrize("data", DATA)
def test_far_decision_values_of_coefficients_set_by_hand(data):
    # Where probabilities underflow that are only divided by their sum, and where 1 − η is 0.
    rows, _, parameters = DATA[data]
    model = MarginLinearClassifier(**parameters)
    model.coef_, model.classes_ = [[-900.0], [-800.0], [-800.5]], [0, 1, 2]
    if data == "binary":
        model.coef_, model.classes_ = [[38.0]], [0, 1]
    rows = np.array([[1.0], [0.1], [0.0], [-0.5], [18.0]])
    found, proba = run(model, rows)
    np.testing.assert_array_equal(found, model.predict(rows))
    np.testing.assert_allclose(proba, model.predict_proba(rows), rtol=1e-12, atol=1e-300)
    assert 0.0 < proba[0].min() < 1e-16


class Shifted(MarginLoss):
    """Its probability is not symmetric, as after Platt's calibration."""

    def point(self, m):
        return math.log1p(math.exp(-m)), -1.0 / (1.0 + math.exp(m)), 1.0

    def probability(self, z):
        return 1.0 / (1.0 + np.exp(2.0 - z))


def test_a_probability_that_is_not_symmetric():
    model = MarginLinearClassifier(Shifted())
    model.coef_, model.classes_ = [[1.0]], [0, 1]
    rows = np.linspace(-3.0, 3.0, 7)[:, None]
    _, proba = run(model, rows)
    np.testing.assert_allclose(proba, model.predict_proba(rows), rtol=1e-12)
    np.testing.assert_allclose(proba[:, 1], 1.0 / (1.0 + np.exp(2.0 - rows[:, 0])), rtol=1e-12)


def huberized(t, delta):
    return 0.5 * t * t / delta, -t / delta, 1.0 / delta


class Huberized(MarginLoss):
    """A user's loss, with a helper, a parameter and branches."""

    delta: float = 0.5

    def point(self, m):
        t = max(1.0 - m, 0.0)
        if 0.0 < t < self.delta:
            return huberized(t, self.delta)
        if t != 0.0:
            return t - 0.5 * self.delta, -1.0, 0.0
        return 0.0, 0.0, 0.0


class Functions(MarginLoss):
    """A user's loss by many functions: log(1 + e^-m) again, and a little of the rest, which is zero."""

    def point(self, m):
        t = math.exp(-abs(m))
        nothing = math.expm1(0.0 * m) + 0.0 * math.sqrt(abs(m)) * math.tanh(+m) * 2.0 ** (-t) * math.pow(t, 2.0)
        value = math.log1p(t) + max(-m, 0.0) + nothing
        p = t / (1.0 + t) if m >= 0.0 else 1.0 / (1.0 + t)
        return value, -p + 1.0 * math.expm1(1e-3 * m) - math.expm1(1e-3 * m), p * (1.0 - p)


class Gamma(MarginLoss):
    """A user's loss by a function that ONNX has not."""

    def point(self, m):
        return math.lgamma(abs(m) + 1.0), -1.0 + 0.0 * math.lgamma(abs(m) + 1.0), 0.0


class Loop(MarginLoss):
    """A user's loss that no graph can hold."""

    convex = False

    def point(self, m):
        t = abs(m)
        while t > 1.0:
            t *= 0.5
        return t, -1.0, 0.0


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("loss", [Huberized(delta=0.3), Functions()])
def test_a_user_s_loss(loss, data):
    rows, labels, parameters = DATA[data]
    model = MarginLinearClassifier(loss, **parameters).fit(rows, labels)
    found, proba = run(model, rows)
    np.testing.assert_array_equal(found, model.predict(rows))
    np.testing.assert_allclose(proba, model.predict_proba(rows), rtol=1e-9, atol=1e-12)


def test_what_no_graph_can_hold_is_said():
    model = MarginLinearClassifier().fit(X, Y)
    model.loss_ = Loop()
    with pytest.raises(TypeError, match="too many branches"):
        run(model, X)
    model.loss_ = Gamma()
    with pytest.raises(TypeError, match="no ONNX operator for lgamma"):
        run(model, X)

    class Own(Huberized):
        def joint_probability(self, z):
            return np.full_like(z, 1.0 / z.shape[1])

    model = MarginLinearClassifier(Huberized()).fit(X_IRIS, Y_IRIS)
    model.loss_ = Own()
    with pytest.raises(TypeError, match="Own has a joint_probability of its own"):
        run(model, X_IRIS)


@pytest.mark.slow
def test_without_skl2onnx_the_error_has_the_remedy():
    code = (
        "import sys; sys.modules['skl2onnx'] = None\n"
        "from marginclf.exchange import register_onnx_converter\n"
        "try:\n"
        "    register_onnx_converter()\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'marginclf[onnx]'" in answer
