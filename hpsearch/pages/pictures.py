"""Images within a page: PNG as data URIs."""

import base64
import io

from PIL import Image

from hpsearch.figures.figure import Pixels


def data_uri(pixels: Pixels) -> str:
    """A (H, W) or (H, W, 3) image as a URI that holds all of it."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
