"""Pictures and figures of every stage of a run on one self-contained page."""
