"""The layer of the service: where systemd is PID 1, as in the guest of `make test-systemd`."""

import os

# They install and remove services, and what these recorded: never on a machine that someone uses.
# The guest is a proof of its own: `make prove-sample`.
collect_ignore_glob = [] if os.environ.get("IN_GUEST") else ["test_*.py"]
