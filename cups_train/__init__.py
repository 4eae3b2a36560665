"""The workshop: stereo recordings go in, a panoptic model learned without labels comes out."""

import os

__version__ = "0.2.0"

# Threads of a matrix product that wait by spinning take the cores from each other where a machine is shared; read when
# torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
