"""The network of a fine-tuned policy."""
