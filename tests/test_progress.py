"""What a fit tells while it runs: history, printed lines, and scikit-learn's callbacks; and that it costs no bit."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from problems import fit, objective_of
from references import DEFAULTS, FAMILY, with_solvers
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.fixes import parse_version

from marginclf import MarginLinearClassifier
from marginclf._estimator.progress import Progress
from marginclf.matrix import design_matrix
from marginclf.solvers import SOLVERS, Status

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
RNG = np.random.default_rng(0)
WIDE = sp.csr_array(np.where(RNG.random((60, 120)) < 0.2, RNG.normal(size=(60, 120)), 0.0))
COLUMNS = {"objective", "suboptimality", "seconds", "passes"}

DATA = {
    "binary": (X[::4], Y[::4], {}),
    "joint": (X_IRIS, Y_IRIS, {}),
    "ovr": (X_IRIS, Y_IRIS, {"multi_class": "ovr"}),
    "wide": (WIDE, np.arange(60) % 2, {}),
    "wide-joint": (WIDE, np.arange(60) % 3, {}),
    "threads": (WIDE, np.arange(60) % 3, {"multi_class": "ovr", "n_jobs": 2}),
}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("loss", "solver"), with_solvers(FAMILY, ("auto", *SOLVERS)))
def test_a_history_is_kept_and_the_fit_is_the_same_to_the_last_bit(loss, solver, data):
    rows, labels, parameters = DATA[data]
    parameters = {**parameters, "solver": solver, "max_iter": 30}
    alone, messages = fit(loss, rows, labels, **parameters)
    model, same_messages = fit(loss, rows, labels, **parameters, record_history=True)
    assert messages == same_messages
    np.testing.assert_array_equal(model.coef_, alone.coef_)
    np.testing.assert_array_equal(model.intercept_, alone.intercept_)
    np.testing.assert_array_equal(model.n_iter_, alone.n_iter_)
    assert model.status_ == alone.status_
    assert not hasattr(alone, "history_")
    assert len(model.history_) == len(model.n_iter_)
    for k, columns in enumerate(model.history_):
        assert columns.keys() == COLUMNS
        assert columns["objective"][-1] == model.objective_[k]
        np.testing.assert_equal(columns["suboptimality"][-1], model.suboptimality_[k])
        assert (np.diff(columns["seconds"]) >= 0.0).all()
        assert (np.diff(columns["passes"]) >= 0).all()
        assert np.isfinite(columns["objective"]).all()


CONVEX = [case for case in DEFAULTS if case.values[0].convex and not case.values[0].affine]


@pytest.mark.parametrize(("loss", "solver"), with_solvers(CONVEX, ("auto", *SOLVERS)))
def test_what_is_proven_on_the_way_holds(loss, solver):
    model, _ = fit(loss, X, Y, solver=solver, C=0.1, max_iter=100, record_history=True)
    best, _ = fit(loss, X, Y, C=0.1, tol=0.0)
    columns = model.history_[0]
    F, bound = columns["objective"], columns["suboptimality"]
    assert len(F) > 2
    assert (F - best.objective_[0] <= bound * np.abs(F) + 1e-12 * np.abs(F)).all()
    assert columns["passes"][-1] > 0


def test_the_first_entry_is_the_start():
    start = objective_of("logistic", X, Y, C=1.0).origin().value
    for solver in ("lbfgs", "newton", "dual"):
        model, _ = fit("logistic", X, Y, solver=solver, record_history=True)
        assert model.history_[0]["objective"][0] == pytest.approx(start)
    again = MarginLinearClassifier(warm_start=True, record_history=True, tol=1e-4, max_iter=3)
    with pytest.warns(match="max_iter"):
        again.fit(X, Y)
    reached = again.objective_[0]
    again.set_params(tol=1e-8, max_iter=100).fit(X, Y)
    assert again.history_[0]["objective"][0] == pytest.approx(reached)


@pytest.mark.parametrize("bound", [0.5, float("nan")])
def test_a_point_that_is_reported_again_is_no_further_entry(bound):
    """A solver reports its iterates, and who called it the end, which is the last of them."""
    with design_matrix(X, 1) as matrix:
        watch = Progress(["class 1"], verbose=False, tasks=None).monitor(0, matrix)
        point = SimpleNamespace(theta=np.zeros(3), value=1.0, suboptimality=bound)
        watch(lambda: point)
        watch(lambda: point)
        assert len(watch.rows) == 1
        point.suboptimality = float(str(bound))  # another object of the same number
        watch(lambda: point)
        assert len(watch.rows) == 1
        point.suboptimality = 0.25  # more has been proven of it
        watch(lambda: point)
        watch(lambda: SimpleNamespace(theta=np.zeros(3), value=1.0, suboptimality=0.25))
    assert len(watch.rows) == (3 if bound == 0.5 else 2)


def test_a_later_fit_without_it_has_no_stale_history():
    model = MarginLinearClassifier(record_history=True).fit(X, Y)
    assert hasattr(model, "history_")
    model.set_params(record_history=False).fit(X, Y)
    assert not hasattr(model, "history_")


LINE = re.compile(
    r"\[marginclf\] (class \S+|all classes), iteration (\d+): objective (\S+), "
    r"(proven suboptimality \S+|nothing proven), (\d+\.\d+) s, passes (\d+)"
)


@pytest.mark.parametrize(
    ("loss", "rows", "labels", "names"),
    [
        ("logistic", X, Y, ["class 1"]),
        ("savage", X, Y, ["class 1"]),
        ("hinge", X, Y, ["class 1"]),
        ("logistic", X_IRIS, Y_IRIS, ["all classes"]),
        ("squared", X_IRIS, Y_IRIS, ["class 0", "class 1", "class 2"]),
    ],
)
def test_verbose_prints_a_line_for_each_iteration_and_one_for_the_end(capsys, loss, rows, labels, names):
    model = MarginLinearClassifier(loss, verbose=1, record_history=True).fit(rows, labels)
    lines = capsys.readouterr().out.splitlines()
    ends = [line for line in lines if not LINE.fullmatch(line)]
    assert [re.match(r"\[marginclf\] (.*?): \d+ iterations, ", line)[1] for line in ends] == names
    assert all(status in line for status, line in zip(model.status_, ends, strict=True))
    for name, columns in zip(names, model.history_, strict=True):
        found = [LINE.fullmatch(line).groups() for line in lines if line.startswith(f"[marginclf] {name}, ")]
        assert [int(number) for _, number, *_ in found] == list(range(len(columns["objective"])))
        assert [float(row[2]) for row in found] == pytest.approx(columns["objective"], rel=1e-9)
    MarginLinearClassifier(loss).fit(rows, labels)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_the_warning_names_the_line_that_called_fit():
    with pytest.warns(match="max_iter") as caught:
        MarginLinearClassifier(max_iter=1, solver="lbfgs").fit(X, Y)
    assert caught[0].filename == __file__


@pytest.mark.slow
def test_without_callbacks_of_scikit_learn_only_they_are_missing():
    """As with a version before 1.9."""
    code = (
        "import sys; sys.modules['sklearn.callback'] = None\n"
        "from marginclf import MarginLinearClassifier\n"
        "model = MarginLinearClassifier(record_history=True).fit([[0.0], [1.0], [2.0]], [0, 1, 1])\n"
        "print(len(model.history_), hasattr(model, 'set_callbacks'))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer.split() == ["1", "False"]


class Recorder:
    """Every task that ends, with the accuracy that the fit has by then; asks to stop after some iterations."""

    def __init__(self, stop_after=None):
        self.stop_after, self.ended, self.begun = stop_after, [], 0
        self.set_up = self.torn_down = 0

    def setup(self, estimator, context):
        self.set_up += 1

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.begun += 1

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.ended.append((context.task_name, fitted_estimator.score(X, y), fitted_estimator))
        iterations = sum(name == "iteration" for name, *_ in self.ended)
        return self.stop_after is not None and iterations >= self.stop_after


if parse_version(sklearn.__version__) >= parse_version("1.9"):
    from sklearn.callback import ProgressBar, ScoringMonitor

    @pytest.mark.parametrize("solver", ["lbfgs", "newton", "dual"])
    @pytest.mark.parametrize(("rows", "labels"), [(X, Y), (X_IRIS, Y_IRIS)], ids=["binary", "joint"])
    def test_a_callback_sees_each_iterate_as_a_fitted_classifier(rows, labels, solver):
        recorder = Recorder()
        plain, _ = fit("logistic", rows, labels, solver=solver)
        model = MarginLinearClassifier(solver=solver).set_callbacks(recorder).fit(rows, labels)
        np.testing.assert_array_equal(model.coef_, plain.coef_)
        assert recorder.set_up == recorder.torn_down == 1
        assert recorder.begun == len(recorder.ended)
        names = [name for name, *_ in recorder.ended]
        assert names[-1] == "fit"
        assert set(names[:-1]) == {"iteration"}
        assert recorder.ended[-1][1] == model.score(rows, labels)
        np.testing.assert_array_equal(recorder.ended[-1][2].coef_, model.coef_)
        np.testing.assert_array_equal(recorder.ended[-1][2].predict_proba(rows), model.predict_proba(rows))
        assert not np.array_equal(recorder.ended[0][2].coef_, model.coef_)

    def test_one_vs_rest_has_a_task_for_each_class():
        recorder = Recorder()
        MarginLinearClassifier(multi_class="ovr").set_callbacks(recorder).fit(X_IRIS, Y_IRIS)
        names = [name for name, *_ in recorder.ended]
        assert names.count("class") == 3
        assert names[-1] == "fit"

    @pytest.mark.parametrize(("loss", "solver"), with_solvers(FAMILY, ("auto", *SOLVERS)))
    @pytest.mark.parametrize("data", ["binary", "joint", "ovr", "wide-joint", "threads"])
    def test_a_callback_stops_the_fit_which_says_so_and_does_not_warn(loss, solver, data):
        rows, labels, parameters = DATA[data]
        recorder = Recorder(stop_after=1)
        model = MarginLinearClassifier(loss, solver=solver, **parameters).set_callbacks(recorder).fit(rows, labels)
        assert all(status == Status.STOPPED.value for status in model.status_)
        assert np.isfinite(model.coef_).all()
        assert not loss.convex or (model.n_iter_ == 1).all()  # others first find where to start
        assert sum(name == "iteration" for name, *_ in recorder.ended) == 1
        np.testing.assert_array_equal(model.predict(rows), recorder.ended[-1][2].predict(rows))

    def test_a_stopped_fit_is_the_iterate_at_which_it_was_stopped():
        whole = MarginLinearClassifier(solver="lbfgs", record_history=True).fit(X, Y)
        part = MarginLinearClassifier(solver="lbfgs").set_callbacks(Recorder(stop_after=3)).fit(X, Y)
        assert part.objective_[0] == whole.history_[0]["objective"][3]
        assert part.suboptimality_[0] == whole.history_[0]["suboptimality"][3]
        assert part.n_iter_[0] == 3

    def test_a_callback_that_fails_leaves_the_fit_as_it_was():
        class Failing(Recorder):
            def on_fit_task_end(self, estimator, context):
                raise RuntimeError("from the callback")

        model = MarginLinearClassifier().fit(X, Y)
        before = dict(model.__dict__)
        failing = Failing()
        with pytest.raises(RuntimeError, match="from the callback"):
            model.set_callbacks(failing).fit(X[:, :3], Y)
        assert failing.torn_down == 1
        assert model.coef_ is before["coef_"]
        assert model.n_features_in_ == X.shape[1]

    def scored(monitor):
        data = monitor.get_logs().data
        return [row for row in data if row["task_name"] == "iteration"]

    def test_scoring_monitor_on_a_fit_in_a_pipeline_and_in_a_grid_search():
        monitor = ScoringMonitor(scoring="roc_auc")
        weights = np.ones(len(X))
        model = MarginLinearClassifier().set_callbacks(monitor).fit(X, Y, sample_weight=weights)
        rows = scored(monitor)
        assert len(rows) == model.n_iter_[0]
        assert rows[-1]["roc_auc"] > 0.99
        assert [row["task_id"] for row in rows] == list(range(len(rows)))

        monitor = ScoringMonitor(scoring="accuracy")
        pipeline = make_pipeline(StandardScaler(), MarginLinearClassifier().set_callbacks(monitor)).fit(X, Y)
        assert len(scored(monitor)) == pipeline[-1].n_iter_[0]

        monitor = ScoringMonitor(scoring="accuracy")
        grid = {"loss": ["logistic", "hinge"], "C": [0.1, 1.0]}
        search = GridSearchCV(MarginLinearClassifier().set_callbacks(monitor), grid, cv=3).fit(X, Y)
        assert search.best_score_ > 0.95
        assert len({row["parent_task_id_path"] for row in scored(monitor)}) == 1 + 3 * 4

    def test_nobody_watches_in_a_pipeline_and_a_grid_search_without_callbacks(monkeypatch):
        # scikit-learn tells their estimators where they are in any case; a fit that is watched takes steps one by one.
        monkeypatch.setattr("marginclf._estimator.progress.Progress", None)
        alone = MarginLinearClassifier().fit(StandardScaler().fit_transform(X), Y)
        pipeline = make_pipeline(StandardScaler(), MarginLinearClassifier()).fit(X, Y)
        np.testing.assert_array_equal(pipeline[-1].coef_, alone.coef_)
        search = GridSearchCV(pipeline, {"marginlinearclassifier__C": [1.0]}, cv=2).fit(X, Y)
        np.testing.assert_array_equal(search.best_estimator_[-1].coef_, alone.coef_)
        with pytest.raises(TypeError):
            MarginLinearClassifier().set_callbacks(Recorder()).fit(X, Y)

    def test_progress_bar_on_a_fit_in_a_pipeline_and_in_a_grid_search(capsys):
        MarginLinearClassifier().set_callbacks(ProgressBar()).fit(X, Y)
        assert "MarginLinearClassifier" in capsys.readouterr().out
        make_pipeline(StandardScaler(), MarginLinearClassifier()).set_callbacks(ProgressBar()).fit(X, Y)
        assert "Pipeline" in capsys.readouterr().out
        search = GridSearchCV(MarginLinearClassifier(), {"loss": ["logistic", "hinge"]}, cv=2)
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
        out = capsys.readouterr().out
        assert "GridSearchCV" in out
        assert "MarginLinearClassifier" in out
        assert search.best_score_ > 0.9
