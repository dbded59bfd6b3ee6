"""
Text on disk, read back in parts
================================

Documentation strings of the scientific packages that are installed here are written to Parquet, read back with Dask,
hashed to columns partition by partition, and learned from: which package does a text belong to? Nothing in it needs all
of the text at once, and on a cluster (``distributed.Client``) the same lines run on all of its machines.
"""

# %%
# The text
# --------
# One row for each module, class and function that says what it does. The names of the packages are taken out.

import ast
import importlib.util
import re
import tempfile
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.metrics import ConfusionMatrixDisplay

from marginclf import MarginLinearClassifier

PACKAGES = ["numpy", "scipy", "sklearn"]
NAMES = re.compile(r"\b(numpy|np|scipy|scikit|sklearn|learn)\b", re.IGNORECASE)


def texts(package):
    """The documentation strings in the source of an installed package, without tests."""
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    for file in sorted(Path(folder).rglob("*.py"))[::2]:  # half of them are enough
        if "tests" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                if len(text) > 100:
                    yield {"text": NAMES.sub(" ", text), "package": package}


rows = pd.DataFrame([row for package in PACKAGES for row in texts(package)])
rows = rows.sample(frac=1.0, random_state=0).reset_index(drop=True)
folder = Path(tempfile.mkdtemp())
dd.from_pandas(rows[: len(rows) * 3 // 4], npartitions=6).to_parquet(folder / "train")
dd.from_pandas(rows[len(rows) * 3 // 4 :], npartitions=2).to_parquet(folder / "test")
print(rows["package"].value_counts().to_string())

# %%
# From Parquet to columns
# -----------------------
# Hashing keeps no vocabulary, so that each partition is turned into a sparse block by itself. The sizes of the blocks
# are not known beforehand, and need not be. ``persist`` keeps the blocks; where they are more than the memory holds,
# leave it out, and they are made again in every round.

COLUMNS = 1 << 12
hashing = HashingVectorizer(n_features=COLUMNS, stop_words="english", alternate_sign=False)


@dask.delayed
def hashed(partition):
    """A block of CSR."""
    return sparse.csr_array(hashing.transform(partition["text"]))


def columns(frame):
    """A lazy array with a block for each partition."""
    # Not optimised: small partitions would be read together, and no longer be those of the labels.
    blocks = [hashed(partition) for partition in frame.to_delayed(optimize_graph=False)]
    meta = sparse.csr_array((0, COLUMNS))
    return da.concatenate(
        [da.from_delayed(block, shape=(np.nan, COLUMNS), dtype=float, meta=meta) for block in blocks],
        allow_unknown_chunksizes=True,
    )


train, test = (dd.read_parquet(folder / name) for name in ("train", "test"))
X_train, X_test = columns(train).persist(), columns(test).persist()

# %%
# The fit
# -------
# The estimator is the same as ever. Its history counts the rounds: in each, the coefficients go out to all blocks, and
# sums come back.

model = MarginLinearClassifier("logistic", C=10.0, tol=1e-4, record_history=True)
model.fit(X_train, train["package"])
history = model.history_[0]
print(f"{history['passes'][-1]:.0f} rounds, proven within {model.suboptimality_[0]:.0e} of the optimum")
print(f"accuracy on the held-out quarter: {model.score(X_test, test['package']):.3f}")

# %%
# What is taken for what
# ----------------------
# Predictions are as lazy as the data, and have its chunks.

predicted = model.predict(X_test)
print(predicted)

# %%
# Computed, they are an array like any other.

ConfusionMatrixDisplay.from_predictions(
    test["package"].compute(), predicted.compute(), normalize="true", values_format=".0%", cmap="Blues", colorbar=False
)
plt.title("text of the held-out quarter")
plt.show()
