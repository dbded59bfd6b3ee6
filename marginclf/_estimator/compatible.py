"""Which losses, penalties and solvers go together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..losses import MarginLoss


def check_compatible(loss: MarginLoss, C: float, solver: str, *, given: Any) -> None:
    """That the loss has an optimum at this C which the solver can find.

    Parameters
    ----------
    loss : MarginLoss
        φ.
    C : float
        Inverse strength of the penalty.
    solver : str
        What was asked for.
    given : str or MarginLoss
        The loss as the user gave it, for the message.

    Raises
    ------
    ValueError
        If not.
    """
    if np.isinf(C) and loss.affine:
        raise ValueError(
            f"C=inf with loss={given!r}: the loss is unbounded below and only a penalty gives it an optimum; "
            "use a finite C"
        )
    if np.isinf(C) and not loss.smooth:
        raise ValueError(
            f"C=inf with loss={given!r}: without a penalty its optimum is that of a linear program, which need not be "
            "unique; use a finite C"
        )
    if solver == "lbfgs" and not loss.smooth:
        raise ValueError(
            f"solver='lbfgs' with loss={given!r}: the loss has a kink, at which L-BFGS can stop before it "
            "reaches the optimum; use solver='auto', 'dual' or 'newton'"
        )
    if solver == "dual" and not (loss.convex and np.isfinite(C)):
        why = "the loss is not convex" if not loss.convex else "C=inf is no penalty"
        raise ValueError(
            f"solver='dual' cannot be used with loss={given!r} and C={C!r}, because {why}; use solver='auto'"
        )
