"""Fits with kinks and bounds: proximal Newton steps, and what is faster where it suits, chosen in :mod:`.choice`.

What a step minimises is a quadratic model (``quadratic_model``, ``column_model``, ``joint_column_model``), on working
sets of the columns (``working_sets``). ``proximal_step`` takes one step, ``proximal_newton`` all of them, and
``proximal_proof`` says what is proven. Little data goes to a compiled loop (``proximal_loop``) and weak kinks
(``weak_kinks``) to ``quasi_newton``, or of many classes to ``orthant_newton``; large dense data begins with parts of it
(``dense_columns``); a loss of two lines begins with interior points (``interior_point``).
"""

from .choice import solve_penalised

__all__ = ["solve_penalised"]
