"""
Every runtime identifier of Lambda, as data.

A row per identifier; the pins of what is installed beside an interpreter at the end. No rules here.
"""

import datetime

import msgspec


class CatalogueEntry(msgspec.Struct, frozen=True):
    """One runtime identifier."""

    runtime: str
    """The identifier, e.g. `python3.13`."""
    family: str
    """`python`, `nodejs`, `java`, `dotnet`, `ruby`, `go` or `provided`."""
    version: str
    """What is after the family in the identifier."""
    provider: str
    """Who can start it: `host` (an interpreter of this machine), `provided` (the package), `none` (not offered)."""
    deprecated: datetime.date | None = None
    """When AWS deprecates or deprecated it, where a date is public. Invoking is never blocked, here as there."""


def _rows(family: str, provider: str, versions: dict[str, str]) -> list[CatalogueEntry]:
    return [
        CatalogueEntry(
            runtime=family + version,
            family=family.rstrip("."),
            version=version.lstrip("."),
            provider=provider,
            deprecated=datetime.date.fromisoformat(date) if date else None,
        )
        for version, date in versions.items()
    ]


# Documented: Lambda developer guide, Lambda runtimes (identifiers: the Lambda service model, shape Runtime).
# Days are the last of the month where the guide's table is only known by month.
_ENTRIES = [
    *_rows(
        "python",
        "host",
        {
            "3.15": "",  # Observed: the official client logs a preview warning for it.
            "3.14": "2029-06-30",
            "3.13": "2029-06-30",
            "3.12": "2028-10-31",
            "3.11": "2027-06-30",  # Assumed: extended past the end of Amazon Linux 2, the date may move again.
            "3.10": "2026-10-31",  # Assumed: as above.
            "3.9": "2025-12-15",
        },
    ),
    *_rows("provided.", "provided", {"al2023": "2029-06-30", "al2": "2026-07-31"}),
    *_rows("provided", "provided", {"": "2024-01-08"}),
    *_rows("go", "provided", {"1.x": "2024-01-08"}),
    *_rows("python", "none", {"3.8": "2024-10-14", "3.7": "2023-12-04", "3.6": "2022-07-18", "2.7": "2021-07-15"}),
    *_rows(
        "nodejs",
        "host",
        {"24.x": "2028-04-30", "22.x": "2027-04-30", "20.x": "2026-04-30", "18.x": "2025-09-01"},
    ),
    *_rows(
        "nodejs",
        "none",
        {
            "26.x": "",
            "16.x": "2024-06-12",
            "14.x": "2023-12-04",
            "12.x": "2023-03-31",
            "10.x": "2021-07-30",
            "8.10": "2020-03-06",
            "6.10": "2019-08-12",
            "4.3": "2020-03-05",
            "4.3-edge": "2019-04-30",
            "": "2016-08-30",
        },
    ),
    *_rows("java", "host", {"25": "2029-06-30", "21": "2029-06-30", "17.al2023": "", "17": ""}),
    *_rows(
        "java",
        "none",
        {
            "11.al2023": "",
            "11": "",
            "8.al2023": "",
            "8.al2": "",
            "8": "2024-01-08",
        },
    ),
    # The client is compiled for .NET 8, which is the oldest that it runs on.
    *_rows("dotnet", "host", {"10": "2028-11-30", "8": "2026-11-30"}),
    *_rows("dotnet", "none", {"6": "2024-12-20"}),
    *_rows(
        "dotnetcore",
        "none",
        {"3.1": "2023-04-03", "2.1": "2022-01-05", "2.0": "2019-05-30", "1.0": "2019-06-27"},
    ),
    *_rows("ruby", "host", {"4.0": "", "3.4": "2028-03-31", "3.3": "2027-03-31", "3.2": "2026-03-31"}),
    *_rows("ruby", "none", {"2.7": "2023-12-07", "2.5": "2021-07-30"}),
    *_rows("custom", "none", {"": ""}),
]

CATALOGUE: dict[str, CatalogueEntry] = {entry.runtime: entry for entry in _ENTRIES}
"""Identifier to entry."""


class ClientPins(msgspec.Struct, frozen=True):
    """What is installed for one Python version: the official client, and the SDK that AWS's runtimes carry."""

    client: str
    """The version of awslambdaric."""
    requirements: tuple[str, ...]
    """Everything, dependencies included, so that one installation is like the next."""


_CLIENT_DEPENDENCIES = ("simplejson==4.3.0", "snapshot-restore-py==1.0.0")
_SDK_DEPENDENCIES = ("jmespath==1.1.0", "python-dateutil==2.9.0.post0", "six==1.17.0")

_PINS = ClientPins(
    client="4.2.2",
    requirements=(
        "awslambdaric==4.2.2",
        *_CLIENT_DEPENDENCIES,
        "boto3==1.44.8",
        "botocore==1.44.8",
        "s3transfer==0.19.3",
        "urllib3==2.8.0",
        *_SDK_DEPENDENCIES,
    ),
)

_PINS_39 = ClientPins(
    client="4.0.4",
    requirements=(
        "awslambdaric==4.0.4",
        *_CLIENT_DEPENDENCIES,
        # The last ones for Python 3.9. botocore asks for urllib3 1.x there, for the sake of old OpenSSL only.
        "boto3==1.42.97",
        "botocore==1.42.97",
        "s3transfer==0.16.1",
        "urllib3==1.26.20",
        *_SDK_DEPENDENCIES,
    ),
)

PYTHON_PINS: dict[str, ClientPins] = {
    "3.9": _PINS_39,
    **dict.fromkeys(("3.10", "3.11", "3.12", "3.13", "3.14", "3.15"), _PINS),
}
"""Python version to what is installed for it."""

NODEJS_SDK: tuple[str, ...] = (
    "@aws-sdk/client-acm@3.1169.0",
    "@aws-sdk/client-apigatewaymanagementapi@3.1169.0",
    "@aws-sdk/client-cloudformation@3.1169.0",
    "@aws-sdk/client-cloudwatch@3.1164.0",
    "@aws-sdk/client-cloudwatch-logs@3.1169.0",
    "@aws-sdk/client-cognito-identity-provider@3.1169.0",
    "@aws-sdk/client-dynamodb@3.1169.0",
    "@aws-sdk/client-ecr@3.1169.0",
    "@aws-sdk/client-ecs@3.1164.0",
    "@aws-sdk/client-eventbridge@3.1169.0",
    "@aws-sdk/client-firehose@3.1169.0",
    "@aws-sdk/client-iam@3.1169.0",
    "@aws-sdk/client-kinesis@3.1143.0",
    "@aws-sdk/client-kms@3.1164.0",
    "@aws-sdk/client-lambda@3.1164.0",
    "@aws-sdk/client-route-53@3.1169.0",
    "@aws-sdk/client-s3@3.1175.0",
    "@aws-sdk/client-scheduler@3.1169.0",
    "@aws-sdk/client-secrets-manager@3.1164.0",
    "@aws-sdk/client-ses@3.1169.0",
    "@aws-sdk/client-sfn@3.1164.0",
    "@aws-sdk/client-sns@3.1169.0",
    "@aws-sdk/client-sqs@3.1175.0",
    "@aws-sdk/client-ssm@3.1169.0",
    "@aws-sdk/client-sts@3.1177.0",
    "@aws-sdk/credential-providers@3.1175.0",
    "@aws-sdk/lib-dynamodb@3.1169.0",
    "@aws-sdk/lib-storage@3.1175.0",
    "@aws-sdk/s3-request-presigner@3.1169.0",
    "@aws-sdk/util-dynamodb@3.996.9",
)
"""
What is installed of the AWS SDK for JavaScript, of which AWS's runtimes carry all: the modules used most. Each module
has a version of its own. They need Node.js 20.
"""
