import numpy as np

from cups_train.geometry.resize import resize


def test_shrinking_takes_the_mean_of_areas_and_growing_is_bilinear():
    image = np.array([[0, 4, 8, 12], [0, 4, 8, 12]], np.float32)
    assert resize(image, 1, 2).tolist() == [[2, 10]]
    assert resize(image[:1, :2], 1, 4).tolist() == [[0, 1, 3, 4]]
    assert resize(image, 2, 4) is image
