"""Dense features of an image: an encoder learned from the recordings, or a vision transformer from a file of its
own."""
