"""The simulated arm: physics, scenes, language tasks, judge and scripted expert."""
