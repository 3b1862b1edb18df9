"""Our tables, beside Optuna's in the same database, for what Optuna cannot hold.

All are prefixed `hpsearch_`, so that neither side's migrations touch the other's. `study_id` is
Optuna's, which survives a study's renaming. Times are UTC without offset, as Optuna's own are.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 4

metadata = MetaData()

schema = Table("hpsearch_schema", metadata, Column("version", Integer, primary_key=True))


def _training_columns() -> list[Column[object]]:
    """Which training a row belongs to: `records.TrainingKey` and its study."""
    return [
        Column("study_id", Integer, primary_key=True),
        Column("role", String(16), primary_key=True),
        Column("trial", Integer, primary_key=True),
        Column("seed", Integer, primary_key=True),
    ]


# every finished epoch of every training
epochs = Table(
    "hpsearch_epochs",
    metadata,
    *_training_columns(),
    Column("epoch", Integer, primary_key=True),
    Column("loss", Float, nullable=False),
    Column("accuracy", Float, nullable=False),
    Column("val_loss", Float),
    Column("val_accuracy", Float),
    Column("learning_rate", Float, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("images_per_s", Float, nullable=False),
    Column("val_balanced_accuracy", Float),  # the mean of the classes' recalls
)

# every time that a worker began a training, or continued it
starts = Table(
    "hpsearch_starts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("trial", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("run", Integer),  # of hpsearch_runs
    Column("method", String(64), nullable=False),  # precision, layout and kind of step
    Column("device", String(255), nullable=False),
    Column("epoch", Integer, nullable=False),  # the first trained from then on
    Column("started", DateTime, nullable=False),
)

# every training that ran to its end, finalists and winners included
trainings = Table(
    "hpsearch_trainings",
    metadata,
    *_training_columns(),
    Column("configuration", JSON, nullable=False),
    Column("seed_value", BigInteger, nullable=False),  # what the random generators were seeded with
    Column("num_parameters", Integer, nullable=False),
    Column("finished", DateTime, nullable=False),
)

# one row for each opening of the test set; finished is empty while, or if, it came to nothing
readings = Table(
    "hpsearch_test_readings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, nullable=False, index=True),
    Column("trial", Integer, nullable=False),
    Column("started", DateTime, nullable=False),
    Column("finished", DateTime),
)

# the winner's test results, one row a seed
evaluations = Table(
    "hpsearch_evaluations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reading_id", ForeignKey("hpsearch_test_readings.id"), nullable=False),
    Column("seed", Integer, nullable=False),
    Column("accuracy", Float, nullable=False),
    Column("loss", Float, nullable=False),
    Column("classes", JSON, nullable=False),  # per class: precision, recall, f1, support
    Column("confusion", JSON, nullable=False),  # rows: true class; columns: predicted
    Column("epochs", Integer, nullable=False),
    Column("train_seconds", Float, nullable=False),
    Column("num_parameters", Integer, nullable=False),
    Column("weights", String(255), nullable=False),  # file name in the study's artifacts
    Column("balanced_accuracy", Float),  # the mean of the classes' recalls
    UniqueConstraint("reading_id", "seed"),
)

# each start of `hpsearch run` on a study
runs = Table(
    "hpsearch_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, nullable=False, index=True),
    Column("started", DateTime, nullable=False),
    Column("last_alive", DateTime, nullable=False),
    Column("environment", JSON, nullable=False),  # command line, versions, device, threads, split
)

# the search that owns a study, or owned it last: for people, `locks` has what counts
owners = Table(
    "hpsearch_owners",
    metadata,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("pid", Integer, nullable=False),
    Column("host", String(255), nullable=False),
    Column("since", DateTime, nullable=False),
)
