"""The probabilities of many classes: where the expected loss is smallest."""

import numpy as np
import pytest
from references import JOINT, LOSS_CASES, mp, reference, ulp
from scipy.optimize import minimize
from scipy.special import softmax

from marginclf import MarginLinearClassifier
from marginclf.losses import GeneralizedCrossEntropy, Logistic, SquaredHinge, get_loss

WITH = [
    case for case in JOINT if case.values[0].probability is not None and case.values[0].joint_probability is not None
]


def margins(z):
    others = np.where(np.eye(len(z), dtype=bool), -np.inf, np.broadcast_to(z, (len(z), len(z))))
    lse = np.logaddexp.reduce(others, axis=1)
    return z - lse, np.exp(others - lse[:, None])


def best_scores(loss, eta):
    """The z that minimises Σ η_k φ(m_k), by its formula and gradient."""

    def value_gradient(z):
        m, q = margins(z)
        values, slopes, _ = loss.evaluate(m)
        pull = eta * slopes
        return float(eta @ values), pull - pull @ q

    start = np.log(eta) - np.log(eta).mean()
    found = minimize(value_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 10_000})
    return found.x


def test_which_losses_have_none():
    without = {loss.name for _, loss in LOSS_CASES if loss.joint_probability is None}
    assert without == {"savage", "sigmoid"}


@pytest.mark.parametrize("k", [3, 4, 6])
@pytest.mark.parametrize("loss", WITH)
def test_the_expected_loss_is_smallest_there(loss, k):
    rng = np.random.default_rng(k)
    for _ in range(5):
        eta = rng.dirichlet(np.full(k, 3.0))
        z = best_scores(loss, eta)
        np.testing.assert_allclose(loss.joint_probability(z[None])[0], eta, atol=2e-4)


def test_known_forms():
    z = np.random.default_rng(0).normal(size=(50, 5)) * 4.0
    np.testing.assert_allclose(Logistic().joint_probability(z), softmax(z, axis=1), atol=1e-14)
    for q in (0.3, 0.7):
        expected = softmax((1.0 - q) * z, axis=1)
        np.testing.assert_allclose(GeneralizedCrossEntropy(q=q).joint_probability(z), expected, atol=1e-13)


@pytest.mark.parametrize("loss", WITH)
def test_two_scores_are_the_binary_formula(loss):
    z = np.linspace(-0.9, 0.9, 19)
    joint = loss.joint_probability(np.column_stack([np.zeros_like(z), z]))
    np.testing.assert_allclose(joint[:, 1], loss.probability(z), atol=1e-12)


@pytest.mark.parametrize("loss", WITH)
def test_far_scores_and_many_classes(loss):
    rng = np.random.default_rng(1)
    for size in (1.0, 50.0, 1e4, 1e300):
        z = size * rng.uniform(-1.0, 1.0, (20, 1000))
        z[0], z[1, 1:] = size, -size
        z[2, :2] = size
        proba = loss.joint_probability(z)
        assert np.isfinite(proba).all()
        assert (proba >= 0.0).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
        np.testing.assert_allclose(proba[0], 1e-3, rtol=1e-10)
        assert (proba[np.arange(20), z.argmax(axis=1)] >= proba.max(axis=1) - 1e-12).all()


FAR = {
    3: [[0.0, 394.5, 781.2], [0.0, 0.5, 1e10], [1e5, 1e5 + 1.0, 1e5 + 2.0], [1.7, 0.1, -0.3], [800.0, 0.0, 1.0]],
    5: [[0.0, 100.0, 200.0, 300.0, 400.0], [0.2, -0.1, 0.3, 0.0, 0.1], [2.5, -1.0, 0.5, 1.5, -3.0]],
}


def changes(exact, row):
    """How far each logarithm goes when each of the decision values is rounded once."""
    here, total = exact(row), [mp.mpf(0)] * len(row)
    for i, at in enumerate(row):
        sides = [exact([*row[:i], mp.mpf(at) + step * ulp(at), *row[i + 1 :]]) for step in (-1, 1)]
        total = [t + max(abs(side[j] - here[j]) for side in sides) for j, t in enumerate(total)]
    return total


@pytest.mark.parametrize("k", FAR)
@pytest.mark.parametrize("loss", WITH)
def test_logarithms_against_the_formula(loss, k):
    # Twelve digits beyond what one rounding of a decision value changes.
    z = np.array(FAR[k])
    exact = reference(loss).joint_log_probability
    logarithms, proba = loss.joint_log_probability(z), loss.joint_probability(z)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)
    for row, found, shares in zip(z.tolist(), logarithms.tolist(), proba.tolist(), strict=True):
        expected, change = exact(row), changes(exact, row)
        for j, value in enumerate(expected):
            if mp.isinf(value):
                assert found[j] == -np.inf
                continue
            allowed = mp.mpf(1e-12) * abs(value) + change[j] + mp.mpf(5e-324)
            assert abs(mp.mpf(found[j]) - value) <= allowed, f"class {j} of {row}: {found[j]}, not {float(value)}"
            eta = mp.exp(value)
            assert abs(mp.mpf(shares[j]) - eta) <= eta * (mp.mpf(1e-12) + 2 * change[j]) + mp.mpf(1e-307)


def test_the_logarithm_of_a_class_far_behind():
    found = Logistic().joint_log_probability([[0.0, 394.5, 781.2]])[0]
    np.testing.assert_allclose(found, [-781.2, 394.5 - 781.2, 0.0], rtol=1e-15, atol=1e-15)
    assert found[2] < 0.0


def test_what_a_user_wrote_and_its_logarithm():
    class Own(SquaredHinge):
        def joint_probability(self, z):
            return softmax(2.0 * np.asarray(z), axis=1)

    class Nothing(Logistic):
        joint_probability = None

    class Logarithm(Logistic):
        def joint_log_probability(self, z):
            return np.log(softmax(3.0 * np.asarray(z), axis=1))

    z = np.array([[0.0, 1.0, 2.0]])
    np.testing.assert_allclose(Own().joint_log_probability(z), np.log(softmax(2.0 * z, axis=1)), rtol=1e-14)
    assert Nothing.joint_log_probability is None
    assert get_loss("savage").joint_log_probability is None
    np.testing.assert_allclose(Logarithm().joint_probability(z), softmax(3.0 * z, axis=1), rtol=1e-14)


def test_a_class_beyond_the_end_of_the_slope_is_certain():
    np.testing.assert_array_equal(SquaredHinge().joint_probability([[5.0, 0.0, 0.0]]), [[1.0, 0.0, 0.0]])


@pytest.mark.parametrize("loss", WITH)
def test_the_estimator_uses_it(loss):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(90, 3))
    y = (X + 0.5 * rng.gumbel(size=(90, 3))).argmax(axis=1)
    model = MarginLinearClassifier(loss, multi_class="joint").fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba, loss.joint_probability(model.decision_function(X)), atol=1e-15)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))


@pytest.mark.parametrize("name", ["savage", "sigmoid"])
def test_losses_that_have_none_say_so(name):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(90, 3))
    y = (2.0 * X + 0.5 * rng.gumbel(size=(90, 3))).argmax(axis=1)
    model = MarginLinearClassifier(name, multi_class="joint")
    assert not hasattr(model, "predict_proba")
    model.fit(X, y)
    assert not hasattr(model, "predict_proba")
    model.fit(X, y > 0)
    assert hasattr(model, "predict_proba") == (get_loss(name).probability is not None)
