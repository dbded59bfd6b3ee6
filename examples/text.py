"""
Text: which package does a docstring come from?
===============================================

Five classes and sparse text that every machine has.

The text is read from the source files of NumPy, SciPy, scikit-learn, Numba and Python's standard library,
parsed and never imported. Docstrings are split by module, so that no module is in both parts, and a text that
occurs twice is used once. The names of the packages are removed from the words: they would give it away.
"""

import ast
import sysconfig
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupShuffleSplit

from marginclf import MarginLinearClassifier

PACKAGES = ("numpy", "scipy", "sklearn", "numba")
GIVEAWAYS = ["numpy", "np", "scipy", "sklearn", "scikit", "learn", "numba", "njit", "jit", "python"]
# Tests are not documentation; the other folders hold copies of other packages' code.
SKIPPED = {"tests", "test", "idlelib", "lib2to3", "ensurepip", "site-packages", "dist-packages"}
SKIPPED |= {"externals", "_external", "_vendored", "_vendor", "array_api_compat", "cloudpickle"}


def collect():
    """Return texts, the package of each and the module of each, as arrays."""
    roots = {name: Path(find_spec(name).origin).parent for name in PACKAGES}  # finds, and does not import
    roots["stdlib"] = Path(sysconfig.get_path("stdlib"))
    rows, seen = [], set()
    for package, root in roots.items():
        for file in sorted(root.rglob("*.py"))[::3]:  # a third of them is enough
            if SKIPPED.isdisjoint(file.relative_to(root).parts[:-1]):
                for text in docstrings(file):
                    key = " ".join(text.split()).lower()
                    if len(key) >= 60 and key not in seen:
                        seen.add(key)
                        rows.append((text, package, str(file)))
    return (np.array(column, dtype=object) for column in zip(*rows, strict=True))


def docstrings(file):
    """Return the docstrings of a source file: its own and those of its classes and functions."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the files' own escapes and literals
            tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):  # templates and deliberately broken files
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for text in found if text]


# %%
# The words
# ---------
texts, labels, modules = collect()
train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(texts, labels, modules))
words = TfidfVectorizer(sublinear_tf=True, min_df=5, stop_words=GIVEAWAYS)
X_train, X_test = words.fit_transform(texts[train]), words.transform(texts[test])
y_train, y_test = labels[train], labels[test]
names, counts = np.unique(labels, return_counts=True)
print("docstrings:", ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True)))
print(f"{X_train.shape[0]} to learn from, {X_test.shape[0]} to test on, {X_train.shape[1]} words")

# %%
# Losses beside each other
# ------------------------
#
# One joint margin for all classes, which for the logistic loss is the softmax regression of scikit-learn; or one class
# against the rest. The squared loss increases for large margins and has no joint form.
softmax = LogisticRegression(C=10.0, max_iter=1000)
models = {"majority class": DummyClassifier(), "sklearn LogisticRegression": softmax}
for loss, C in (("logistic", 10.0), ("squared_hinge", 1.0), ("smooth_hinge", 1.0), ("hinge", 1.0)):
    for way in ("joint", "ovr"):
        models[f"marginclf {loss} {way}"] = MarginLinearClassifier(loss, C=C, multi_class=way)
models["marginclf squared ovr"] = MarginLinearClassifier("squared", C=1.0)
print(f"{'':30}{'accuracy':>8}{'fit, s':>9}{'proven, worst class':>22}")
for name, model in models.items():
    start = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    accuracy = accuracy_score(y_test, model.predict(X_test))
    bound = getattr(model, "suboptimality_", None)
    proven = "-" if bound is None else f"{bound.max():.0e}"
    print(f"{name:30}{accuracy:8.4f}{seconds:9.2f}{proven:>22}")

# %%
# Words that speak most for a package
# -----------------------------------
model = models["marginclf logistic joint"]
vocabulary = words.get_feature_names_out()
figure, axes = plt.subplots(1, len(model.classes_), figsize=(10, 3.4), sharex=True, layout="constrained")
for ax, name, coefficients in zip(axes, model.classes_, model.coef_, strict=True):
    top = np.argsort(coefficients)[-10:]
    ax.barh(vocabulary[top], coefficients[top], color="#0072B2")
    ax.set_title(name)
figure.supxlabel("coefficient")
