"""What must not be in the tree: paths of one machine, and the host names of package registries."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Put together here, so that this file holds none of them.
REGISTRIES = [
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry.npm" + "js.org",
    "static.crates" + ".io",
    "index.crates" + ".io",
    "proxy.go" + "lang.org",
    "deb.deb" + "ian.org",
    "repo1.ma" + "ven.org",
    "repo.ma" + "ven.apache.org",
]
PATHS = ["/wo" + "rk/", "/ro" + "ot/.py" + "env", "sha" + "red/reference", "sha" + "red/cases", "sha" + "red/design"]
FORBIDDEN = re.compile("|".join([*map(re.escape, REGISTRIES), *(r"(?<![\w.])" + re.escape(path) for path in PATHS)]))


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_names_a_machine_or_a_registry() -> None:
    """A checkout works anywhere: which index pip asks, and where it stands, are the machine's business."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in _files()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1)
        if (match := FORBIDDEN.search(line))
    ]
    assert found == []
