"""Flow and disparity of stereo pairs, and what checks say about them."""
