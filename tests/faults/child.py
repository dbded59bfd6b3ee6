"""What a process of test_cache.py runs: ``python child.py SCENARIO``; the result is JSON on standard output.

A scenario is a few lines of Python that call the functions below and put what they find into ``report``.
"""

import errno
import json
import os
import pathlib
import sys
import warnings

warnings.simplefilter("always")
caught = warnings.catch_warnings(record=True).__enter__()
warnings.simplefilter("always")

import numpy as np  # noqa: E402

from marginclf.kernels import cache, rows  # noqa: E402
from marginclf.kernels.block import scratch  # noqa: E402
from marginclf.losses import Logistic, catalogue  # noqa: E402
from marginclf.matrix import design_matrix  # noqa: E402

X = design_matrix(np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0]])).rows
v, w = np.array([1.0, -2.0, 0.5]), np.array([0.3, -0.2])
report = {}


def warned():
    """The warnings since the last call."""
    messages = [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    caught.clear()
    return messages


def again():
    """Allow the one warning of a process once more."""
    cache._warned = False


def evaluate():
    address, parameters, _keep = Logistic().compiled()
    sums, gradients = np.empty((1, 3)), np.empty((1, 2))
    rows.evaluate(X["forward"], X["backward"], v, w, 0.1, address, parameters, 0, 1, 3, 256, scratch(), sums, gradients)
    return [*sums[0].tolist(), *gradients[0].tolist()]


def product(w=w):
    z = np.empty(3)
    rows.product(X["forward"], w, 0, 1, 3, 3, z)
    return z.tolist()


def transposed(function="backward"):
    gradients = np.empty((1, 2))
    rows.transposed_product(X[function], v, 0, 1, 3, 256, gradients)
    return gradients[0].tolist()


def hessian():
    sums, gradients = np.empty((1, 3)), np.empty((1, 2))
    rows.hessian_product(X["forward"], X["backward"], v, w, 0.1, 0, 1, 3, 256, scratch(), sums, gradients)
    return [float(sums[0, 0]), *gradients[0].tolist()]


def losses(*names):
    """Value, slope and curvature of losses at three margins; notes which of them were found compiled."""
    used = {name: catalogue()[name]() for name in names}
    report["hits of blocks"] = {name: loss.compiled().block.cache_hits for name, loss in used.items()}
    return {name: [a.tolist() for a in loss.evaluate([-1.0, 0.25, 1.5])] for name, loss in used.items()}


def everything(*names):
    """All kernels, and the losses of these names or all."""
    report["numbers"] = [evaluate(), product(), transposed(), hessian(), transposed("squares")]
    report["losses"] = losses(*(names or catalogue()))
    kernels = [rows.evaluate, rows.product, rows.transposed_product, rows.hessian_product]
    report["hits of kernels"] = sum(sum(k.stats.cache_hits.values()) for k in kernels)
    report["misses of kernels"] = sum(sum(k.stats.cache_misses.values()) for k in kernels)


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def half_written(path, content, write=pathlib.Path.write_bytes):
    write(path, content[:100])
    no_space()


def unreadable(path):
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def with_fault(owner, attribute, fault, use):
    """Result and warnings of ``use`` while a function of the system fails."""
    original = getattr(owner, attribute)
    setattr(owner, attribute, fault)
    try:
        return [use(), warned()]
    finally:
        setattr(owner, attribute, original)


def disk_faults():
    report["write"] = with_fault(pathlib.Path, "write_bytes", half_written, product)
    again()
    report["replace"] = with_fault(os, "replace", no_space, transposed)
    again()
    report["read"] = with_fault(pathlib.Path, "read_bytes", unreadable, hessian)
    # The first kernel again, for other types and with space on the disk: what failed is not tried twice.
    fixed = w.copy()
    fixed.flags.writeable = False
    product(fixed)


exec(sys.argv[1])
report["warnings at the end"] = warned()
print(json.dumps(report))
