"""The layer of the service: where systemd is PID 1, as in the guest of `make test-systemd`."""

from pathlib import Path

# Elsewhere there is nothing to test; the guest is a proof of its own: `make prove-sample`.
collect_ignore_glob = [] if Path("/run/systemd/system").exists() else ["test_*.py"]
