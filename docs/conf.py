"""Sphinx configuration; `make docs` builds the pages."""

import vlm_robot_ros

project = "vlm_robot_ros"
author = "The vlm_robot_ros developers"
release = vlm_robot_ros.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
autodoc_member_order = "alphabetical"
html_theme = "furo"
html_title = f"vlm_robot_ros {release}"
# Files of the repository outside of docs/ are linked to, not part of the pages.
suppress_warnings = ["myst.xref_missing"]
