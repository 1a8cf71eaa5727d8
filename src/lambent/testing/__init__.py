"""
What tests and authors of plug-ins import: a clock that is moved by hand, the real store on a scratch file,
and one suite per contract (`conformance/`).

In: any row of the import table. Out: fakes that pass the same suites as the real thing. Never: imported by the server.
"""
