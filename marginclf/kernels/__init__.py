"""All that Numba compiles, and that knows no loss by name. Imports nothing else of the package.

`pipeline` how Numba compiles all of it, `view` arrays over pointers; `elementary` the functions that losses are
written with; `block` how a loss meets a kernel, `storage` how the rows do; `dense` and `csr` one storage each;
`rows` the passes over them, `classes` those for one-vs-rest together, `joint` those of the joint margin; `gram` the
Hessian of narrow data; `line` exact minimisation on stored decision values; `ascent` and `joint_ascent` sweeps of
coordinate ascent, over rows in an array or as `packed` rewrites them; `cache` compiled code on disk that can fail
without making a fit fail.
"""
