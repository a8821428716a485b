"""The robot contract: what a robot is, read from `config/arms/*.yaml` or a URDF."""
