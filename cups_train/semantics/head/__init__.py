"""Heads on frozen features: clusters, STEGO, DepthG, learned from the recordings or published."""
