"""Which hand-made channels a cell's descriptor has, in order, and what each group of them weighs."""

from cups_train.types import ChannelGroup

COLOUR, TEXTURE, ROW = 6, 22, 1
IMAGE_GROUPS = (
    ChannelGroup("colour", COLOUR, 1.0),
    ChannelGroup("texture", TEXTURE, 0.5),
    ChannelGroup("row", ROW, 0.33),
)
STRUCTURE_GROUPS = (
    ChannelGroup("raised", 2, 2.0),
    ChannelGroup("aside", 1, 0.5),
    ChannelGroup("top", 1, 0.5),
    ChannelGroup("base", 1, 0.5),
    ChannelGroup("width", 1, 0.5),
    ChannelGroup("thin", 2, 1.0),
)
STRUCTURE = sum(group.channels for group in STRUCTURE_GROUPS)
SURFACE = 8  # height, clipped height, sqrt inverse depth, normal (up, |side|, forward), roughness, far flag
HEIGHT, ROOT_INVERSE_DEPTH, RAISED = 0, 2, slice(SURFACE, SURFACE + 2)  # which of the shape channels
SHAPE = SURFACE + STRUCTURE
SHAPE_GROUPS = (ChannelGroup("surface", SURFACE, 1.0), *STRUCTURE_GROUPS)
