"""
Access key ids, and the unique ids of identities: twenty or twenty-one characters in which the account can be read.

Observed: published write-ups of the format since 2019, which round trips of known pairs confirm: a prefix of four
letters, then Base32. The first forty bits behind the prefix are half of the account, and 2 to the 39th; the bit after
them is the account's last one.
"""

import base64
import re

USER_KEY = "AKIA"
SESSION_KEY = "ASIA"
"""Of temporary credentials, which need a session token."""
ROLE_ID = "AROA"
USER_ID = "AIDA"
GROUP_ID = "AGPA"
POLICY_ID = "ANPA"
INSTANCE_PROFILE_ID = "AIPA"
"""Prefixes. Documented: IAM user guide, unique identifiers."""

_KEY = re.compile(r"(?:AKIA|ASIA)[A-Z2-7]{16}")
_RANDOM_BITS = 39
"""Behind the account's forty-one: eighty in all, sixteen characters."""


def encode_id(prefix: str, account: str, random_hex: str) -> str:
    """
    Return an id of twenty characters (of identities: twenty-one).

    Args:
        account: twelve digits.
        random_hex: at least twenty hexadecimal digits, fresh random ones.
    """
    number = int(account)
    drawn = int(random_hex, 16)
    bits = ((number >> 1) + (1 << 39)) << 40 | (number & 1) << 39 | drawn & ((1 << _RANDOM_BITS) - 1)
    text = prefix + base64.b32encode(bits.to_bytes(10, "big")).decode()
    if prefix in {USER_KEY, SESSION_KEY}:
        return text
    # Documented: ids of identities have one character more.
    return text + "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[drawn >> _RANDOM_BITS & 31]


def account_of_key(access_key: str) -> str | None:
    """Return the account that a key's id names; None where it is none of this format."""
    if _KEY.fullmatch(access_key) is None:
        return None
    bits = int.from_bytes(base64.b32decode(access_key[4:]), "big")
    half = (bits >> 40) - (1 << 39)
    number = half * 2 + (bits >> _RANDOM_BITS & 1)
    return f"{number:012d}" if 0 <= number < 10**12 else None
