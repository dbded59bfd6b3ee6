"""One value and gradient of the logistic objective: marginclf's pass, scikit-learn's, and a BLAS product alone.

    python benchmarks/evaluation.py [--threads 1|all|both] [--repeats 30] [--fortran] [--float32] [--small]

Solvers differ in how many evaluations they need; this is what one costs. ``X @ w`` reads X once and does nothing else:
a fused pass can come near to it, two passes cannot. Columns are medians; ratios are marginclf over the other.
"""

from __future__ import annotations

import argparse

import numpy as np
from environment import in_each_setting, threads
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.linear_model._linear_loss import LinearModelLoss
from timing import duration, interleaved, markdown, median

from marginclf.losses import Logistic
from marginclf.matrix import design_matrix

_SHAPES = ((1_000_000, 20), (1_000_000, 5), (100_000, 100), (20_000, 1_000), (5_000, 5_000), (3_000, 3_000))


def row(n: int, d: int, arguments: argparse.Namespace) -> list[str]:
    rng = np.random.default_rng(10)
    X = rng.standard_normal((n, d), dtype=np.float32 if arguments.float32 else np.float64)
    if arguments.fortran:
        X = np.asfortranarray(X)
    y = rng.random(n) < 0.5
    w = rng.standard_normal(d) / d**0.5
    v = np.where(y, 1.0, -1.0)
    # Theirs is the mean over the rows, in the type of X throughout.
    theirs = LinearModelLoss(base_loss=HalfBinomialLoss(), fit_intercept=True)
    coefficients, target, narrow = np.append(w, 0.3).astype(X.dtype), y.astype(X.dtype), w.astype(X.dtype)
    with design_matrix(X, threads()) as matrix:
        loss = Logistic().compiled()
        gradient = matrix.evaluate(loss, v, w, 0.3)[1] / n
        expected = theirs.loss_gradient(coefficients, X, target, n_threads=threads())[1][:-1]
        np.testing.assert_allclose(gradient, expected, rtol=0.0, atol=1e-6)
        found = interleaved(
            {
                "ours": lambda: matrix.evaluate(loss, v, w, 0.3),
                "theirs": lambda: theirs.loss_gradient(
                    coefficients, X, target, l2_reg_strength=1.0 / n, n_threads=threads()
                ),
                "product": lambda: X @ narrow,
            },
            arguments.repeats,
        )
    ours, peer, product = (median(found[name]) for name in ("ours", "theirs", "product"))
    ratios = [f"{ours / peer:.2f}", f"{ours / product:.2f}"]
    return [f"{n:,} × {d:,}", duration(ours), duration(peer), duration(product), *ratios]


def main(arguments: argparse.Namespace) -> None:
    shrink = 20 if arguments.small else 1
    rows = [row(n // shrink, d, arguments) for n, d in _SHAPES]
    kind = f"{'float32' if arguments.float32 else 'float64'}, {'Fortran' if arguments.fortran else 'C'} order"
    print(markdown([kind, "marginclf", "scikit-learn", "X @ w", "ratio", "to X @ w"], rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--fortran", action="store_true", help="X in Fortran order")
    parser.add_argument("--float32", action="store_true", help="X in float32")
    parser.add_argument("--small", action="store_true", help="20 times fewer rows, to try the script")
    in_each_setting(main, parser)
