"""What all tests share."""

import os

# Nobody else's nodes: a domain of this run's own, unless one was chosen.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
