"""Where the names of other projects are documented: their own inventories, or, without a network, small ones."""

import zlib
from pathlib import Path

PROJECTS = {
    "python": ("https://docs.python.org/3", "library/{module}.html#{name}"),
    "numpy": ("https://numpy.org/doc/stable", "reference/generated/{name}.html"),
    "scipy": ("https://docs.scipy.org/doc/scipy", "reference/generated/{name}.html"),
    "sklearn": ("https://scikit-learn.org/stable", "modules/generated/{name}.html"),
    "matplotlib": ("https://matplotlib.org/stable", "api/_as_gen/{name}.html"),
}

NAMES = {
    "numpy": ["numpy.ndarray"],
    "scipy": ["scipy.optimize.minimize"],
    "sklearn": [
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration.CalibrationDisplay",
        "sklearn.ensemble.AdaBoostClassifier",
        "sklearn.exceptions.ConvergenceWarning",
        "sklearn.inspection.DecisionBoundaryDisplay",
        "sklearn.linear_model.ElasticNet",
        "sklearn.linear_model.Lasso",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.linear_model.MultiTaskLasso",
        "sklearn.linear_model.RidgeClassifier",
        "sklearn.linear_model.SGDClassifier",
        "sklearn.model_selection.GridSearchCV",
        "sklearn.model_selection.LearningCurveDisplay",
        "sklearn.neighbors.NearestCentroid",
        "sklearn.pipeline.Pipeline",
        "sklearn.svm.LinearSVC",
        "sklearn.svm.SVC",
        "sklearn.svm.l1_min_c",
    ],
}


def write(folder: Path) -> dict[str, tuple]:
    """Write an inventory for each project into `folder`, and return the mapping for intersphinx."""
    folder.mkdir(exist_ok=True)
    mapping = {}
    for project, (url, page) in PROJECTS.items():
        lines = [
            f"{name} py:class 1 {page.format(name=name, module=name.rpartition('.')[0])} -"
            for name in NAMES.get(project, [])
        ]
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        file = folder / f"{project}.inv"
        file.write_bytes(head.encode() + zlib.compress("\n".join([*lines, ""]).encode()))
        mapping[project] = (url, (None, str(file)))
    return mapping
