"""The networks of the policy that carries things of any size."""
