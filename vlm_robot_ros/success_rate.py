"""The interval within which a success rate lies."""


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a success rate (Wilson, 1927).

    Raises:
        ValueError: there are no trials, or more successes than trials.
    """
    from scipy.stats import binomtest  # it loads slowly

    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes of {trials} trials give no rate")
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
