"""Roles for tests of what is done in their name, put where the server finds them."""

import contextlib
import json
import sqlite3
import time
import uuid

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def trusting(*principals, services=(), action="sts:AssumeRole", **more):
    """Return a trust policy."""
    named = {}
    if principals:
        named["AWS"] = list(principals)
    if services:
        named["Service"] = list(services)
    statement = {"Effect": "Allow", "Principal": named, "Action": action, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def put_role(server, account, name, trust_policy, **more):
    """Put a role into the database of a server that may be running; return its ARN and id."""
    unique_id = "AROA" + uuid.uuid4().hex[:17].upper()
    path = more.get("path", "/")
    role = {
        "account": account, "name": name, "unique_id": unique_id, "created_at": int(time.time()),
        "trust_policy": json.dumps(trust_policy), **more,
    }  # fmt: skip
    with contextlib.closing(sqlite3.connect(server.data_dir / "state.db", timeout=30)) as database, database:
        database.execute(
            "INSERT INTO identities (account, kind, key, unique_id, revision, document) VALUES (?, 'role', ?, ?, 1, ?)",
            (account, name.lower(), unique_id, json.dumps(role)),
        )
    return f"arn:aws:iam::{account}:role{path}{name}", unique_id
