"""How hard fuzz tests try: the same inputs each time, unless FUZZ_EXAMPLES asks for new ones."""

import os
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

_HOME = tempfile.TemporaryDirectory(prefix="hypothesis-")  # the tree may belong to another user
set_hypothesis_home_dir(_HOME.name)
_EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
settings.register_profile(
    "tests",
    max_examples=int(_EXAMPLES or 60),
    derandomize=not _EXAMPLES,
    database=None,
    deadline=None,  # the machine may be slow
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")
