"""What a run trains with beside its study file: recorded with every run, compared by a replay."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hpsearch

_PACKAGES = ("torch", "torchvision", "optuna", "numpy")


def current_environment() -> dict[str, Any]:
    """Versions, code and machine of this process, as JSON can hold them."""
    return {
        "hpsearch": hpsearch.__version__,
        "code": code_fingerprint(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "host": platform.node(),
        "processor": processor_name(),
    }


def code_fingerprint() -> str:
    """16 hexadecimal digits over the package's source: the code version, also between releases."""
    package = Path(hpsearch.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def processor_name() -> str:
    """The processor's model, on which the kernels' choice of instructions depends."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
