# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage-guided fuzzing of everything that reads what others may have made.

    python tests/fuzz/fuzz.py avatar --runs 1000000
    python tests/fuzz/fuzz.py all --runs 20000

Needs the package atheris. A crash, a hang of 5 s, or more than 1 GB ends the run and leaves the input in the corpus
folder; put it into tests/fuzz/corpus/TARGET when it is mended, where the ordinary tests try it for ever.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "engine")]

TIMEOUT_SECONDS, MEGABYTES, LONGEST = 5, 1024, 1 << 19


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--corpus", type=Path, help="keeps what was found interesting (a temporary folder)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.target == "all":
        import conftest  # noqa: F401  (makes hmtalker importable from the working tree)
        from targets import TARGETS

        extra = ["--runs", str(options.runs), "--seed", str(options.seed)]
        return max(subprocess.call([sys.executable, __file__, name, *extra]) for name in TARGETS)
    return fuzz(options.target, options.runs, options.corpus or Path(tempfile.mkdtemp()), options.seed)


def fuzz(name: str, runs: int, corpus: Path, seed: int) -> int:
    """Run in this process, which libFuzzer ends; returns only where nothing could be run."""
    import atheris

    with atheris.instrument_imports(include=["hmtalker"]):
        import conftest  # noqa: F401
        from targets import TARGETS, check

    target = TARGETS[name]
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (corpus / f"seed{number}").write_bytes(data)
    kept = HERE / "corpus" / name

    def one(data: bytes) -> None:
        check(target, data)

    arguments = [
        sys.argv[0], f"-runs={runs}", f"-seed={seed}", f"-timeout={TIMEOUT_SECONDS}", f"-rss_limit_mb={MEGABYTES}",
        f"-malloc_limit_mb={MEGABYTES}", f"-max_len={LONGEST}", f"-artifact_prefix={corpus}/", "-verbosity=0",
        "-print_final_stats=1", str(corpus), *([str(kept)] if kept.is_dir() else []),
    ]  # fmt: skip
    atheris.Setup(arguments, one)
    atheris.Fuzz()
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
