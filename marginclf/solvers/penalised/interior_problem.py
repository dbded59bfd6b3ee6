"""The quadratic program of a loss of two lines, soft or not, and a separable penalty; what its points prove of F."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...objective import BinaryPoint, NonsmoothPenalty, Point, rounding_of_proof
from ..lines import Lines
from .interior_face import Face, balanced, nearest_face, to_face
from .interior_point import Columns, InteriorPoint, Rows
from .proximal_proof import certified
from .proximal_step import At, ProximalNewton

_LARGEST = 2500
"""Rows and columns of a face up to which its own point is solved for."""

_ROWS_EACH, _ROWS = 2, 50
"""Rows at the kink for each column of a face, and beside these, with more of which its point is not one by its rows:
where next to all coefficients are zero, those of a whole class are there."""


class Program:
    """Rows with weights, columns that may move, and points of them as points of F.

    Parameters
    ----------
    objective : Objective
        The losses, of two classes and two lines, without a penalty; or of such lines with the corner rounded off.
    penalty : NonsmoothPenalty
        What is added to them, without groups.
    lines : Lines
        Of the loss.
    least : float
        inf Σ C s φ.

    Attributes
    ----------
    soft : bool
        Whether the corner is rounded off.
    matrix : DesignMatrix
        X without rows whose weight is zero.
    movable : ndarray of int
        The columns that bounds leave a choice.
    kink : ndarray of shape (d,)
        Of the penalty at zero, also where bounds leave one side of it only.
    """

    def __init__(self, objective: Any, penalty: NonsmoothPenalty, lines: Lines, least: float) -> None:
        self.objective, self.penalty, self._lines, self._least = objective, penalty, lines, least
        self._whole, self.free = ProximalNewton(objective, penalty), bool(objective.fit_intercept)
        self._at_zero = float(objective.origin().value) if penalty.holds_zero else math.inf
        weights, self.matrix = objective.row_weights, objective.matrix
        self._counted = np.flatnonzero(weights > 0.0)
        if len(self._counted) < len(weights):
            self.matrix = self.matrix.take(self._counted)
        self._signs, self._weights = objective.signs[self._counted], weights[self._counted]
        self.soft = lines.softness > 0.0
        self._most = (lines.right - lines.left) * self._weights
        self._balance = lines.right * float(self._signs @ self._weights)
        self._size = np.sqrt(self.matrix.squared_product(self._weights) / self._weights.sum())
        self.kink, quadratic, lower, upper = (
            penalty.matrix(it)[0]
            for it in (np.repeat(penalty.kink, penalty.sizes), penalty.quadratic, penalty.lower, penalty.upper)
        )
        # Where bounds leave one sign, a kink at zero is a slope.
        sided = (lower >= 0.0) | (upper <= 0.0)
        slope = np.where(sided, np.where(lower >= 0.0, self.kink, -self.kink), 0.0)
        self.columns = Columns(np.where(sided, 0.0, self.kink), slope, quadratic, lower, upper)
        self.movable, self._fixed = np.flatnonzero(lower < upper), np.where(lower == upper, lower, 0.0)
        offset = self.matrix.product(self._fixed) if self._fixed.any() else np.zeros(len(self._counted))
        if not math.isfinite(lines.left):
            # No row of the optimum has a loss above F at some point, nor the slope that goes with it.
            w = np.clip(0.0, lower, upper)[None]
            above = float(objective.evaluate(objective.theta(w, 0.0)).value) + penalty.value(penalty.vector(w))
            above -= lines.value * objective.total
            self._most = 2.0 * np.sqrt(2.0 * above * self._weights / lines.softness)
        soft = lines.softness / self._weights
        self.rows = Rows(self._signs, self._weights, self._most, lines.right, lines.kink, soft, offset)

    def part(self, which: np.ndarray) -> Columns:
        """The terms of some columns."""
        return Columns(*(it[which] for it in self.columns))

    def value(self, run: InteriorPoint, which: np.ndarray) -> float:
        """F at an interior point, about."""
        u = run.u
        penalty = self.kink[which] @ np.abs(u) + 0.5 * self.columns.quadratic[which] @ (u * u)
        return float(self._lines.value * self.objective.total + self.rows.value(run.beyond) + penalty)

    def proven(self, face: Face, which: np.ndarray) -> tuple[Point, np.ndarray]:
        """The point of F with its duality gap, and its multipliers −φ'."""
        objective, penalty, lines, signs = self.objective, self.penalty, self._lines, self.objective.signs
        w = self._fixed.copy()
        w[which] = face.u
        w = np.clip(w, self.columns.lower, self.columns.upper)
        alpha = np.zeros(len(signs))
        alpha[self._counted] = face.alpha - lines.right * self._weights
        z, theta = objective.matrix.product(w), objective.theta(w, 0.0)
        theta[-1] = objective.best_intercept(z, face.b)
        gradient = objective.theta(-objective.matrix.transposed_product(signs * alpha), 0.0)
        gradient[-1] = -float(signs @ alpha) if self.free else 0.0
        point = BinaryPoint(objective, theta, intercept_minimised=True, z=z, gradient=gradient)
        # Row by row, what φ is above its tangent of slope −α.
        margins, loss = signs * (z + theta[-1]), point.loss_value
        beyond = margins - lines.kink
        beyond[self._counted] += 0.5 * self.rows.soft * alpha[self._counted]
        slack = max(loss - lines.value * objective.total + float(alpha @ beyond), 0.0)
        slack += rounding_of_proof(objective, theta, margins, alpha, loss, slack)
        u = penalty.vector(w[None])
        at = At(point, u, loss + penalty.value(u))
        found = certified(self._whole, at, self._least, self._at_zero, provable=True, dual=(loss, slack))
        weights = objective.row_weights
        return found, np.divide(alpha, weights, out=np.zeros_like(alpha), where=weights > 0.0)

    def at_zero(self) -> tuple[Point, np.ndarray] | None:
        """Zero, where it is proven by multipliers that are the same for all rows of a class.

        With b, those of the class of less weight are the largest that there are.
        """
        if not self.penalty.holds_zero or self._fixed.any():
            return None
        lines, weights, first = self._lines, self._weights, self._signs > 0.0
        if self.free:
            totals = np.maximum([weights[~first].sum(), weights[first].sum()], 1e-300)
            slopes = lines.left * np.minimum(totals[::-1] / totals, 1.0)
        else:
            slopes = np.full(2, self.objective.loss.evaluate([0.0])[1][0])
        alpha = np.clip((lines.right - slopes[first.astype(int)]) * weights, 0.0, self._most)
        none = np.zeros(0, dtype=int)
        face = Face(np.zeros(0), 0.0, alpha, none.astype(bool), first)
        point, multipliers = self.proven(face, none)
        return (point, multipliers) if point.bound == 0.0 else None

    def faces(self, run: InteriorPoint, which: np.ndarray, part: Any) -> list[Face]:
        """What an interior point tends to, and that face's own point if there is one.

        Parameters
        ----------
        run : InteriorPoint
            The point.
        which : ndarray of int
            Its columns.
        part : DesignMatrix
            The same.
        """
        face = nearest_face(run, self._most, self.kink[which], self._size[which])
        face = balanced(face, self._signs, self._most, self._balance if self.free else None)
        at, inner = np.flatnonzero(face.rows), np.flatnonzero(face.columns)
        if not 0 < len(at) + len(inner) <= _LARGEST or len(at) > _ROWS_EACH * len(inner) + _ROWS:
            return [face]
        columns, rows, signs = self.part(which), self.rows, self._signs
        X = np.empty((len(at), len(which)))
        part.take(at).copy_rows(slice(0, len(at)), X)
        slopes = columns.quadratic * face.u + columns.slope + columns.kink * np.sign(face.u)
        slopes -= part.transposed_product(signs * (face.alpha - rows.right * rows.weights))
        lacking = rows.kink - signs[at] * (X @ face.u + face.b + rows.offset[at]) - rows.soft[at] * face.alpha[at]
        surplus = float(signs @ face.alpha) - self._balance if self.free else None
        size, quadratic = self._size[which][inner], columns.quadratic[inner]
        change = to_face(X[:, inner], signs[at], size, quadratic, rows.soft[at], (slopes[inner], surplus, lacking))
        if change is None:
            return [face]
        u, alpha = face.u.copy(), face.alpha.copy()
        u[inner] += change[0]
        alpha[at] = np.clip(alpha[at] + change[2], 0.0, self._most[at])
        return [face._replace(u=u, b=face.b + change[1], alpha=alpha), face]
