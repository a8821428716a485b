"""Open-vocabulary detectors: where in an image a phrase is, in any words."""
