"""gallery, filters and feature_maps: weights and images as grey."""

from itertools import pairwise

import numpy as np

from hpsearch.figures.feature_maps import FeatureMaps, feature_maps_figure, mosaic
from hpsearch.figures.figure import NoFigure, Picture, StudyFigure
from hpsearch.figures.filters import FirstLayer, filters_figure
from hpsearch.figures.gallery import as_pixels, grey_pixels, plot_gallery


def test_grey_is_from_the_least_to_the_largest() -> None:
    assert grey_pixels(np.array([[1.0, 2.0, 3.0]])).tolist() == [[0, 128, 255]]


def test_no_weight_is_middle_grey_whatever_the_others_are() -> None:
    weights = np.array([-4.0] * 50 + [0.0] + [2.0] * 50)
    assert grey_pixels(weights, symmetric=True)[[0, 50, 51]].tolist() == [0, 128, 191]


def test_what_is_the_same_everywhere_is_black_and_weights_grey() -> None:
    assert grey_pixels(np.zeros(2)).tolist() == [0, 0]
    assert grey_pixels(np.zeros(2), symmetric=True).tolist() == [128, 128]


def test_colours_come_last() -> None:
    assert as_pixels(np.zeros((1, 4, 5), np.uint8)).shape == (4, 5)
    assert as_pixels(np.zeros((3, 4, 5), np.uint8)).shape == (4, 5, 3)


def test_a_gallery_is_a_plot_with_an_image_and_a_caption_each() -> None:
    pictures = [Picture(np.full((2, 2), n, np.uint8), f"n{n}\nx", "") for n in range(5)]
    plot = plot_gallery(pictures, columns=4)
    assert [image.z[0][0].tolist() for image in plot.data] == [[n] * 3 for n in range(5)]
    assert [note.text for note in plot.layout.annotations][4] == "n4<br>x"
    assert plot.data[4].x0 < 1  # the fifth begins a row
    assert plot.data[4].y0 > plot.data[0].y0 + 1


def test_wide_pictures_have_the_room_of_their_shape() -> None:
    pictures = [Picture(np.zeros((30, 90), np.uint8), "one line", "") for _ in range(10)]
    plot = plot_gallery(pictures, columns=1, cell=960)
    assert 10 * 960 / 3 < plot.layout.height < 10 * (960 / 3 + 40)
    tops = [image.y0 for image in plot.data]
    assert all(b - a > 1 / 3 for a, b in pairwise(tops)), "none lies over another"


def test_the_filters_are_on_one_scale_and_their_weights_are_rows() -> None:
    weights = np.stack([np.full((1, 3, 3), 1.0), np.full((1, 3, 3), -0.5)])
    figure = filters_figure(FirstLayer("conv1", "conv", weights))
    assert isinstance(figure, StudyFigure)
    assert [picture.pixels[0, 0] for picture in figure.pictures] == [255, 64]
    assert len(figure.rows) == 18
    assert figure.rows[9] == (2, 1, 0, 0, -0.5)
    assert "2 of 2 kernels of 3 x 3" in figure.note


def test_more_filters_than_fit_are_left_out_and_it_says_so() -> None:
    figure = filters_figure(FirstLayer("dense1", "dense", np.zeros((100, 1, 4, 4))))
    assert isinstance(figure, StudyFigure)
    assert len(figure.pictures) == 64
    assert "64 of 100 units" in figure.note


def test_a_mosaic_is_the_image_beside_its_maps() -> None:
    maps = np.zeros((9, 2, 2))
    maps[8] = [[0, 1], [2, 4]]
    image = np.full((1, 5, 5), 7, np.uint8)
    picture = mosaic(FeatureMaps(3, "cat", image, maps))
    assert picture.shape == (5, 5 + 4 + 8 * 3 - 1)  # two rows of maps, 2 pixels and a line between
    assert (picture[:, :5] == 7).all()
    assert picture[3:, 9:11].tolist() == [[0, 64], [128, 255]]


def test_texts_stand_for_what_is_not_there() -> None:
    assert isinstance(filters_figure("no weights"), NoFigure)
    assert isinstance(feature_maps_figure("conv1", "no images"), NoFigure)
