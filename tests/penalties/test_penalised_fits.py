"""Fits with penalties and bounds beside what else the estimator does, and the C that lets the first coefficient in."""

import warnings

import dask.array as da
import numpy as np
import onnxruntime
import pytest
import scipy.sparse as sp
from messages import mentions
from penalised import CASES, PENALTIES, Problem, penalty_value
from problems import draw, fit
from scipy.optimize import minimize
from skl2onnx import to_onnx
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.utils.estimator_checks import parametrize_with_checks

from marginclf import MarginLinearClassifier
from marginclf.exchange import register_onnx_converter
from marginclf.losses import Logistic
from marginclf.penalties import L1, L2, ElasticNet, GroupLasso, smallest_C

X, Y, S = draw(60, 5, 7)
WIDE, WIDE_Y, _ = draw(50, 30, 8)

# One loss is enough: what a penalty changes of the input, the attributes and the parameters is the same for the others.
ESTIMATORS = [MarginLinearClassifier(penalty=name) for name in ("l1", "elastic_net", "group_lasso")]
ESTIMATORS += [MarginLinearClassifier(bounds=(-0.5, None), penalty=L2(weights=2.0))]


# A list, for in scikit-learn 1.6 these are a generator, which pytest warns of.
CHECKS = parametrize_with_checks(ESTIMATORS)


@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), **CHECKS.kwargs)
def test_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        if "one_label_sample_weights" in str(check):
            warnings.simplefilter("ignore", ConvergenceWarning)  # it says that a class has no weight
        check(estimator)


def test_zeros_are_exact_and_select_features():
    model, _ = fit("logistic", WIDE, WIDE_Y, penalty="l1", C=0.3)
    inside = model.coef_[0] != 0.0
    assert 0 < inside.sum() < 15
    by_name = SelectFromModel(MarginLinearClassifier(penalty="l1", C=0.3)).fit(WIDE, WIDE_Y)
    assert by_name.threshold_ == 1e-5
    by_object = SelectFromModel(MarginLinearClassifier(penalty=L1(), C=0.3), threshold=1e-5).fit(WIDE, WIDE_Y)
    for selected in (by_name, by_object):
        np.testing.assert_array_equal(selected.get_support(), np.abs(model.coef_[0]) >= 1e-5)
    expected = model.decision_function(WIDE)
    assert model.sparsify().coef_.nnz == inside.sum()
    np.testing.assert_allclose(model.decision_function(WIDE), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_warm_start_ends_where_it_began_and_in_bounds(loss):
    model, _ = fit(loss, X, Y, penalty="l1", warm_start=True, C=0.5)
    first = model.coef_, model.objective_
    model.fit(X, Y)
    np.testing.assert_allclose(model.coef_, first[0], rtol=1e-5, atol=1e-7)
    assert model.objective_ <= first[1] * (1 + 1e-8)
    model.set_params(bounds=(-0.01, 0.01)).fit(X, Y)
    cold, _ = fit(loss, X, Y, penalty="l1", bounds=(-0.01, 0.01), C=0.5)
    assert np.abs(model.coef_).max() <= 0.01
    assert model.objective_ == pytest.approx(cold.objective_, rel=1e-8)


@pytest.mark.parametrize("far", [150.0, 300.0, 1e160], ids="{:g}".format)
@pytest.mark.parametrize("how", [{"penalty": "l1"}, {"bounds": (0, None)}], ids=["l1", "signs"])
def test_a_warm_start_where_the_loss_overflows_is_no_fault_of_the_rows(how, far):
    cold, _ = fit("exponential", X, Y, **how)
    model = MarginLinearClassifier("exponential", warm_start=True, **how)
    model.classes_, model.coef_ = np.unique(Y), np.full((1, X.shape[1]), far)
    assert model.fit(X, Y).objective_ == pytest.approx(cold.objective_, rel=1e-7)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_history_is_that_of_the_fit(loss):
    model, _ = fit(loss, X, Y, penalty="elastic_net", record_history=True, verbose=0)
    history = model.history_[0]
    assert history["objective"][-1] == model.objective_[0]
    assert history["suboptimality"][-1] == model.suboptimality_[0]
    assert len(history["objective"]) == len(history["seconds"]) == len(history["passes"]) > 2
    assert np.all(np.diff(history["passes"]) >= 0)


def test_max_iter_is_kept_and_said():
    model, messages = fit("logistic", X, Y, penalty="l1", C=100.0, max_iter=1)
    assert model.n_iter_ == [1]
    assert "max_iter" in messages[0]
    assert model.status_[0].startswith("max_iter")


def test_onnx_gives_what_the_fit_does():
    model, _ = fit("logistic", WIDE, WIDE_Y, penalty="l1", C=0.3)
    register_onnx_converter()
    onnx = to_onnx(model, WIDE[:1], options={"zipmap": False})
    session = onnxruntime.InferenceSession(onnx.SerializeToString(), providers=["CPUExecutionProvider"])
    labels = session.run(None, {session.get_inputs()[0].name: WIDE})[0]
    np.testing.assert_array_equal(labels, model.predict(WIDE))


def test_mapped_files_are_read_and_collections_refused(tmp_path):
    expected, _ = fit("logistic", X, Y, penalty="l1")
    np.save(tmp_path / "X.npy", X)
    mapped, _ = fit("logistic", np.load(tmp_path / "X.npy", mmap_mode="r"), Y, penalty="l1")
    np.testing.assert_array_equal(mapped.coef_, expected.coef_)
    for how in ({"penalty": "l1"}, {"bounds": (0, None)}):
        with pytest.raises(ValueError, match=mentions("Dask", "penalty='l2'", "X.compute()")):
            MarginLinearClassifier(**how).fit(da.from_array(X, chunks=(30, 5)), da.from_array(Y, chunks=30))


def test_threads_and_rows_of_no_weight_change_nothing():
    expected, _ = fit("logistic", X, Y, S, penalty="elastic_net", C=0.5)
    for how in ({"n_jobs": 2}, {"verbose": 0, "random_state": 3}):
        again, _ = fit("logistic", X, Y, S, penalty="elastic_net", C=0.5, **how)
        np.testing.assert_array_equal(again.coef_, expected.coef_)
    less, _ = fit("logistic", X[S > 0], Y[S > 0], S[S > 0], penalty="elastic_net", C=0.5)
    np.testing.assert_allclose(less.coef_, expected.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("penalty", [L2(), L2(weights=3.0), ElasticNet(0.4), L1()], ids=repr)
def test_linear_in_closed_form(penalty):
    """Its slopes do not depend on the coefficients, so that each is found by itself."""
    ratio, v = {L2: 0.0, L1: 1.0}.get(type(penalty), 0.4), penalty.weights or 1.0
    for low, high in ((-0.3, 0.2), (-np.inf, np.inf)):
        if ratio < 1.0 or high < np.inf:
            how = {"penalty": penalty, "C": 0.05, "bounds": (low, high), "fit_intercept": False}
            model, messages = fit("linear", X, Y, S, **how)
            g = 0.05 * X.T @ (S * (2.0 * Y - 1.0))
            left = np.sign(g) * np.maximum(np.abs(g) - ratio * v, 0.0)
            far = np.where(left == 0.0, 0.0, np.copysign(np.inf, left)) if ratio == 1.0 else left / ((1.0 - ratio) * v)
            assert not messages
            assert (left != 0.0).any()
            assert model.suboptimality_[0] <= 2e-15
            np.testing.assert_allclose(model.coef_[0], np.clip(far, low, high), rtol=1e-12)


@pytest.mark.parametrize("how", [{"bounds": (0, None)}, {"penalty": L1(weights=[1, 1, 1, np.inf, 1])}], ids=repr)
def test_no_penalty_at_all(how):
    rng = np.random.default_rng(4)
    y = (X[:, 0] + 2.0 * rng.normal(size=60) > 0).astype(int)
    model, messages = fit("logistic", X, y, C=np.inf, **how)
    assert not messages
    assert np.isnan(model.suboptimality_).all()
    lower = np.full(5, 0.0 if "bounds" in how else -np.inf)
    upper = np.full(5, np.inf)
    if "penalty" in how:
        lower[3] = upper[3] = 0.0

    def value(theta):
        m = (2 * y - 1) * (X @ theta[:5] + theta[5])
        slopes = -(2 * y - 1) / (1.0 + np.exp(m))
        return np.logaddexp(0.0, -m).sum(), np.append(X.T @ slopes, slopes.sum())

    limits = [*zip(lower, upper, strict=True), (None, None)]
    found = minimize(value, np.zeros(6), jac=True, bounds=limits, options={"gtol": 1e-10, "ftol": 1e-15})
    np.testing.assert_allclose(model.coef_[0], found.x[:5], atol=1e-5)
    assert model.objective_[0] <= found.fun * (1 + 1e-10)


# smallest_C


@pytest.mark.parametrize("bounds", [None, (0, None)], ids=["free", "signs"])
@pytest.mark.parametrize("form", ["binary", "joint", "ovr"])
@pytest.mark.parametrize("penalty", [case for case in CASES if case.id != "l2-weights"])
def test_nothing_at_the_smallest_C_and_something_above(penalty, form, bounds):
    rng = np.random.default_rng(3)
    y = Y if form == "binary" else (X @ rng.normal(size=(5, 3)) + rng.gumbel(size=(60, 3))).argmax(axis=1)
    how = {"penalty": penalty, "bounds": bounds, "class_weight": "balanced"}
    how["multi_class"] = "auto" if form == "binary" else form
    loss = "squared_hinge" if form == "ovr" else "logistic"
    C = smallest_C(X, y, loss=loss, sample_weight=S, **how)
    if bounds is None and type(penalty) is ElasticNet and penalty.weights is not None:
        assert C > 0.0
    below, _ = fit(loss, X, y, S, C=C, tol=1e-12, **how)
    above, _ = fit(loss, X, y, S, C=1.001 * C, tol=1e-12, **how)
    assert penalty_value(penalty, below.coef_) <= 1e-6 < 1e-5 < penalty_value(penalty, above.coef_)


def test_the_smallest_C_is_a_formula_where_only_the_intercept_is_free():
    """φ'(0) = −½ of each row, and the intercept is what makes the slopes of the classes equal."""
    p = np.average(Y, weights=S)
    g = X.T @ (S * (Y - p))
    assert smallest_C(X, Y, sample_weight=S) == pytest.approx(1.0 / np.abs(g).max(), rel=1e-6)
    assert smallest_C(X, Y, sample_weight=S, penalty=ElasticNet(0.2)) == pytest.approx(0.2 / np.abs(g).max(), rel=1e-6)
    assert smallest_C(X, Y, sample_weight=S, bounds=(0, None)) == pytest.approx(1.0 / g.max(), rel=1e-6)
    groups = GroupLasso(groups=[[0, 1], [2, 3, 4]], weights=[1.0, 2.0])
    sizes = np.linalg.norm(g[:2]), np.linalg.norm(g[2:]) / 2.0
    assert smallest_C(sp.csr_array(X), Y, sample_weight=S, penalty=groups) == pytest.approx(1.0 / max(sizes), rel=1e-6)
    g = X.T @ (S * (Y - 0.5))
    assert smallest_C(X, Y, sample_weight=S, fit_intercept=False) == pytest.approx(1.0 / np.abs(g).max(), rel=1e-6)


def test_the_smallest_C_of_a_straight_line_too():
    """Half of the weight is on either class, and nothing is let in up to where a slope is its kink."""
    how = {"loss": "linear", "penalty": ElasticNet(0.5)}
    C = smallest_C(X, Y, sample_weight=S, **how)
    assert C > 0.0
    assert not MarginLinearClassifier(C=C, **how).fit(X, Y, S).coef_.any()
    assert (MarginLinearClassifier(C=1.001 * C, **how).fit(X, Y, S).coef_ != 0.0).sum() == 1


def test_of_a_loss_with_a_kink_nothing_is_gained_at_the_smallest_C():
    for penalty in (L1(), GroupLasso(groups=[[0, 1]]), L1(weights=[0, 1, 1, 1, 1])):
        C = smallest_C(X, Y, loss="hinge", penalty=penalty, sample_weight=S)
        model, _ = fit("hinge", X, Y, S, penalty=penalty, C=C, tol=1e-10)
        out = [1.0 if kept else np.inf for kept in (penalty.weights is not None, 0, 0, 0, 0)]
        alone, _ = fit("hinge", X, Y, S, penalty=L1(weights=np.where(np.isinf(out), np.inf, 0.0)), C=C, tol=1e-10)
        assert C > 0.0
        assert model.objective_ == pytest.approx(alone.objective_, rel=1e-7)


def test_where_no_C_is_small_enough_or_every_C_is():
    assert smallest_C(X, Y, penalty="l2") == 0.0
    assert smallest_C(X, Y, penalty=L2(weights=2.0)) == 0.0
    assert smallest_C(X, Y, penalty="l1", bounds=(0.1, 1.0)) == 0.0
    assert smallest_C(X, Y, penalty="l1", bounds=(0.0, 0.0)) == np.inf
    assert smallest_C(np.zeros((60, 2)), Y, penalty="l1") == np.inf
    assert smallest_C(X, Y, penalty=L1(weights=0.0)) == np.inf
    with pytest.raises(ValueError, match=mentions("loss", "not convex")):
        smallest_C(X, Y, loss="savage")
    assert smallest_C(X, Y, loss=Logistic()) == smallest_C(X, Y, loss="logistic")


def test_the_objective_is_the_formula():
    for name, penalty in PENALTIES.items():
        model, _ = fit("logistic", X, Y, S, penalty=penalty, C=0.7)
        expected = Problem("logistic", penalty, X, Y, S, C=0.7).value(model.coef_, model.intercept_)
        assert model.objective_[0] == pytest.approx(expected, rel=1e-13), name
