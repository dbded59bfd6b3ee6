"""Probabilities against sampling: labels drawn with a known probability, fitted, and asked for it again."""

import numpy as np
import pytest
from references import LOSSES

from marginclf import MarginLinearClassifier

WITH_PROBABILITY = [case for case in LOSSES if case.values[0].probability is not None]


@pytest.mark.parametrize("loss", WITH_PROBABILITY)
def test_each_group_gets_the_share_of_positives_among_its_sample(loss):
    """One column a group and next to no penalty: each group has a decision value of its own, and so a probability."""
    rng = np.random.default_rng(11)
    truth = np.array([0.2, 0.35, 0.6, 0.85])
    group = np.repeat(np.arange(4), 400)
    y = rng.random(group.size) < truth[group]
    share = np.array([y[group == k].mean() for k in range(4)])
    model = MarginLinearClassifier(loss, C=1e6, fit_intercept=False).fit(np.eye(4)[group], y)
    found = model.predict_proba(np.eye(4))[:, 1]
    np.testing.assert_allclose(found, share, atol=1e-4)
    # 400 labels a group: four standard deviations are 0.1 at most.
    np.testing.assert_allclose(found, truth, atol=0.1)
