"""Fits with kinks and bounds: proximal Newton steps, and what is faster where it suits, chosen in :mod:`.choice`.

What a step minimises is a quadratic model (``quadratic_model``, ``column_model``, ``joint_column_model``,
``block_column_model``), on working sets of the columns (``working_sets``). ``proximal_step`` takes one step,
``proximal_newton`` all of them, and ``proximal_proof`` says what is proven. Dense data of two classes goes to
compiled steps (``compiled_steps``), little of it at once (``proximal_loop``), more by working sets
(``compiled_sets``), large data by parts of it first (``dense_columns``). Weak kinks (``weak_kinks``) go to
``quasi_newton``, or of many classes to ``orthant_newton``; a loss that is flat beyond a margin may go to interior
points (``flat_losses``), one of two lines begins with them (``interior_point``).
"""

from .choice import solve_penalised

__all__ = ["solve_penalised"]
