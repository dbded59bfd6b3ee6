"""All that Numba compiles, and that knows no loss by name. Imports nothing else of the package.

`elementary` the functions that losses are written with; `block` how a loss meets a kernel;
`rows` the passes over the rows of dense and CSR storage; `pointwise` what needs the decision values only;
`cache` compiled code on disk that can fail without making a fit fail.
"""
