"""Labels and locations from a pretrained encoder, without training."""
