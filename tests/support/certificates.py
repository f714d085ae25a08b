"""Certificates for localhost, each signed by itself."""

import subprocess
from pathlib import Path


def signed(directory: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate; return it and its key."""
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
    subprocess.run([*make, *names, *files], cwd=directory, check=True, capture_output=True)
    return directory / f"{name}.pem", directory / f"{name}.key"
