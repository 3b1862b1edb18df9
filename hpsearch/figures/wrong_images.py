"""The test images that a network gets wrong with the most confidence."""

from hpsearch.figures.answers import Answers, Mistake
from hpsearch.figures.figure import NoFigure, Picture, Shown, StudyFigure
from hpsearch.figures.gallery import as_pixels, plot_gallery

NAME, TITLE = "wrong-images", "Most confidently wrong"
MOST_IMAGES = 24

COLUMNS = ("test image", "true class", "predicted class", "probability", "of the true class")


def picture_of(mistake: Mistake, names: tuple[str, ...]) -> Picture:
    """The image with what it is and what it was taken for."""
    true, predicted = names[mistake.true], names[mistake.predicted]
    return Picture(
        as_pixels(mistake.image),
        caption=f"{true}\n→ {predicted}\n{mistake.probability:.1%}",
        alt=(
            f"Test image {mistake.number}: {true}, taken for {predicted} "
            f"with probability {mistake.probability:.1%}"
        ),
    )


def row_of(mistake: Mistake, names: tuple[str, ...]) -> tuple[object, ...]:
    """The image as a row of the data."""
    true, predicted = names[mistake.true], names[mistake.predicted]
    return (mistake.number, true, predicted, mistake.probability, mistake.true_probability)


def wrong_images_figure(answers: Answers, names: tuple[str, ...]) -> Shown:
    """The images, the most confident mistake first."""
    if not answers.mistakes:
        return NoFigure(NAME, TITLE, answers.reason)
    shown = answers.mistakes[:MOST_IMAGES]
    pictures = tuple(picture_of(mistake, names) for mistake in shown)
    note = (
        f"{len(shown)} of {len(answers.mistakes):,} test images that the seeds together get wrong: "
        "what it is, what it was taken for, and the mean of the seeds' probabilities."
    )
    first = pictures[0].alt
    rows = [row_of(mistake, names) for mistake in answers.mistakes]
    alt = f"{len(shown)} test images that were misclassified. The first: {first}."
    return StudyFigure(
        NAME, TITLE, alt, plot_gallery(pictures, cell=120), COLUMNS, rows, note, 0, pictures
    )
