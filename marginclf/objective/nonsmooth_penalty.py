"""A penalty with kinks and bounds: Σ_g kink_g ‖W_g‖ + ½ Σ quadratic W², and W within bounds, entry by entry.

Its entries lie block by block: a block is a group of coefficients, or one of them. All that solvers and proofs ask of
it is about a vector of entries ``u`` in this order.

A point proves something of its optimum by the conjugate. With g = −∂L/∂W, b at its minimum and 0 ≤ t ≤ 1,

    F − F* ≤ Σ (p(u) + p*(t g) − t g u) + (1 − t)(L − inf L),

since the dual variables of the rows, which are slopes of a convex loss that is bounded below, stay feasible when they
are multiplied by t, and their conjugate is convex. t is the largest at which p*(t g) is finite.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Self

import numpy as np


class NonsmoothPenalty:
    """Weights and bounds of K × d coefficients.

    Parameters
    ----------
    shape : tuple of int
        K and d.
    order : ndarray of int of shape (K d,)
        Where each entry lies in W.ravel(), block after block.
    starts : ndarray of int of shape (n_blocks + 1,)
        Where each block begins.
    kink : ndarray of shape (n_blocks,)
        Weight of the norm of each block.
    quadratic, lower, upper : ndarray of shape (K d,)
        Weight of half the square of each entry, and its bounds.
    unit : ndarray of int of shape (n_blocks,)
        Which blocks enter together: those with a column in common, of K classes.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        order: np.ndarray,
        starts: np.ndarray,
        kink: np.ndarray,
        quadratic: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        unit: np.ndarray,
    ) -> None:
        self.shape, self.order, self.starts, self.kink = shape, order, starts, kink
        self.quadratic, self.lower, self.upper, self.unit = quadratic, lower, upper, unit
        self.sizes = np.diff(starts)
        self.grouped = bool((self.sizes > 1).any())
        self.bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        kink: np.ndarray,
        quadratic: np.ndarray,
        group: np.ndarray | None,
        bounds: tuple[np.ndarray, np.ndarray] | None,
    ) -> Self:
        """From weights of features or groups, the group of each feature, and bounds of shape (K, d)."""
        k, d = shape
        entries = np.arange(k * d).reshape(k, d).T.ravel()  # column after column
        if group is None:
            order, starts = entries, np.arange(k * d + 1)
            kink, unit = np.repeat(kink, k), np.repeat(np.arange(d), k)
        else:
            by_group = np.argsort(np.repeat(group, k), kind="stable")
            order = entries[by_group]
            starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=len(kink)) * k)])
            unit = np.arange(len(kink))
        quadratic = np.broadcast_to(quadratic, shape).ravel()[order]
        low, high = (np.full(shape, -np.inf), np.full(shape, np.inf)) if bounds is None else bounds
        return cls(shape, order, starts, kink, quadratic, low.ravel()[order], high.ravel()[order], unit)

    def without(self, which: np.ndarray) -> NonsmoothPenalty:
        """The same with some of the entries held at zero."""
        lower, upper = np.where(which, 0.0, self.lower), np.where(which, 0.0, self.upper)
        order, starts, kink, quadratic = self.order, self.starts, self.kink, self.quadratic
        return NonsmoothPenalty(self.shape, order, starts, kink, quadratic, lower, upper, self.unit)

    def multiplied(self, factor: float) -> NonsmoothPenalty:
        """So many times this one, within the same bounds."""
        kink, quadratic = factor * self.kink, factor * self.quadratic
        return NonsmoothPenalty(self.shape, self.order, self.starts, kink, quadratic, self.lower, self.upper, self.unit)

    def vector(self, W: np.ndarray) -> np.ndarray:
        """The entries of a matrix (K, d), block after block."""
        entries = np.asarray(W).reshape(-1)
        return entries.copy() if self.in_order else entries[self.order]

    def matrix(self, u: np.ndarray) -> np.ndarray:
        """The matrix (K, d) of entries."""
        if self.in_order:
            return np.array(u, dtype=float).reshape(self.shape)
        found = np.empty(self.shape[0] * self.shape[1])
        found[self.order] = u
        return found.reshape(self.shape)

    @cached_property
    def smooth_conjugate(self) -> bool:
        """Whether each entry has squares and no bounds: its conjugate is (|g| − kink)₊² / (2 quadratic)."""
        return not (self.grouped or self.bounded) and bool((self.quadratic > 0.0).all())

    @cached_property
    def in_order(self) -> bool:
        """Whether the entries are the coefficients of one class, as they lie, each a block."""
        return self.shape[0] == 1 and not self.grouped and bool((np.diff(self.order) == 1).all())

    @cached_property
    def columns(self) -> np.ndarray:
        """The column of each entry."""
        return self.order % self.shape[1]

    @cached_property
    def unit_of_column(self) -> np.ndarray:
        found = np.empty(self.shape[1], dtype=int)
        found[self.columns] = np.repeat(self.unit, self.sizes)
        return found

    def restricted(self, columns: np.ndarray) -> NonsmoothPenalty:
        """For some of the columns, in rising order, which hold whole blocks."""
        if self.in_order:
            return self.of_entries(columns)
        where = np.full(self.shape[1], -1)
        where[columns] = np.arange(len(columns))
        inside = where[self.columns] >= 0
        blocks = inside[self.starts[:-1]]
        k, d = self.shape
        order = self.order[inside] // d * len(columns) + where[self.columns[inside]]
        starts = np.concatenate([[0], np.cumsum(self.sizes[blocks])])
        _, unit = np.unique(self.unit[blocks], return_inverse=True)
        quadratic, lower, upper = self.quadratic[inside], self.lower[inside], self.upper[inside]
        return NonsmoothPenalty((k, len(columns)), order, starts, self.kink[blocks], quadratic, lower, upper, unit)

    def of_entries(self, which: np.ndarray) -> NonsmoothPenalty:
        """For some of the entries, which are blocks, as those of one class."""
        m = len(which)
        quadratic, lower, upper = self.quadratic[which], self.lower[which], self.upper[which]
        starts = np.arange(m + 1)
        return NonsmoothPenalty((1, m), starts[:-1], starts, self.kink[which], quadratic, lower, upper, starts[:-1])

    def norms(self, u: np.ndarray) -> np.ndarray:
        """‖u_g‖ of each block."""
        return np.sqrt(self.sums(u * u)) if self.grouped else np.abs(u)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over each block."""
        return np.add.reduceat(values, self.starts[:-1]) if self.grouped and len(values) else values

    def value(self, u: np.ndarray, factor: float = 1.0) -> float:
        """With the kinks multiplied by a factor."""
        return factor * float(self.kink @ self.norms(u)) + 0.5 * float(u @ (self.quadratic * u))

    @cached_property
    def room(self) -> np.ndarray:
        """How far each entry may be from 0 to either side; infinite without bounds."""
        return np.minimum(-self.lower, self.upper)

    def clipped(self, u: np.ndarray) -> np.ndarray:
        """The nearest entries within the bounds."""
        return np.clip(u, self.lower, self.upper) if self.bounded else u

    @cached_property
    def unpenalised(self) -> np.ndarray:
        """Which entries have neither kink nor square."""
        return (np.repeat(self.kink, self.sizes) == 0.0) & (self.quadratic == 0.0)

    @cached_property
    def unheld(self) -> np.ndarray:
        """Which of these may grow without bound to a side: for a proof, their slope has to be zero there."""
        return self.unpenalised & ~(np.isfinite(self.lower) & np.isfinite(self.upper))

    def free(self, u: np.ndarray) -> np.ndarray:
        """Which entries move like intercepts: nothing penalises them, and they are at no bound."""
        return self.unpenalised & (u > self.lower) & (u < self.upper)

    @cached_property
    def fixed(self) -> np.ndarray:
        """Which blocks the bounds keep at zero."""
        return self.sums(np.maximum(np.abs(self.lower), np.abs(self.upper))) == 0.0

    @cached_property
    def holds_zero(self) -> bool:
        """Whether the bounds let every coefficient be zero."""
        return bool((self.lower <= 0.0).all() and (self.upper >= 0.0).all())

    @cached_property
    def bounds_everything(self) -> bool:
        """Whether each entry has squares or two bounds that hold it, whatever its slope."""
        return bool(((self.quadratic > 0.0) | (np.isfinite(self.lower) & np.isfinite(self.upper))).all())

    def pull(self, u: np.ndarray, g: np.ndarray) -> np.ndarray:
        """What pulls at each block whose norm is zero, as an amount of its kink; for the others, as at a move of u.

        Of a block with u = 0 it is ‖g‖ without what a bound at 0 holds: at the optimum its kink at most.
        """
        g = g - self.quadratic * u
        if self.bounded:
            g = np.where((u >= self.upper) & (g > 0.0), 0.0, np.where((u <= self.lower) & (g < 0.0), 0.0, g))
        return self.norms(g)

    def proof(self, u: np.ndarray, g: np.ndarray, noise: np.ndarray, above: float = math.inf) -> tuple[float, float]:
        """t, and the sum over entries of p(u) + p*(t g) − t g u.

        Parameters
        ----------
        u, g : ndarray of shape (m,)
            Entries and −∂L/∂W.
        noise : ndarray of shape (m,)
            What rounding may leave of entries of g that have to be zero.
        above : float, default=inf
            L − inf L: what a t below 1 costs. Where a slope above its kink can be left to a bound that is far from u, a
            smaller t may be the cheaper one.
        """
        if not self.grouped:
            # An entry that is zero, and whose slope its kink holds, adds nothing and limits nothing.
            telling = np.flatnonzero((u != 0.0) | (np.abs(g) > self.kink) | (self.kink == 0.0))
            if 2 * len(telling) < len(u):
                return self.of_entries(telling).proof(u[telling], g[telling], noise[telling], above)
        found = self._proof(u, g, noise, far=True)
        if self.bounded and math.isfinite(above):
            other = self._proof(u, g, noise, far=False)
            found = min(found, other, key=lambda it: it[1] + (1.0 - it[0]) * above)
        return found

    def _proof(self, u: np.ndarray, g: np.ndarray, noise: np.ndarray, *, far: bool) -> tuple[float, float]:
        if self.smooth_conjugate:
            over = np.maximum(np.abs(g) - self.kink, 0.0)
            each = self.kink * np.abs(u) + (0.5 * self.quadratic * u - g) * u + 0.5 * over * over / self.quadratic
            return 1.0, float(np.maximum(each, 0.0).sum())
        outside, on_bound = self._split(u, g, far=far)
        inner = g - outside
        # What has to be zero is, up to rounding; what is left there is counted by whoever asks.
        kink = np.repeat(self.kink, self.sizes)
        held = (kink == 0.0) & (self.quadratic == 0.0)
        inner = np.where(held & (np.abs(inner) <= noise), 0.0, inner)
        square = self.quadratic > 0.0
        norms = self.norms(np.where(square, 0.0, inner))
        t = 1.0
        over = norms > self.kink
        if over.any():
            t = float((self.kink[over] / norms[over]).min())
        if not square.any():
            total = float(self.kink @ self.norms(u)) + t * float(on_bound.sum()) - t * float((inner + outside) @ u)
        else:  # each entry is a block
            flat = kink * np.abs(u) + t * on_bound - t * (inner + outside) * u
            total = float(np.where(square, self._squares(u, t * g), np.maximum(flat, 0.0)).sum())
        return t, max(total, 0.0)

    def _split(self, u: np.ndarray, g: np.ndarray, *, far: bool) -> tuple[np.ndarray, np.ndarray]:
        """The part of g that bounds hold, and what the conjugate of the bounds makes of it.

        It may be anything that points to a finite bound: what is left has to be of the norm of the kink at most, and
        costs nothing. At the optimum it is what points out of a bound that is reached; ``far`` is for others as well.
        """
        if not self.bounded:
            zero = np.zeros(len(u))
            return zero, zero
        norms, kink = np.repeat(self.norms(u), self.sizes), np.repeat(self.kink, self.sizes)
        left = g - np.divide(kink * u, norms, out=np.zeros_like(u), where=norms > 0.0)
        outside = np.where(((u >= self.upper) & (left > 0.0)) | ((u <= self.lower) & (left < 0.0)), left, 0.0)
        if far:
            outside = self._with_far_bounds(u, g, left, outside)
        bound = np.where(outside > 0.0, self.upper, self.lower)
        return outside, np.multiply(outside, bound, out=np.zeros_like(u), where=outside != 0.0)

    def _with_far_bounds(self, u: np.ndarray, g: np.ndarray, left: np.ndarray, outside: np.ndarray) -> np.ndarray:
        norms, kink = np.repeat(self.norms(u), self.sizes), np.repeat(self.kink, self.sizes)
        size = np.repeat(self.norms(g - outside), self.sizes)
        # Too much is left: of a block that is zero as a whole the part above the kink, elsewhere what adds to it.
        ahead = (size > kink) & (outside == 0.0) & ((norms == 0.0) | (left * u > 0.0) | (kink == 0.0))
        ahead &= np.isfinite(np.where(left > 0.0, self.upper, self.lower))
        beyond = 1.0 - np.divide(kink, size, out=np.ones_like(u), where=(norms == 0.0) & (size > kink))
        return np.where(ahead, np.where(norms == 0.0, beyond, 1.0) * left, outside)

    def _squares(self, u: np.ndarray, g: np.ndarray) -> np.ndarray:
        """p(u) + p*(g) − g u of the entries that have squares, by the conjugate itself."""
        kink = np.repeat(self.kink, self.sizes)
        shrunk = np.sign(g) * np.maximum(np.abs(g) - kink, 0.0)
        best = np.divide(shrunk, self.quadratic, out=np.zeros_like(u), where=self.quadratic > 0.0)
        best = np.clip(best, self.lower, self.upper)

        def inside(x: np.ndarray) -> np.ndarray:
            return kink * np.abs(x) + 0.5 * self.quadratic * x * x - g * x

        found: np.ndarray = np.maximum(inside(u) - inside(best), 0.0)
        return found
