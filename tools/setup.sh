#!/bin/sh
# Find a Python that Lambent can use and let tools/setup.py build the environments named as arguments.
#
# PYTHON= picks the interpreter. Without it: the first of the names below that is new enough. This is a
# shell script because the first question, "is there a Python", cannot be asked in Python.

set -eu
cd "$(dirname "$0")/.."

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if ! command -v "$PYTHON" >/dev/null 2>&1; then
        echo "PYTHON=$PYTHON: there is no such command" >&2
        exit 1
    fi
    if ! is_new_enough "$PYTHON"; then
        echo "PYTHON=$PYTHON: $("$PYTHON" --version 2>&1 | head -n 1) is not enough, Lambent needs Python 3.11 or newer" >&2
        exit 1
    fi
    exec "$PYTHON" tools/setup.py --python "$(command -v "$PYTHON")" --chosen "$@"
fi

for name in python3 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then
        exec "$name" tools/setup.py --python "$(command -v "$name")" "$@"
    fi
done

echo "Lambent needs Python 3.11 or newer; none of python3, python3.13, python3.12, python3.11 is." >&2
echo "On Debian and Ubuntu: apt install python3 python3-venv. Another interpreter: make PYTHON=/path/to/python3" >&2
exit 1
