"""Writes and checks fingerprint_golden.json: the digests that every Python must give for fingerprint_project/.

Digests of code are part of what stores keep: were another release or another Python to give others, every cached
step would run again. Run ``python tests/pipeline/fingerprint_golden.py`` to compare, with any interpreter that has the
dependencies; ``--write`` writes the file, which is right only where the encoding itself is changed on purpose.
What names the interpreter or a distribution's version is left out.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE / "fingerprint_golden.json"
_OF_THE_INSTALLATION = ("python", "dist:")


def found() -> dict[str, str]:
    """The entries of the project's step by symbol, those of this installation left out."""
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lineal").symlink_to(HERE.parent.parent)  # an interpreter that has the package not installed
        sys.path[:0] = [folder, str(HERE / "fingerprint_project")]
        import flow

        from lineal.pipeline.fingerprint import code_manifest

        entries = code_manifest(flow.train).entries
    return {
        symbol: entry if isinstance(entry, str) else entry.hex()
        for symbol, entry in entries.items()
        if not symbol.startswith(_OF_THE_INSTALLATION)
    }


def main() -> int:
    """Write or compare; the status says whether they agree."""
    here = found()
    if "--write" in sys.argv:
        GOLDEN.write_text(json.dumps(here, indent=0) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    differing = sorted(symbol for symbol in {*here, *golden} if here.get(symbol) != golden.get(symbol))
    print("Python {}.{}:".format(*sys.version_info), *(differing or ["as it should be"]))
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
