"""Pretrained image and text encoders of other libraries, behind one interface."""
