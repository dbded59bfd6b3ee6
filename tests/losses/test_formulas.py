"""Value, slope and curvature of every loss, against mpmath, over all margins that a double can hold."""

import numpy as np
import pytest
from references import KINKED, LOSS_CASES, LOSSES, condition, mp, reference, ulp

from marginclf.losses import Logistic, SmoothHinge, catalogue

QUANTITIES = ("value", "slope", "curvature")

# Losses that add a product to something: the compiled block may fuse the two and round once where Python
# rounds twice. Everywhere else the two must agree to the bit.
FUSED = {"tangent", "generalized_cross_entropy", "lum"}

# Margins at which a search over millions of them found the largest errors.
HARD = [2.0180200076194795e-06, 1.8929454112187374e-06, 4.777667364192862e-04, 1.1840134893582668e-04]


def margins(loss, seed=0):
    """Margins of both signs over all exponents, dense where exponentials live and around special ones."""
    rng = np.random.default_rng(seed)
    sizes = np.concatenate(
        [
            np.logspace(-300, 300, 121),
            10.0 ** rng.uniform(-4, 3.2, 300),
            10.0 ** rng.uniform(-300, 300, 60),
            # Where 1 + e^−m rounds to 1, and where e^±m leaves the normal numbers and the doubles.
            [36.0, 36.8, 354.0, 372.0, 708.0, 708.5, 709.78, 709.79, 744.0, 745.0, 746.0],
            HARD,
        ]
    )
    special = [0.0]
    for place in (*reference(loss).kinks, *reference(loss).zeros):
        place = float(place)
        for side in (-np.inf, np.inf):
            m = place
            for _ in range(4):
                special.append(m)
                m = np.nextafter(m, side)
        away = rng.choice([-1.0, 1.0], 40) * 10.0 ** rng.uniform(-16, 0, 40)
        special.extend(place + (1.0 + abs(place)) * away)
    return np.concatenate([sizes, -sizes, special])


def complaint(function, m, found):
    """What is wrong with ``found`` as the value of ``function`` at margin m; None if it is right."""
    exact = function(m)
    rounded = float(exact)
    if np.isinf(rounded):
        return None if found == rounded else f"{found!r} instead of {rounded}"
    if not np.isfinite(found):
        return f"{found!r} instead of {rounded!r}"
    error = abs(mp.mpf(float(found)) - exact)
    # The condition number costs two evaluations more, and most errors pass without it.
    allowed = 8 * ulp(rounded)
    if error <= 1e-307 or error <= allowed or error <= allowed * (1 + condition(function, m)):
        return None
    return f"{found!r} instead of {rounded!r}: {float(error / ulp(rounded)):.3g} ulp"


def test_every_loss_of_the_catalogue_has_a_reference():
    for cls in catalogue().values():
        reference(cls())
    assert {type(loss) for _, loss in LOSS_CASES} == set(catalogue().values())


@pytest.mark.parametrize("loss", LOSSES)
def test_references_are_their_own_derivatives(loss):
    # Slopes and curvatures were written by hand; a numerical derivative does for moderate margins.
    ref = reference(loss)
    rng = np.random.default_rng(1)
    for m in (mp.mpf(float(m)) for m in rng.uniform(-4.0, 6.0, 25)):
        piece = ref.piece(m)
        for function, derivative in ((piece.value, piece.slope), (piece.slope, piece.curvature)):
            assert abs(mp.diff(function, m) - derivative(m)) <= 1e-20 * (1 + abs(derivative(m)))
    for kink, (left, right) in zip(ref.kinks, zip(ref.pieces, ref.pieces[1:], strict=False), strict=True):
        assert abs(left.value(kink) - right.value(kink)) < 1e-40
        if loss.smooth:
            assert abs(left.slope(kink) - right.slope(kink)) < 1e-40
            assert abs(left.curvature(kink) - right.curvature(kink)) > 1e-3


@pytest.mark.parametrize("loss", LOSSES)
def test_against_mpmath(loss):
    ref = reference(loss)
    m = margins(loss)
    wrong = []
    for what, found in zip(QUANTITIES, loss.evaluate(m), strict=True):
        for margin, value in zip(m.tolist(), found.tolist(), strict=True):
            exact_margin = mp.mpf(margin)
            # Within an ulp of where it jumps, either side is right.
            jumps = what == "curvature" or (what == "slope" and not loss.smooth)
            pieces = ref.pieces_near(margin) if jumps else [ref.piece(exact_margin)]
            complaints = [complaint(getattr(piece, what), exact_margin, value) for piece in pieces]
            if all(complaints):
                wrong.append(f"{what} at m = {margin!r}: {complaints[0]}")
    assert not wrong, f"{len(wrong)} errors, such as\n" + "\n".join(wrong[:: len(wrong) // 8 + 1])


@pytest.mark.parametrize("loss", LOSSES)
def test_overflow_is_signed_infinity(loss):
    # Said in plain numbers: the test above would not notice if overflow were not among its margins.
    found = np.array(loss.evaluate([-1e300, -800.0, 800.0, 1e300]))
    assert not np.isnan(found).any()
    infinite = {
        "exponential": [[np.inf, np.inf], [-np.inf, -np.inf], [np.inf, np.inf]],
        "squared_hinge": [[np.inf, 801.0**2], [-2e300, -1602.0], [2.0, 2.0]],
    }
    if loss.name in infinite:
        np.testing.assert_allclose(found[:, :2], infinite[loss.name], rtol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
def test_block_against_point(loss):
    m = margins(loss)
    block = np.array(loss.evaluate(m))
    plain = np.array([loss.point(margin) for margin in m.tolist()]).T
    if loss.name not in FUSED:
        assert block.tobytes() == plain.tobytes(), (
            f"the compiled block of {loss.name!r} rounds otherwise than Python. If its formula adds a product to "
            "something, which may be done with one rounding, add its name to FUSED in tests/losses/test_formulas.py; "
            "otherwise a function that it calls is at fault"
        )
        return
    ref = reference(loss)
    for row, column in np.argwhere(block != plain):
        margin = mp.mpf(float(m[column]))
        function = getattr(ref.piece(margin), QUANTITIES[row])
        # One rounding less in a factor, which may enter twice: up to 4 ulp. Near a zero of the quantity they
        # are ulp of its terms.
        allowed = 4 * ulp(float(function(margin))) * (1 + condition(function, margin))
        difference = abs(float(block[row, column]) - float(plain[row, column]))
        assert difference <= allowed, f"{QUANTITIES[row]} at m = {float(margin)!r}: {difference} apart"


@pytest.mark.parametrize("loss", LOSSES)
def test_place_in_the_block_does_not_matter(loss):
    # Vector instructions take most of a block and scalar ones the rest: both must round alike, or the order
    # of the rows would decide the last digits of a fit.
    m = margins(loss)[::7]
    whole = np.array(loss.evaluate(m))
    single = np.concatenate([loss.evaluate(m[i : i + 1]) for i in range(m.size)], axis=1)
    assert whole.tobytes() == single.tobytes()


def test_shapes_and_types_of_margins():
    loss = Logistic()
    m = np.array([[2, -1], [0, 3]])
    for found, flat in zip(loss.evaluate(m), loss.evaluate(m.ravel().astype(float)), strict=True):
        np.testing.assert_array_equal(found, flat.reshape(2, 2))
    assert [a.shape for a in loss.evaluate([])] == [(0,)] * 3
    strided = np.asfortranarray(np.linspace(-2.0, 2.0, 12).reshape(3, 4))[:, ::2]
    np.testing.assert_array_equal(loss.evaluate(strided)[0], loss.evaluate(strided.copy("C"))[0])


def test_one_margin_gives_results_without_dimensions():
    assert [np.shape(a) for a in Logistic().evaluate(0.5)] == [()] * 3
    # Of the two ways to a probability, the second goes through evaluate.
    assert np.shape(Logistic().probability(0.5)) == ()
    assert np.shape(SmoothHinge().probability(0.5)) == ()


@pytest.mark.parametrize("loss", LOSSES)
def test_curvature_bounds(loss):
    low, high = loss.curvature_bounds()
    rng = np.random.default_rng(2)
    near_kinks = [float(k) + np.linspace(-1e-4, 1e-4, 2001) for k in reference(loss).kinks]
    m = np.concatenate([np.linspace(-6, 6, 20_001), rng.normal(size=5000) * 100.0, [1e5, 1e9], *near_kinks])
    curvature = loss.evaluate(m)[2]
    slack = 1e-14 * max(abs(low), abs(high)) if np.isfinite(high) else 0.0
    assert curvature.min() >= low - slack
    assert curvature.max() <= high + slack
    # A bound that is never nearly reached is a bound that makes steps too short.
    scale = max(abs(low), abs(high)) if np.isfinite(high) else 1.0
    assert curvature.min() - low <= 0.01 * scale
    if np.isfinite(high):
        assert high - curvature.max() <= 0.01 * scale
    elif loss.smooth:
        assert curvature.max() > 1e30
    else:
        # There is no bound where the slope jumps.
        assert np.ptp(loss.evaluate(near_kinks[0])[1]) > 0.5


@pytest.mark.parametrize("loss", KINKED)
def test_prox_and_envelope_against_the_definition(loss):
    """min over u of φ(u) + (u − v)²/(2κ): no u near it is better, and the least value is that of the envelope."""
    for kappa in (1e-6, 0.3, 1.0, 50.0):
        for v in np.concatenate([np.linspace(-60.0, 5.0, 200), 1.0 - kappa * np.array([0.0, 0.5, 1.0])]):
            u = loss.prox(float(v), kappa)
            tried = np.concatenate([[u], u + np.geomspace(1e-9, 10.0, 40), u - np.geomspace(1e-9, 10.0, 40)])
            values = loss.evaluate(tried)[0] + (tried - v) ** 2 / (2.0 * kappa)
            assert values[0] <= values.min() + 1e-12 * abs(values[0])
            assert loss.smoothed(kappa).evaluate(v)[0] == pytest.approx(values[0], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_convex_flag_agrees_with_the_curvature(loss):
    curvature = loss.evaluate(margins(loss))[2]
    assert loss.convex == bool((curvature >= 0.0).all())
    assert loss.convex or curvature.min() < -1e-4


@pytest.mark.parametrize("loss", LOSSES)
def test_affine_means_one_slope(loss):
    slopes = loss.evaluate(margins(loss))[1]
    assert loss.affine == (np.ptp(slopes[np.isfinite(slopes)]) == 0.0)


def test_logistic_is_cross_entropy_term_by_term():
    # L1 = −p log σ(z) − (1 − p) log(1 − σ(z)) with p ∈ {0, 1}, as it stands; L3 = φ(y z) with y = 2p − 1.
    z = np.concatenate([np.linspace(-30, 30, 121), [0.0, 1e-300, -1e-12]])
    for p in (0, 1):
        y = 2 * p - 1
        values, slopes, curvatures = Logistic().evaluate(y * z)
        for i, decision in enumerate(z):
            sigma = 1 / (1 + mp.exp(-mp.mpf(float(decision))))
            cross_entropy = -p * mp.log(sigma) - (1 - p) * mp.log(1 - sigma)
            assert abs(values[i] - cross_entropy) <= 1e-15 * values[i]
            # The derivatives of L1 in z are σ − p and σ (1 − σ); those of L3 are y φ' and φ''.
            assert abs(y * slopes[i] - (sigma - p)) <= 1e-15 * abs(slopes[i])
            assert abs(curvatures[i] - sigma * (1 - sigma)) <= 1e-15 * curvatures[i]
