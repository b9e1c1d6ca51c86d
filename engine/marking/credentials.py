# SPDX-License-Identifier: GPL-3.0-or-later
"""Content Credentials (C2PA) for files that are marked: signed with a certificate of the person who publishes them.

The package c2pa-python is the user's own; nothing here needs it until there is something to sign. It signs without a
time stamp, which would need the network.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..atomic_file import temporary_beside
from ..errors import HMTalkerError
from ..png_file import SYNTHETIC_MEDIA

CERTIFICATE, KEY = "HMTALKER_C2PA_CERTIFICATE", "HMTALKER_C2PA_KEY"
"""Environment variables: PEM files of the certificate, followed by those that vouch for it, and of its private key."""
FORMATS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Signing:
    """What is signed with."""

    certificate: Path
    key: Path


def from_environment() -> Signing | None:
    """What the environment variables say; None where they are not set."""
    certificate, key = os.environ.get(CERTIFICATE, ""), os.environ.get(KEY, "")
    return Signing(Path(certificate), Path(key)) if certificate and key else None


def is_installed() -> bool:
    """Say whether the package is there."""
    return importlib.util.find_spec("c2pa") is not None


def unable_reason(signing: Signing | None) -> str:
    """Say why nothing can be signed, without a full stop, or return an empty string."""
    if not is_installed():
        return "The package c2pa-python is not installed in this Python"
    if signing is None:
        return "A certificate and its private key are not chosen"
    missing = next((path for path in (signing.certificate, signing.key) if not path.is_file()), None)
    return f"There is no file {missing}" if missing is not None else ""


def sign(path: Path, signing: Signing) -> bool:
    """Sign a file in place and say whether its format can be signed; the old one stays where it fails.

    Raises HMTalkerError and OSError.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        return False
    if reason := unable_reason(signing):
        raise HMTalkerError(f"'{path}' was not signed: {reason}.")
    import c2pa

    action = {"action": "c2pa.created", "digitalSourceType": SYNTHETIC_MEDIA}
    manifest = {
        "claim_generator_info": [{"name": "HM-Talker", "version": __version__}],
        "title": path.name,
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
    }
    temporary = temporary_beside(path)
    try:
        with (
            c2pa.Builder(manifest) as builder,
            _signer(c2pa, signing) as signer,
            path.open("rb") as source,
            temporary.open("w+b") as signed,
        ):
            builder.sign(signer, kind, source, signed)
            signed.flush()
            os.fsync(signed.fileno())
        os.replace(temporary, path)
    except (c2pa.C2paError, ValueError) as error:
        raise HMTalkerError(f"'{path}' was not signed ({error}); check the certificate and its key.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _signer(c2pa: Any, signing: Signing) -> Any:
    key = signing.key.read_bytes()
    info = c2pa.C2paSignerInfo(_algorithm(key), signing.certificate.read_bytes(), key, None)
    return c2pa.Signer.from_info(info)


def _algorithm(key: bytes) -> str:
    """The name of the signature that goes with a private key. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(key, None)
    except TypeError:
        raise ValueError("the key has a password, and nobody is there to type it") from None
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in CURVES:
        return CURVES[loaded.curve.name]
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(loaded, rsa.RSAPrivateKey):
        return "ps256"
    raise ValueError("the key is of a kind that Content Credentials do not know")
