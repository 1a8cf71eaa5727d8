"""The export of a running server, by the validator that the specification's authors publish."""

import csv
import io
import subprocess
import urllib.parse
import urllib.request
from collections import Counter

from wire.support import FunctionMaker, around_today, invoke, newest_python

SOURCE = """
def handler(event, context):
    return event
"""

VALIDATE = """
import sys
import pandas
from focus_validator.data_loaders.csv_data_loader import CSVDataLoader
from focus_validator.main import main

def load(self):
    table = pandas.read_csv(self.data_filename, dtype=str, keep_default_na=False, na_values=[""])
    for column in table.columns:
        if column.endswith(("Cost", "Quantity", "UnitPrice")):
            table[column] = table[column].astype(float)
    # Version 1.0.0 knows these by the names of the draft, though it says 1.0.
    table = table.rename(columns={
        "ProviderName": "Provider", "PublisherName": "Publisher", "InvoiceIssuerName": "InvoiceIssuer",
        "ResourceId": "ResourceID",
    })
    table["ChargeType"] = table["ChargeCategory"]
    return table

CSVDataLoader.load = load
sys.argv = ["focus-validator", "--data-file", sys.argv[1], "--validate-version", "1.0"]
main()
"""
"""In CSV numbers of accounts look like numbers: here they are read as texts, which the specification says they are."""


def test_the_validator_accepts_the_export(own_server, focus_python, tmp_path):
    """All rules that it has for 1.0, for a function with tags and one with all that has a price of its own."""
    server = own_server().start()
    client = server.client("lambda", account="111122223333")
    make = FunctionMaker(client, newest_python(), "focus")
    make(SOURCE, name="tagged", Tags={"team": "a+b: c"})
    make(SOURCE, name="large", EphemeralStorage={"Size": 1024}, MemorySize=512)
    for _ in range(3):
        invoke(client, "tagged", {})
        invoke(client, "large", {})
    query = urllib.parse.urlencode(around_today() | {"account": "all"})
    with urllib.request.urlopen(f"{server.endpoint}/_lambent/usage/focus?{query}", timeout=60) as answer:
        table = answer.read()
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert {row["ResourceName"] for row in rows} == {"tagged", "large"}
    # Of each day on which something ran.
    assert Counter(name for name, _ in {(row["ResourceName"], row["SkuMeter"]) for row in rows}) == {
        "tagged": 2, "large": 3,
    }  # fmt: skip
    assert {row["Tags"] for row in rows} == {"{}", '{"team":"a+b: c"}'}
    (tmp_path / "export.csv").write_bytes(table)
    # It reads the list of currencies from a folder where it is run, which its package has left out.
    codes = tmp_path / "focus_validator" / "utils" / "currency_codes.csv"
    codes.parent.mkdir(parents=True)
    codes.write_text("currency_codes\nEUR\nUSD\n")

    def validated():
        command = [focus_python, "-c", VALIDATE, "export.csv"]
        return subprocess.run(command, cwd=tmp_path, check=False, timeout=300, capture_output=True, text=True)

    done = validated()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation succeeded" in done.stdout and "failed" not in done.stdout, done.stdout + done.stderr
    # And it would say so.
    (tmp_path / "export.csv").write_bytes(table.replace(b"Usage-Based", b"Sometimes", 1))
    done = validated()
    assert "ChargeFrequency_Enum failed" in done.stdout, done.stdout + done.stderr
