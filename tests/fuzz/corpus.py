"""Packs the inputs that the fuzzer found into one archive for each target, and unpacks them for the next run.

    python3 tests/fuzz/corpus.py unpack
    cargo fuzz run --fuzz-dir tests/fuzz <target>
    python3 tests/fuzz/corpus.py pack

Inputs whose names were given by people remain files. Those that the fuzzer named by their SHA-1 are added to the archive.
"""

import pathlib
import re
import sys
import zipfile

CORPUS = pathlib.Path(__file__).parent / "corpus"
FOUND = re.compile("[0-9a-f]{40}")


def pack(folder: pathlib.Path, archive: pathlib.Path) -> None:
    if archive.exists():
        unpack(folder, archive)
    found = sorted(path for path in folder.iterdir() if FOUND.fullmatch(path.name))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in found:
            # Without timestamps, so that equal inputs result in equal archives.
            packed.writestr(zipfile.ZipInfo(path.name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    for path in found:
        path.unlink()


def unpack(folder: pathlib.Path, archive: pathlib.Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)


if sys.argv[1:] not in (["pack"], ["unpack"]):
    sys.exit("usage: corpus.py pack | unpack")
for folder in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
    archive = folder.with_suffix(".zip")
    pack(folder, archive) if sys.argv[1] == "pack" else unpack(folder, archive)
