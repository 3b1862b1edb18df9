"""Every error that hpsearch raises on purpose.

* HpsearchError
  + UserError                    the user's mistake: one line on stderr, exit code 2
    · StudyFileError             a study file that cannot be read or makes no sense
    · UnknownStudyError          no study file, or no study in the database, of that name
    · ChangedStudyError          the study file is not the one that the study was started with
    · StudyInUseError            another search owns the study
    · DatabaseError              a database that cannot be opened, read or written
      - MissingDatabaseError     there is none yet
    · DataError                  a data set that is missing, damaged or not the right one
    · ModelError                 an own model that does not import, raises or makes no network
    · DeviceError                a device that is not there
    · NothingToShowError         a study without what was asked for
  + InfeasibleConfigurationError a network that cannot be built, say one that shrinks to nothing
  + RunFailedError               the run ended without what was asked: exit code 1
    · DatabaseLostError          the database is gone, or cannot be written any more
  + InterruptedRunError          the user or a scheduler stopped the run: exit code 130
"""


class HpsearchError(Exception):
    """The root of the tree; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UserError(HpsearchError):
    """A mistake that the user can mend; its text is one line and names the next step."""

    exit_code = 2


class StudyFileError(UserError):
    """A study file that cannot be read, or says something that is not allowed."""


class UnknownStudyError(UserError):
    """Neither a study file nor a study in the database has this name."""


class ChangedStudyError(UserError):
    """The study file differs from the one that the stored study was started with."""


class StudyInUseError(UserError):
    """Another live search owns the study."""


class DatabaseError(UserError):
    """A database that is not one, cannot be written, or was made by something newer."""


class MissingDatabaseError(DatabaseError):
    """There is no database yet where one is to be read."""


class DataError(UserError):
    """A data set that is missing, truncated or not the one that its name promises."""


class ModelError(UserError):
    """The user's own model: not found, not callable, raises, or gives no network that trains."""


class DeviceError(UserError):
    """A device, or a number of workers on it, that this machine does not have."""


class NothingToShowError(UserError):
    """The study exists, but does not yet have what was asked for."""


class InfeasibleConfigurationError(HpsearchError):
    """A configuration whose network cannot be built."""


class RunFailedError(HpsearchError):
    """The run ended without the result it was asked for."""


class DatabaseLostError(RunFailedError):
    """The database that a run writes to is gone, or cannot be written any more."""


class InterruptedRunError(HpsearchError):
    """Ctrl-C or SIGTERM; everything finished is recorded and the rest can be carried on."""

    exit_code = 130
