"""Which columns a proximal Newton step looks at, and how strong the kinks are there.

From zero at once, the first steps bring in columns that leave again: which ones stay is found from strong kinks down to
those asked for. Where many thousands come in, this costs more than it spares, and steps by columns take them all.
"""

from __future__ import annotations

import math

import numpy as np

from ...objective.base import DIRECT_LIMIT
from .kept_hessian import KeptHessian
from .proximal_step import At, ProximalNewton
from .quadratic_model import written

_SHRINK, _STEPS = 0.1, 2
_SHRINK_SPARSE, _STEPS_SPARSE = 0.25, 1
"""What the kinks are multiplied by from one stage to the next, and Newton steps in a stage; of sparse rows, a look at
all columns costs less than a Hessian of some."""

_NEAR, _ASKED, _NEARLY_ASKED = 0.6, 1.0 - 1e-3, 0.93
"""Columns whose slope is this part of their kink are let in before the last stage, and in it. Of two classes, what is
nearly at its kink comes in as well: the next step may need it, and a proof then one more."""

_SLIGHTLY, _HELD = 1.2, 0.98
"""How many times more columns there may be in a working set of before, which is kept, and the part of their kink from
which on it has to hold them: what comes nearer at the end of a fit, comes in at once for certain."""

_FIRST, _GROWTH = 50, 2
"""Columns in a working set at least, and how many times those that are not zero. As many as √d cost no more in a
Hessian than a look at all d."""

_WEAK, _NEARLY = 1e3, 0.9
"""How many times its kink the slope of a column is that comes in for certain, and the part of such columns from which
on there is no path: the fit starts from that with squares."""

_LONG = 20_000
"""Rows up to which columns that fit in a working set are all taken."""

_WIDER = 2.0
"""How many times more columns than are wanted may be looked at where they are at hand already."""

_CROWD, _CROWDED_ROWS, _CROWDED_COLUMNS = 0.5, 1000, 1500
"""Columns beyond their kink at zero, for each row, from which on all that is asked of sparse rows is asked at once: a
round of descent over all of them then costs less than Hessians of working sets. Of 2,000 × 50,000, a fit takes 0.4 to
0.9 of the time with 0.9 to 15 of them for each row, and 1.2 of it with a tenth. And rows, and columns asked for, from
which on: of fewer, Hessians cost next to nothing. 300 × 4000, and 1000 × 1500, take twice as long at once."""


class WorkingSets:
    """Working sets of one minimisation.

    Parameters
    ----------
    whole : ProximalNewton
        F of all columns.

    Attributes
    ----------
    factor : float
        What the kinks are multiplied by, from strong ones down to 1.
    steps : int
        Newton steps on a working set that is a guess.
    at_once : bool
        Whether all that is asked for is asked from the start.
    rows : int
        Rows of the data, of which a sample has but a part.
    """

    long, first, asked = _LONG, _FIRST, _NEARLY_ASKED

    def __init__(self, whole: ProximalNewton) -> None:
        self._whole, self.factor, self.at_once = whole, math.inf, False
        sparse, self.rows = whole.objective.matrix.sparse, whole.objective.matrix.shape[0]
        self._shrink, self.steps = (_SHRINK_SPARSE, _STEPS_SPARSE) if sparse else (_SHRINK, _STEPS)
        self._kept: tuple[np.ndarray, ProximalNewton] | None = None
        # A Hessian of before misses the curvatures of now, which the dual variables of its model do not mind.
        self._keeps = sparse and whole.has_dual and not whole.penalty.grouped
        if whole.penalty.grouped or whole.objective.n_outputs > 1:
            self.asked = _ASKED  # their Hessians grow too large

    def nearly_all(self, here: At) -> bool:
        """Whether kinks are so weak beside the slopes at zero that next to no coefficient will be zero.

        Of two classes on dense rows, without bounds, where nothing is added to the decision values.
        """
        objective, penalty = self._whole.objective, self._whole.penalty
        if objective.n_outputs > 1 or objective.offset is not None or objective.matrix.sparse:
            return False
        if here.u.any() or penalty.bounded or penalty.shape[1] > DIRECT_LIMIT:
            return False
        weak = penalty.pull(here.u, self._whole.slopes(here.point)) >= _WEAK * penalty.kink
        return bool(np.count_nonzero(weak & (penalty.kink > 0.0)) >= _NEARLY * len(weak) > 0.0)

    def crowded(self, here: At) -> bool:
        """Whether so many columns of sparse rows are asked for at zero that a path would let them in for nothing."""
        objective, penalty = self._whole.objective, self._whole.penalty
        if objective.n_outputs > 1 or not objective.matrix.sparse or penalty.grouped or here.u.any():
            return False
        if self.rows < _CROWDED_ROWS:
            return False
        asked = penalty.pull(here.u, self._whole.slopes(here.point)) > penalty.kink
        return int(np.count_nonzero(asked)) > max(_CROWD * self.rows, _CROWDED_COLUMNS)

    def part(self, columns: np.ndarray) -> ProximalNewton:
        """The problem of some columns; that of before where they are the same."""
        whole, d = self._whole, self._whole.penalty.shape[1]
        if len(columns) == d:
            return whole
        if self._kept is None or not np.array_equal(self._kept[0], columns):
            kind = KeptHessian if self._keeps else ProximalNewton
            part = kind(whole.objective.columns(columns), whole.penalty.restricted(columns))
            part.has_dual = whole.has_dual
            self._kept = columns, part
        return self._kept[1]

    def columns(self, here: At) -> tuple[np.ndarray, bool]:
        """The columns to work on, and whether that is for less than all that is asked."""
        penalty, matrix = self._whole.penalty, self._whole.objective.matrix
        k, d = penalty.shape
        # Dual variables are nearer to those of the optimum than slopes are, and have been passed over already.
        pull = penalty.pull(here.u, self._whole.slopes(here.point if here.dual is None else here.dual.point))
        in_use = penalty.sums((here.u != 0.0).astype(float)) > 0.0
        asked = np.divide(pull, penalty.kink, out=np.zeros_like(pull), where=penalty.kink > 0.0)
        if math.isinf(self.factor):
            self.at_once |= self.crowded(here)
        if k > 1 and not written(matrix, penalty, k * d):
            # Steps by columns choose their entries, of each class its own. Not all at once: at zero a softmax is curved
            # but a little, and steps would go too far.
            self._lower(asked[~in_use])
            return np.arange(d), self.factor > 1.0
        score = np.where(in_use | ((penalty.kink == 0.0) & ~penalty.fixed), np.inf, asked)
        by_unit = np.zeros(int(penalty.unit.max(initial=-1)) + 1)
        np.maximum.at(by_unit, penalty.unit, score)
        columns = by_unit[penalty.unit_of_column]
        room = max(self.first // k, 0 if matrix.sparse else math.isqrt(d), _GROWTH * int(np.isinf(columns).sum()))
        if self.at_once or not written(matrix, penalty, k * room):
            # Descent by columns is cheap beside growing to so many step by step.
            self.factor = 1.0
            return self._wide(columns), False
        self._lower(asked[~in_use])
        cut = self.factor > 1.0
        if k * d <= _FIRST and matrix.shape[0] <= self.long:
            return np.arange(d), cut
        wanted = columns >= (_NEAR * self.factor if cut else self.asked)
        if wanted.sum() > room:
            cut = cut or int((columns >= _ASKED).sum()) > room
            wanted &= columns >= np.partition(columns[wanted], -room)[-room]
        found = np.flatnonzero(wanted)
        if not cut and self._kept is not None and len(self._kept[0]) <= _SLIGHTLY * len(found):
            # A few columns more cost less than another copy.
            needed = columns >= (_HELD if self._keeps else self.asked)
            needed[self._kept[0]] = False
            found = found if needed.any() else self._kept[0]
        return found, cut

    def _lower(self, asked: np.ndarray) -> None:
        """Kinks for the next stage, from what is asked of those of blocks that are zero."""
        # Never stronger than before, or steps that go too far would start anew.
        self.factor = max(1.0, min(self.factor, self._shrink * float(asked.max(initial=0.0))))

    def _wide(self, score: np.ndarray) -> np.ndarray:
        """All columns that may come in, or those of before where they hold all that do."""
        wanted = np.flatnonzero(score >= _NEAR)
        if self._kept is not None:
            kept, part = self._kept
            held = np.zeros(len(score), dtype=bool)
            held[kept] = True
            if not part.written and len(kept) <= _WIDER * len(wanted) and held[score >= self.asked].all():
                return kept
        return wanted
