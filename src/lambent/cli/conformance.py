"""`lambent conformance`: what this version does with every operation, parameter and error of the service models."""

from lambent.cli.terminal import AsJson, print_json


def conformance(json: AsJson = False) -> None:
    """
    Report what becomes of every operation, input member and error of the AWS service models.

    A member acts, is echoed only, is taken without there being anything to change, or is refused; an operation may not
    be offered; an error may never be given. Each has its reason, and what acts has the test that shows it.

    The report follows from the models of the botocore that is installed. It is Markdown, the same as the page
    docs/conformance.md of the version; with --json it is for programs. No server is asked.
    """
    import msgspec

    from lambent.services.conformance.markdown import render
    from lambent.services.conformance.report import report

    if json:
        print_json(msgspec.to_builtins(report()))
    else:
        print(render(report()), end="")
