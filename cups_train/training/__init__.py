"""What both training stages share: samples, crops, copy-paste, photometric changes, the optimiser's step, logs and
resuming."""
