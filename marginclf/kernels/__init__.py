"""All that Numba compiles, and that knows no loss by name. Imports nothing else of the package.

`elementary` the functions that losses are written with; `block` how a loss meets a kernel; `dense` and `csr` the rows
of a storage; `rows` the passes over them; `gram` the Hessian of narrow data; `line` exact minimisation on stored
decision values; `cache` compiled code on disk that can fail without making a fit fail.
"""
