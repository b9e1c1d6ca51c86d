# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate to sign with, and one that vouches for it, made for a test and good for days."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

COMMANDS = """
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -sha256 -days 3 -subj /O=Test/CN=Root -out ca.pem \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signer.key
openssl req -new -key signer.key -subj /O=Test/CN=Signer -out signer.csr
printf 'basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n' > ext
printf 'extendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' >> ext
openssl x509 -req -in signer.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 2 -extfile ext -out signer.pem
cat signer.pem ca.pem > chain.pem
"""


def make(folder: Path) -> tuple[Path, Path]:
    """The certificates and the private key, as PEM files in `folder`; skips the test where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make test certificates with")
    subprocess.run(["sh", "-ec", COMMANDS], cwd=folder, check=True, capture_output=True)
    return folder / "chain.pem", folder / "signer.key"
