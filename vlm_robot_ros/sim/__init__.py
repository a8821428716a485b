"""The simulated arm: physics, scenes, language tasks, judge and scripted expert."""

import os
import sys

if sys.platform == "linux":
    # Without a screen MuJoCo must be told, before its first import, to draw through EGL.
    os.environ.setdefault("MUJOCO_GL", "egl")
