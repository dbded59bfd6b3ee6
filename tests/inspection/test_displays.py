"""The displays: their contract, what they draw, and what they say where there is nothing to draw."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from references import DEFAULTS, LOSSES
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from marginclf import MarginLinearClassifier
from marginclf.inspection import ConvergenceDisplay, LossDisplay, MarginDisplay
from marginclf.losses import MarginLoss, SmoothHinge, get_loss

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


class Squashed(MarginLoss):
    """A user's loss."""

    def point(self, m):
        t = 1.0 / (1.0 + m * m)
        return t, -2.0 * m * t * t, (6.0 * m * m - 2.0) * t * t * t

    convex = False


def fitted(loss="logistic", **parameters):
    return MarginLinearClassifier(loss, record_history=True, **parameters).fit(X, Y)


DISPLAYS = {
    "loss": lambda model, ax=None: LossDisplay.from_losses("logistic", "hinge", ax=ax),
    "loss-estimator": lambda model, ax=None: LossDisplay.from_estimator(model, ax=ax),
    "margin": lambda model, ax=None: MarginDisplay.from_estimator(model, X, Y, ax=ax),
    "margin-predictions": lambda model, ax=None: MarginDisplay.from_predictions(
        Y, model.decision_function(X), loss="hinge", ax=ax
    ),
    "convergence": lambda model, ax=None: ConvergenceDisplay.from_estimator(model, ax=ax),
    "convergence-history": lambda model, ax=None: ConvergenceDisplay.from_history(
        *model.history_, names=["fit"], ax=ax
    ),
}


@pytest.mark.parametrize("draw", DISPLAYS.values(), ids=DISPLAYS)
def test_contract(draw, tmp_path):
    model = fitted("hinge")
    display = draw(model)
    axes = np.atleast_1d(display.ax_)
    assert all(ax.figure is display.figure_ for ax in axes)
    assert all(ax.get_xlabel() for ax in axes)
    display.figure_.savefig(tmp_path / "picture.png")
    # Into one axes that somebody else made.
    figure, given = plt.subplots()
    again = draw(model, given)
    assert again.figure_ is figure
    # And drawn once more.
    assert display.plot() is display
    assert display.figure_ is not figure


@pytest.mark.parametrize("loss", DEFAULTS)
def test_every_loss_is_drawn_as_it_is(loss):
    display = LossDisplay.from_losses(loss, margin_range=(-2.0, 2.0), n_points=41)
    value, slope, curvature = loss.evaluate(np.linspace(-2.0, 2.0, 41))
    for line, expected in zip(display.lines_, (value, slope, curvature), strict=False):
        np.testing.assert_array_equal(line.get_ydata(), expected)
    last = display.lines_[-1].get_ydata()
    assert np.isnan(last).all() if loss.probability is None else (last == loss.probability(display.margins)).all()
    MarginDisplay.from_predictions(Y, X[:, 0], loss=loss)


def test_losses_of_an_estimator_and_of_a_user():
    search = GridSearchCV(make_pipeline(StandardScaler(), MarginLinearClassifier()), {}, cv=2).fit(X, Y)
    unfitted = MarginLinearClassifier(SmoothHinge(gamma=0.5))
    names = [LossDisplay.from_estimator(e).names[0] for e in (search, unfitted, MarginLinearClassifier(Squashed()))]
    assert names == ["logistic", "smooth_hinge(gamma=0.5)", "Squashed"]
    with pytest.raises(TypeError, match="no MarginLinearClassifier in StandardScaler"):
        LossDisplay.from_estimator(StandardScaler())
    with pytest.raises(ValueError, match="needs a loss"):
        LossDisplay.from_losses()
    with pytest.raises(ValueError, match="unknown curve 'third'"):
        LossDisplay.from_losses("hinge", curves=["third"])
    with pytest.raises(ValueError, match="one axes or 4 of them, got 2"):
        LossDisplay.from_losses("hinge", ax=plt.subplots(1, 2)[1])


def test_lines_beside_each_other_differ():
    display = LossDisplay.from_losses(*(loss.values[0] for loss in LOSSES[:6]), curves=["value"])
    more = LossDisplay.from_losses("logistic", curves=["value"], ax=display.ax_)
    signs = [(line.get_color(), line.get_linestyle()) for line in more.ax_[0].get_lines()]
    assert len(signs) == len(set(signs)) == 7


def test_one_list_is_taken_for_its_items():
    display = LossDisplay.from_losses(["logistic", SmoothHinge(gamma=0.5)])
    assert display.names == ["logistic", "smooth_hinge(gamma=0.5)"]
    with pytest.raises(ValueError, match="needs a loss"):
        LossDisplay.from_losses([])
    history = {"suboptimality": np.array([1.0, 1e-9]), "seconds": np.array([0.0, 1.0])}
    assert len(ConvergenceDisplay.from_history([history, history], names=["a", "b"]).lines_) == 4


def test_a_steep_loss_does_not_press_the_others_flat():
    display = LossDisplay.from_losses("logistic", "exponential", margin_range=(-8.0, 3.0), curves=["value"])
    assert display.ax_[0].get_ylim()[1] < 0.5 * np.exp(8.0)
    alone = LossDisplay.from_losses("exponential", margin_range=(-8.0, 3.0), curves=["value"])
    assert alone.ax_[0].get_ylim()[1] > np.exp(8.0)


def test_margins_of_two_classes():
    model = fitted("hinge")
    display = MarginDisplay.from_estimator(model, X, Y)
    m = (2 * Y - 1) * model.decision_function(X)
    np.testing.assert_array_equal(display.margins, m)
    assert display.support_ == pytest.approx(np.mean(m < 1.0), abs=0.02)
    assert any("slope not zero" in text.get_text() for text in display.loss_ax_.get_legend().get_texts())
    counted = sum(bar.get_height() for bars in display.ax_.containers for bar in bars)
    assert counted == len(Y)
    smooth = MarginDisplay.from_estimator(fitted(), X, Y)
    assert smooth.support_ == 1.0
    assert not any("slope" in text.get_text() for text in smooth.loss_ax_.get_legend().get_texts())


@pytest.mark.parametrize("n_classes", [7, 8, 40])
def test_a_picture_of_many_classes_is_of_bars_and_not_of_a_legend(n_classes):
    y = np.arange(400) % n_classes
    display = MarginDisplay.from_predictions(y, np.eye(n_classes)[y], loss="hinge")
    display.figure_.canvas.draw()
    assert display.ax_.get_window_extent().height > 0.6 * display.figure_.bbox.height
    bars = display.ax_.patches
    assert len({bar.get_facecolor() for bar in bars}) == (7 if n_classes == 7 else 1)
    assert sum(bar.get_height() for bar in bars) == len(y)


def test_a_legend_over_narrow_axes_is_no_wider_than_their_place():
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    display = MarginDisplay.from_predictions(Y, X[:, 0], loss="squared_hinge", ax=axes[2])
    figure.canvas.draw()
    assert display.loss_ax_.get_legend().get_window_extent().width < figure.bbox.width / 3.0


def test_margins_of_many_classes():
    joint = MarginLinearClassifier().fit(X_IRIS, Y_IRIS)
    z = joint.decision_function(X_IRIS)
    expected = [z[i, k] - np.log(sum(np.exp(z[i, j]) for j in range(3) if j != k)) for i, k in enumerate(Y_IRIS)]
    np.testing.assert_allclose(MarginDisplay.from_estimator(joint, X_IRIS, Y_IRIS).margins, expected, rtol=1e-12)
    ovr = MarginLinearClassifier(multi_class="ovr").fit(X_IRIS, Y_IRIS)
    own = ovr.decision_function(X_IRIS)[np.arange(150), Y_IRIS]
    np.testing.assert_array_equal(MarginDisplay.from_estimator(ovr, X_IRIS, Y_IRIS).margins, own)
    # F is Σ of the loss at these margins, and the penalty.
    F = get_loss("logistic").evaluate(np.array(expected))[0].sum() + 0.5 * (joint.coef_**2).sum()
    assert pytest.approx(joint.objective_[0]) == F


def test_weights_count_and_labels_may_be_words():
    words = np.array(["benign", "malignant"])[Y]
    model = MarginLinearClassifier("hinge").fit(X, words)
    weights = np.random.default_rng(0).uniform(0.0, 2.0, len(Y))
    display = MarginDisplay.from_estimator(model, X, words, sample_weight=weights)
    counted = sum(bar.get_height() for bars in display.ax_.containers for bar in bars)
    assert counted == pytest.approx(weights.sum())
    texts = [text.get_text() for text in display.loss_ax_.get_legend().get_texts()]
    assert texts[:2] == ["class benign", "class malignant"]
    with pytest.raises(ValueError, match="label 'other'"):
        MarginDisplay.from_predictions(["other"], [0.5], loss="hinge", classes=["benign", "malignant"])
    with pytest.raises(ValueError, match=r"shape \(2,\) for 2 classes, got \(2, 2\)"):
        MarginDisplay.from_predictions([0, 1], np.zeros((2, 2)), loss="hinge")


def test_convergence_draws_the_history():
    model = fitted(solver="lbfgs")
    columns = model.history_[0]
    display = ConvergenceDisplay.from_estimator(model, against=("iterations", "seconds", "passes"))
    for line, x in zip(
        display.lines_, (np.arange(len(columns["seconds"])), columns["seconds"], columns["passes"]), strict=True
    ):
        np.testing.assert_array_equal(line.get_xdata(), x)
        np.testing.assert_array_equal(line.get_ydata(), np.maximum(columns["suboptimality"], 1e-16))
    both = ConvergenceDisplay.from_estimator(fitted(solver="newton"), ax=ConvergenceDisplay.from_estimator(model).ax_)
    assert len(both.ax_[0].get_lines()) == 2
    ovr = MarginLinearClassifier(multi_class="ovr", record_history=True).fit(X_IRIS, Y_IRIS)
    assert ConvergenceDisplay.from_estimator(ovr, name="iris").names == [f"iris, class {k}" for k in range(3)]


def test_what_convergence_cannot_draw_is_said():
    with pytest.raises(ValueError, match="record_history=True before fit"):
        ConvergenceDisplay.from_estimator(MarginLinearClassifier().fit(X, Y))
    bounded = fitted("savage")
    with pytest.raises(ValueError, match="nothing was proven of savage, auto: use figure='objective'"):
        ConvergenceDisplay.from_estimator(bounded)
    display = ConvergenceDisplay.from_estimator(bounded, figure="objective")
    assert (display.lines_[0].get_ydata() > 0.0).all()
    with pytest.raises(ValueError, match="unknown quantity 'days'"):
        ConvergenceDisplay.from_estimator(bounded, against=["days"])
    with pytest.raises(ValueError, match="must be 'suboptimality' or 'objective'"):
        ConvergenceDisplay.from_estimator(bounded, figure="else")
    with pytest.raises(ValueError, match="as many as the histories, 1, got 0"):
        ConvergenceDisplay.from_history(bounded.history_[0], names=[])


@pytest.mark.slow
def test_matplotlib_is_imported_late_and_its_absence_is_an_error_with_a_remedy():
    code = (
        "import sys\n"
        "from marginclf.inspection import LossDisplay\n"
        "assert 'matplotlib' not in sys.modules\n"
        "sys.modules['matplotlib'] = None\n"
        "try:\n"
        "    LossDisplay.from_losses('hinge')\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'marginclf[plot]'" in answer
