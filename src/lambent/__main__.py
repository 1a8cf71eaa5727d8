"""`python -m lambent` and the `lambent` command are the same program."""

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from lambent.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
