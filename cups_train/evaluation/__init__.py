"""Results against truth (score), results of any stage (predict), the baseline, and labels against themselves
(consistency)."""
