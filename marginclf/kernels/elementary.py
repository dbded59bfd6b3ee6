"""Elementary functions in float64 that vectorise inside a loop: no libm, no branches, no tables.

A plain loop over one of them compiles to vector instructions, on its own or inlined into a caller's loop, and a
scalar call, also from plain Python, takes the same path. NaN propagates everywhere.

Methods: additive range reduction (Cody and Waite, *Software Manual for the Elementary Functions*, 1980; Tang,
ACM TOMS 15(2), 1989), minimax polynomials (Muller, *Elementary Functions*, 3rd ed. 2016, ch. 3), products and sums
in two doubles (Dekker, Numerische Mathematik 18, 1971). Every polynomial was fitted here by Remez's exchange in
240-bit arithmetic; the errors given beside them are those of the rounded coefficients. Accuracies in the docstrings
were measured against mpmath on x86-64 with AVX-512; AVX2 and a build without fma give the same to 0.1 ulp.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

# Only `contract`. Adding 1.5 * 2**52 and taking it away again rounds to an integer, and (a - high) + b recovers a
# rounding error; `reassoc` with `nsz` simplifies both to nothing, and exp is then wrong in the first digit without
# any error. `forceinline` inlines in LLVM, where each instruction keeps the flags it has here, so a caller with
# fastmath=True is safe; inline="always" would recompile this text under the caller's flags and is not.
# A fused multiply-add cannot hurt: wherever a rounding error is recovered, the product in it is exact.
# error_model="numpy", because the check for division by zero is a branch and stops vectorisation.
_elementary = njit(fastmath={"contract"}, error_model="numpy", forceinline=True)

_LOG2E = 1.4426950408889634
# 42 bits, so that its product with an integer below 2**11 is exact; the rest is in _LN2_LOW.
_LN2_HIGH = 0.6931471805598903
_LN2_LOW = 5.497923018708371e-14
# Rounds to an integer k and leaves k + 2046, twice the exponent bias and hence positive, in the lowest bits.
_ROUND = 1.5 * 2.0**52 + 2046.0
# Where exp is 0 and inf for certain, yet k still fits the two exponents of _exp_of_sum.
_EXP_LEAST = -746.0
_EXP_MOST = 710.0

# Clears 27 bits and leaves 26: products of two such numbers are exact.
_HIGH_HALF = -(1 << 27)
_MAGNITUDE = 0x7FFFFFFFFFFFFFFF
_FRACTION = 0x000FFFFFFFFFFFFF
_ONE_BITS = 0x3FF0000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
# An integer in the fraction of 2**52 reads as 2**52 + integer: a conversion that AVX2 lacks as an instruction.
_TWO52 = 2.0**52
_TWO52_BITS = 0x4330000000000000

_SMALLEST_NORMAL = 2.0**-1022
_LARGEST = 1.7976931348623157e308
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


@_elementary
def _high(x):
    """The leading 26 bits of x; x - _high(x) is exact."""
    return _float(_bits(x) & _HIGH_HALF)


@_elementary
def _exp_remainder(r):
    """(e**r - 1 - r) / r**2 for abs(r) <= log(2)/2."""
    # Error 9.2e-19 relative to e**r - 1. Pairs instead of Horner's chain: the latency of the chain is what a loop
    # waits for (0.3 ns a sample in logistic).
    r2 = r * r
    r4 = r2 * r2
    a = (0.5 + r * 0.16666666666666677) + r2 * (0.04166666666666651 + r * 0.008333333333321691)
    b = (0.0013888888888962335 + r * 0.00019841269885967502) + r2 * (
        2.480158717258517e-05 + r * 2.7557244372725135e-06
    )
    c = (2.75574026131402e-07 + r * 2.5108979358977337e-08) + r2 * 2.0875337194376873e-09
    return a + r4 * (b + r4 * c)


@_elementary
def _exp_of_sum(high, low):
    """e**(high + low) for _EXP_LEAST <= high <= _EXP_MOST and a low that is small beside 1."""
    shifted = high * _LOG2E + _ROUND
    k = shifted - _ROUND
    r_high = high - k * _LN2_HIGH
    r_low = low - k * _LN2_LOW
    r = r_high + r_low
    power_of_two = _bits(shifted)
    # 2**k in two factors, since k runs from -1076 to 1024; only the second product rounds, and only to a subnormal.
    half = power_of_two >> 1
    return (
        (1.0 + (r_high + (r_low + r * r * _exp_remainder(r))))
        * _float(half << 52)
        * _float((power_of_two - half) << 52)
    )


@_elementary
def exp(x):
    """e**x.

    Domain: all x. exp(-inf) = 0, exp(inf) = inf, overflow gives inf, underflow is gradual.

    Accuracy: @EXP@

    Method: x = k log 2 + r with abs(r) <= log(2)/2, the remainder r carried in two parts (Cody, Waite 1980; Tang 1989).
    """
    x = _EXP_LEAST if x < _EXP_LEAST else x
    x = _EXP_MOST if x > _EXP_MOST else x
    return _exp_of_sum(x, 0.0)


@_elementary
def expm1(x):
    """e**x - 1, without cancellation near 0.

    Domain: all x. expm1(-inf) = -1, expm1(inf) = inf, overflow gives inf, expm1(-0.0) is +0.0.

    Accuracy: @EXPM1@

    Method: e**x - 1 = 2**k (e**r - 1) + (2**k - 1), k and r as in `exp` (Tang, ACM TOMS 18(2), 1992).
    """
    # Below -40 the result is -1 to the last bit, and 2**k needs no second factor.
    x = -40.0 if x < -40.0 else x
    x = _EXP_MOST if x > _EXP_MOST else x
    shifted = x * _LOG2E + _ROUND
    k = shifted - _ROUND
    r_high = x - k * _LN2_HIGH
    r_low = -k * _LN2_LOW
    r = r_high + r_low
    # 2**(k - 1), doubled at the end: 2**1024 is not a number.
    scale = _float((_bits(shifted) - 1024) << 52)
    return 2.0 * (scale * (r_high + (r_low + r * r * _exp_remainder(r))) + (scale - 0.5))


@_elementary
def log1p(t):
    """log(1 + t), without rounding 1 + t.

    Domain: 0 <= t <= 1; beyond 1 the result is wrong, not NaN.

    Accuracy: @LOG1P@

    Method: with s = t/(2 + t), log(1 + t) = 2 artanh(s) = t - (t**2/2 - s (t**2/2 + R(s**2))): what s and R lose in
    rounding is multiplied by s <= 1/3, and t itself enters exactly (the arrangement of fdlibm's logarithm).
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
    """x**p.

    Domain: x >= 0, any finite p. power(0, p) and power(inf, p) are 0, 1 or inf by the sign of p; x < 0 and x = NaN
    give NaN, also for p = 0. Overflow gives inf, underflow is gradual.

    Accuracy: @POWER@

    Method: e**(p log x). An error in p log x is an error in the result, relative, and p log x reaches 745, so the
    logarithm needs 11 bits more than a double: x = 2**e m with m in [sqrt(1/2), sqrt(2)),
    log m = 2 artanh(s) = 2 s (1 + s**2 (1/3 + s**2 Q(s**2))) with s = (m - 1)/(m + 1), and everything but Q in two
    doubles, split by bit masks so that the products are exact with and without fma (Dekker 1971; Tang 1990,
    ACM TOMS 16(4)).
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

    # Q for z <= 0.02944, error 1.1e-20 relative to log m.
    z2 = z * z
    q = (0.1999999999999999 + z * 0.14285714285722556) + z2 * (0.11111111108768268 + z * 0.09090909435153198)
    q += (z2 * z2) * ((0.07692278435759989 + z * 0.06668158700440462) + z2 * (0.05837409416785122 + z * 0.05994505397267301))
    a = z * q
    a_high = _high(_THIRD + a)
    a_low = (_THIRD - a_high) + (a + _THIRD_LOW)

    b_first = z_high * a_high
    b_rest = z * a_low + z_low * a_high
    b = b_first + b_rest
    b_high = _high(b)
    b_low = (b_first - b_high) + b_rest

    # log x = e log 2 + 2 s (1 + b), largest terms first; the differences below cancel to exact small numbers.
    first = e * _LN2_HIGH
    second = 2.0 * s_high
    third = second * b_high
    rest = 2.0 * (s_low + (s_low * b + s_high * b_low)) + e * _LN2_LOW
    log_high = _high(first + (second + (third + rest)))
    log_low = (((first - log_high) + second) + third) + rest
    # Finite stand-ins for log(0) and log(inf), so that p = 0 still gives 1.
    log_high = -1e30 if x == 0.0 else log_high
    log_high = 1e30 if x > _LARGEST else log_high

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

    Domain: all x. arctan(+-inf) = +-pi/2, the sign of zero is kept.

    Accuracy: @ARCTAN@

    Method: arctan(a) = arctan(c) + arctan((a - c)/(1 + a c)) with c = 0, 1, inf for abs(x) up to 1/2, up to 2, above;
    arctan(c) in two doubles (Muller 2016, ch. 11). From 1/2 on a - 1 is exact.
    """
    bits = _bits(x)
    magnitude = _float(bits & _MAGNITUDE)
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
    c0 = (-0.3333333333333298 + z * 0.19999999999903068) + z2 * (-0.14285714276381847 + z * 0.11111110659447082)
    c1 = (-0.09090896239672419 + z * 0.07692073828861773) + z2 * (-0.06663809724091957 + z * 0.05858292654897905)
    c2 = (-0.051219771226623745 + z * 0.04186421824127945) + z2 * (-0.027433596081634655 + z * 0.010115881902093646)
    tail = z * (c0 + z4 * (c1 + z4 * c2))
    angle = base + w
    angle += (w - (angle - base)) + (w * tail + base_low)
    return _float(_bits(angle) | (bits & ~_MAGNITUDE))
