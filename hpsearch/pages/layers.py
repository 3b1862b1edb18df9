"""The layer table of a network, for a page and as CSV."""

from collections.abc import Sequence

from hpsearch.models.layer_table import LayerRow
from hpsearch.pages.table import PageTable, page_table
from hpsearch.report.spreadsheet import csv_text

LAYER_COLUMNS = ("layer", "kind", "output shape", "parameters", "trainable")


def layer_rows(layers: Sequence[LayerRow]) -> list[tuple[object, ...]]:
    """The layer table's rows, with the sum."""
    return [
        *(
            (r.name, r.kind, " x ".join(map(str, r.output_shape)), r.parameters, r.trainable)
            for r in layers
        ),
        ("in all", "", "", sum(r.parameters for r in layers), sum(r.trainable for r in layers)),
    ]


def layers_csv(layers: Sequence[LayerRow]) -> dict[str, bytes]:
    """The layer table as the content of a CSV file, by the file's name; none without layers."""
    if not layers:
        return {}
    return {"layers.csv": csv_text(LAYER_COLUMNS, layer_rows(layers)).encode("utf-8")}


def layer_table(layers: Sequence[LayerRow]) -> PageTable | None:
    """The table of a page; None without layers."""
    if not layers:
        return None
    return page_table(LAYER_COLUMNS, layer_rows(layers))
