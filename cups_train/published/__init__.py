"""The published code's own rules, where they differ from ours."""
