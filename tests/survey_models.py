"""In how many public models is a lowered trajectory the plain one, to the bit?

    python tests/survey_models.py [folder ...]

walks over every model file of the packages in ``zoo.PACKAGES`` that are installed, and of the
folders given (say, an unpacked wheel); one line per model that differs, then the counts per folder.
The tests look at a part of the same models (``tests/test_lowering_public.py``).
"""

import sys
from pathlib import Path

import zoo


def survey(title, paths):
    """Print what differs; count models by verdict."""
    counts = {}
    for path in paths:
        verdict, detail = zoo.compare(path)
        counts[verdict] = counts.get(verdict, 0) + 1
        if verdict in ("different", "refused"):
            print(f"  {path}: {verdict} {detail}", flush=True)
    print(f"{title}: {counts}", flush=True)


def main():
    for package in zoo.PACKAGES:
        survey(package, zoo.public_models(package))
    for folder in sys.argv[1:]:
        survey(folder, sorted(Path(folder).rglob("*.xml")))


if __name__ == "__main__":
    main()
