"""Elementary functions in float64 that vectorise inside a loop: no libm, no branches, no tables.

A plain loop over one of them compiles to vector instructions, on its own or inlined into a caller's loop. A
scalar call, also from plain Python, runs the same formula. NaN propagates everywhere.

Every polynomial was fitted for this file by Remez's exchange in 240-bit arithmetic; the errors given beside
them are those of the polynomial with its coefficients rounded to float64. The accuracies in the docstrings
are the largest errors against mpmath at random points, in units in the last place (ulp) of the result,
measured with AVX-512; with AVX2 they are the same, without fma at most 0.1 ulp larger.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .cache import inner

# Only `contract`. Adding 1.5 * 2**52 and taking it away again rounds to an integer, (a - high) + b recovers a
# rounding error; `reassoc` with `nsz` simplifies both away, and exp is silently wrong in its first digit. The
# same happens where the source is inlined into a caller that has them, as inline="always" does; `forceinline`
# inlines in LLVM, where every instruction keeps the flags it has here, so that any caller is safe.
# `contract` cannot hurt: wherever a rounding error is recovered, the product in it is exact.
# error_model="numpy", because a check for division by zero is a branch and stops vectorisation.
_HOW = {"fastmath": {"contract"}, "error_model": "numpy", "forceinline": True}
_elementary = njit(no_cfunc_wrapper=True, **_HOW)
_part = inner(**_HOW)

_LOG2E = 1.4426950408889634
# 42 bits, so that its product with an integer below 2**11 is exact; the rest is in _LN2_LOW.
_LN2_HIGH = 0.6931471805598903
_LN2_LOW = 5.497923018708371e-14
# Rounds to an integer k and leaves k + 2046, twice the exponent bias and hence positive, in the lowest bits.
_ROUND = 1.5 * 2.0**52 + 2046.0
# Where exp is 0 and inf for certain, yet 2**k is still a product of two float64.
_EXP_LEAST = -746.0
_EXP_MOST = 710.0

# Clears 27 bits and leaves 26: products of two such numbers are exact.
_HIGH_HALF = -(1 << 27)
_MAGNITUDE = 0x7FFFFFFFFFFFFFFF
_FRACTION = 0x000FFFFFFFFFFFFF
_ONE_BITS = 0x3FF0000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
# An integer in the fraction of 2**52 reads as 2**52 + integer: AVX2 has no instruction for that conversion.
_TWO52 = 2.0**52
_TWO52_BITS = 0x4330000000000000

_SMALLEST_NORMAL = 2.0**-1022
_INF = float("inf")
_NAN = float("nan")
_THIRD = 0.3333333333333333
_THIRD_LOW = 1.850371707708594e-17


@intrinsic
def _bits(typingctx, x):
    """The 64 bits of a float64 as an int64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _float(typingctx, bits):
    """The float64 with the 64 bits of an int64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@_part
def _high(x):
    """The leading 26 bits of x; x - _high(x) is exact."""
    return _float(_bits(x) & _HIGH_HALF)


@_part
def _exp_remainder(r):
    """(e**r - 1 - r) / r**2 for abs(r) <= log(2)/2, error 9.2e-19 relative to e**r - 1."""
    # Pairs in place of Horner's rule: a loop waits for the latency of the longest chain.
    r2 = r * r
    r4 = r2 * r2
    a = (0.5 + r * 0.16666666666666677) + r2 * (0.04166666666666651 + r * 0.008333333333321691)
    b = 0.0013888888888962335 + r * 0.00019841269885967502
    b += r2 * (2.480158717258517e-05 + r * 2.7557244372725135e-06)
    c = (2.75574026131402e-07 + r * 2.5108979358977337e-08) + r2 * 2.0875337194376873e-09
    return a + r4 * (b + r4 * c)


@_part
def _exp_of_sum(high, low):
    """e**(high + low) for _EXP_LEAST <= high <= _EXP_MOST and abs(low) < 1e-4."""
    shifted = high * _LOG2E + _ROUND
    k = shifted - _ROUND
    r_high = high - k * _LN2_HIGH
    r_low = low - k * _LN2_LOW
    r = r_high + r_low
    fraction = 1.0 + (r_high + (r_low + r * r * _exp_remainder(r)))
    # k runs from -1076 to 1024, beyond one exponent. The first product is exact, so a subnormal rounds once.
    twice_biased = _bits(shifted)
    half = twice_biased >> 1
    return fraction * _float(half << 52) * _float((twice_biased - half) << 52)


@_elementary
def exp(x):
    """e**x.

    Domain: all x. exp(-inf) = 0, exp(inf) = inf; overflow gives inf, underflow is gradual.

    Accuracy: 0.87 ulp (100,000 points in [-708.3, 709.78], 100,000 in [-2, 2]); 0.73 ulp where the result is
    subnormal (10,000 points).

    Method: x = k log 2 + r with abs(r) <= log(2)/2 and r in two parts (Cody, Waite, "Software Manual for the
    Elementary Functions", 1980; Tang, ACM TOMS 15(2), 1989), then a minimax polynomial in r.
    """
    x = _EXP_LEAST if x < _EXP_LEAST else x
    x = _EXP_MOST if x > _EXP_MOST else x
    return _exp_of_sum(x, 0.0)


@_elementary
def expm1(x):
    """e**x - 1, without cancellation near 0.

    Domain: all x. expm1(-inf) = -1, expm1(inf) = inf; overflow gives inf; expm1(-0.0) is +0.0.

    Accuracy: 0.92 ulp for x <= 0 (100,000 points in [-40, 0], 100,000 in [-1.1, 0], 50,000 down to -1e-307);
    1.64 ulp for x > 0, the worst at 0.36 (150,000 points up to 709.78).

    Method: e**x - 1 = 2**k (e**r - 1) + (2**k - 1), with k and r as in `exp` (Tang, ACM TOMS 18(2), 1992).
    """
    # At -40 the result is -1 to the last bit, and above it 2**k needs no second factor.
    x = -40.0 if x < -40.0 else x
    x = _EXP_MOST if x > _EXP_MOST else x
    shifted = x * _LOG2E + _ROUND
    k = shifted - _ROUND
    r_high = x - k * _LN2_HIGH
    r_low = -k * _LN2_LOW
    r = r_high + r_low
    near = r_high + (r_low + r * r * _exp_remainder(r))
    # 2**(k - 1), doubled at the end, since 2**1024 overflows. For k = 0 that would round a subnormal.
    scale = _float((_bits(shifted) - 1024) << 52)
    return near if k == 0.0 else 2.0 * (scale * near + (scale - 0.5))


@_elementary
def log1p(t):
    """log(1 + t), without rounding 1 + t.

    Domain: 0 <= t <= 1. Outside the result is wrong, not NaN.

    Accuracy: 1.27 ulp (200,000 points in [0, 1], 100,000 down to 1e-307).

    Method: with s = t/(2 + t), log(1 + t) = 2 artanh(s) = t - (t**2/2 - s (t**2/2 + R(s**2))). So t enters
    exactly, and what s and R lose in rounding is multiplied by s <= 1/3 (the arrangement of fdlibm's log).
    """
    s = t / (2.0 + t)
    z = s * s
    # R(z) = 2 artanh(s)/s - 2 for z <= 1/9, error 2.2e-18 relative to log(1 + t).
    tail = 0.12105066875653682 + z * (0.08344422602514637 + z * 0.17010802278120893)
    tail = 0.1818174442951401 + z * (0.15386549490786705 + z * (0.13301106445802668 + z * tail))
    tail = 0.285714285480975 + z * (0.22222223954991158 + z * tail)
    tail = z * (0.6666666666666631 + z * (0.40000000000155267 + z * tail))
    half_square = 0.5 * t * t
    return t - (half_square - s * (half_square + tail))


@_elementary
def power(x, p):
    """x**p = e**(p log x).

    Domain: x >= 0, subnormal x included, and any finite p. x = 0 and x = inf give 0, 1 or inf by the sign of
    p; x < 0 and x = NaN give NaN, even for p = 0. Overflow gives inf, underflow is gradual.

    Accuracy: 0.88 ulp where the result is normal (425,000 points: x from 5e-324 to 1e308, as near to 1 as
    1e-15, p log x from -708 to 709). A result that is a float64, as for p = 1, is that float64.

    Method: an absolute error in p log x, which reaches 745, is a relative error of the result, so log x needs
    some 11 bits more than a float64. x = 2**e m with m in [sqrt(1/2), sqrt(2)), s = (m - 1)/(m + 1) and
    log m = 2 artanh(s) = 2 s (1 + s**2 (1/3 + s**2 Q(s**2))), everything but Q in two parts (Dekker,
    Numerische Mathematik 18, 1971; Tang, ACM TOMS 16(4), 1990). The parts are cut by bit masks, so that the
    products of high parts are exact with or without fma.
    """
    subnormal = x < _SMALLEST_NORMAL
    scaled = x * 2.0**54 if subnormal else x
    bias = _TWO52 + 1077.0 if subnormal else _TWO52 + 1023.0
    bits = _bits(scaled) + (_ONE_BITS - _SQRT_HALF_BITS)
    e = _float((bits >> 52) | _TWO52_BITS) - bias
    m = _float((bits & _FRACTION) + _SQRT_HALF_BITS)

    numerator = m - 1.0
    denominator = m + 1.0
    inverse = 1.0 / denominator
    d_high = _high(denominator)
    d_low = m - (d_high - 1.0)
    s_high = _high(numerator * inverse)
    s_low = ((numerator - s_high * d_high) - s_high * d_low) * inverse
    s = s_high + s_low

    square = s_high * s_high
    square_low = s_low * (s_high + s)
    z = square + square_low
    z_high = _high(z)
    z_low = (square - z_high) + square_low

    # Q(z) for z <= 0.02944, error 1.1e-20 relative to log m.
    z2 = z * z
    q = (0.1999999999999999 + z * 0.14285714285722556) + z2 * (0.11111111108768268 + z * 0.09090909435153198)
    q_end = 0.07692278435759989 + z * 0.06668158700440462
    q_end += z2 * (0.05837409416785122 + z * 0.05994505397267301)
    a = z * (q + z2 * z2 * q_end)
    a_high = _high(_THIRD + a)
    a_low = (_THIRD - a_high) + (a + _THIRD_LOW)
    b_first = z_high * a_high
    b_rest = z * a_low + z_low * a_high
    b = b_first + b_rest
    b_high = _high(b)
    b_low = (b_first - b_high) + b_rest

    # log x = e log 2 + 2 s (1 + b). The largest terms go first below, so that they cancel exactly.
    first = e * _LN2_HIGH
    second = 2.0 * s_high
    third = second * b_high
    rest = 2.0 * (s_low + (s_low * b + s_high * b_low)) + e * _LN2_LOW
    log_high = _high(first + (second + (third + rest)))
    log_low = (((first - log_high) + second) + third) + rest
    # Finite in place of -inf and inf, so that p = 0 gives 1.
    log_high = -1e30 if x == 0.0 else log_high
    log_high = 1e30 if x == _INF else log_high

    p_high = _high(p)
    y = p_high * log_high
    y_low = p * log_low + (p - p_high) * log_high
    under = y < _EXP_LEAST
    over = y > _EXP_MOST
    y = _EXP_LEAST if under else y
    y = _EXP_MOST if over else y
    y_low = 0.0 if under or over else y_low
    result = _exp_of_sum(y, y_low)
    return result if x >= 0.0 else _NAN


@_elementary
def arctan(x):
    """arctan(x), in radians.

    Domain: all x. arctan(inf) = pi/2, arctan(-inf) = -pi/2, arctan(-0.0) = -0.0.

    Accuracy: 1.37 ulp, the worst at 0.51 (100,000 points in [-5, 5], 100,000 in [0.45, 0.7], 50,000 in
    [1.8, 2.2], 50,000 from 1e-300 to 1e300).

    Method: arctan(a) = arctan(c) + arctan((a - c)/(1 + a c)) for a = abs(x), with c = 0 up to 1/2, c = 1 up
    to 2 and c = inf above, arctan(c) in two parts (Muller, "Elementary Functions", 3rd ed., 2016).
    """
    bits = _bits(x)
    magnitude = _float(bits & _MAGNITUDE)
    # 1/2, because from there on magnitude - 1 is exact as long as it matters.
    middle = magnitude > 0.5
    large = magnitude > 2.0
    numerator = magnitude - 1.0 if middle else magnitude
    numerator = -1.0 if large else numerator
    denominator = magnitude + 1.0 if middle else 1.0
    denominator = magnitude if large else denominator
    base = 0.7853981633974483 if middle else 0.0
    base = 1.5707963267948966 if large else base
    base_low = 3.061616997868383e-17 if middle else 0.0
    base_low = 6.123233995736766e-17 if large else base_low
    w = numerator / denominator
    z = w * w
    # arctan(w)/w - 1 for z <= 1/4, error 4.2e-18 relative to arctan(w).
    z2 = z * z
    z4 = z2 * z2
    c0 = -0.3333333333333298 + z * 0.19999999999903068
    c0 += z2 * (-0.14285714276381847 + z * 0.11111110659447082)
    c1 = -0.09090896239672419 + z * 0.07692073828861773
    c1 += z2 * (-0.06663809724091957 + z * 0.05858292654897905)
    c2 = -0.051219771226623745 + z * 0.04186421824127945
    c2 += z2 * (-0.027433596081634655 + z * 0.010115881902093646)
    tail = z * (c0 + z4 * (c1 + z4 * c2))
    angle = base + w
    angle += (w - (angle - base)) + (w * tail + base_low)
    return _float(_bits(angle) | (bits & ~_MAGNITUDE))
