"""What a robot is: joints, limits, cameras and topics, read from one YAML file."""
