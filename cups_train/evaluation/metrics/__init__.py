"""The figures of results against truth, all made from one sparse table an image; no files are written here."""
