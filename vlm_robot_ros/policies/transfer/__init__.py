"""The policy that carries things of any size, with whatever says where these are."""
