"""`python -m lambent` and the `lambent` command are the same program."""

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if sys.argv[1:2] == ["serve"]:
        # The usual call needs nothing of the command line afterwards, and a server that holds it is larger for years.
        from lambent.cli.serving import serve_at_once

        code = serve_at_once(sys.argv[2:])
        if code is not None:
            sys.exit(code)
    from lambent.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
