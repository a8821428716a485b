"""LIBERO's suites by name, and how their episodes begin."""

VARIANTS = ("", "_lan", "_task", "_swap", "_object")
SUITES = tuple(
    f"{suite}{variant}" for suite in ("spatial", "object", "goal", "10") for variant in VARIANTS
)
"""Names of suites, without `libero_`: LIBERO's and, with an ending, LIBERO-PRO's."""
SEED, WAIT_STEPS = 7, 10
"""Of the environments, and steps in which things come to rest: as openpi's script has them."""
MAX_STEPS = {"spatial": 220, "object": 280, "goal": 300, "10": 520}
"""Actions of an episode at most, as openpi's script has them."""
CONTRACTS = {"object": "libero_floor"}
"""Contracts of the suites whose scenes are not on the table of contract `libero`."""


def contract_of(suite: str) -> str:
    """Return the name of the contract of a suite's scenes."""
    return CONTRACTS.get(suite.partition("_")[0], "libero")
