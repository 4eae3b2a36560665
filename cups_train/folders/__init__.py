"""Layout and file names of every folder that a run writes; nothing else knows them."""
