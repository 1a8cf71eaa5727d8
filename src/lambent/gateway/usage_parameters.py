"""What a question about usage says in its query: each parameter is checked, and named where it is refused."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal
from urllib.parse import parse_qsl

import msgspec

from lambent.domain.usage_periods import InvalidPeriod, UsagePeriod, parse_period
from lambent.errors.families import ApiError
from lambent.store.usage_contract import UsageGroup

ALL: Final = "all"
"""In the place of an account."""

_FIELDS_MAX: Final = 64
_SHOWN_MAX: Final = 60

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_FUNCTION = re.compile(r"[a-zA-Z0-9-_]{1,64}", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_TAG_KEY_MAX, _TAG_VALUE_MAX = 128, 256
"""Documented: TagResource, the limits of a tag."""

Name = Literal["from", "to", "by", "step", "timezone", "function", "account", "region", "tag", "after", "limit"]
_PERIOD: Final[tuple[Name, ...]] = ("from", "to")
_WHOSE: Final[tuple[Name, ...]] = ("function", "account", "region", "tag")
OF_USAGE: Final[tuple[Name, ...]] = (*_PERIOD, "by", "step", "timezone", *_WHOSE)
OF_RECORDS: Final[tuple[Name, ...]] = (*_PERIOD, "timezone", *_WHOSE, "after", "limit")
OF_FOCUS: Final[tuple[Name, ...]] = (*_PERIOD, *_WHOSE)
OF_ADVICE: Final[tuple[Name, ...]] = (*_PERIOD, "by", "timezone", *_WHOSE)
"""Which each path takes."""


class InvalidParameter(ApiError):
    """A parameter cannot be; the text names it."""

    code = "ValidationError"
    status = 400


class Whose(msgspec.Struct, frozen=True):
    """Whose usage. None: of all that the caller may see."""

    account: str | None
    region: str | None
    function: str | None
    tags: Mapping[str, str]


class Parameters:
    """
    The parameters of one request.

    Args:
        query: raw, without the question mark.
        known: those that its path takes.

    Raises:
        InvalidParameter: there is one that it does not take, or one twice.
    """

    def __init__(self, query: str, known: Sequence[Name]) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
        except ValueError:
            raise InvalidParameter(f"there are more than {_FIELDS_MAX} parameters") from None
        self._given: dict[str, str] = {}
        self._tags: list[str] = []
        for name, value in pairs:
            if name not in known:
                raise InvalidParameter(f"{shown(name)} is no parameter here: there are {', '.join(known) or 'none'}")
            if name == "tag":
                self._tags.append(value)
            elif name in self._given:
                raise InvalidParameter(f"{name} is given twice")
            else:
                self._given[name] = value

    def has(self, name: Name) -> bool:
        """Say whether one is given."""
        return name in self._given

    def period(self, now_s: int, *, default_from: str | None = None, timezone: str | None = None) -> UsagePeriod:
        """
        Return the time that is asked for.

        Args:
            default_from: where none is given; None: the first of the month.
            timezone: whose it has to be; None: as given, UTC by default.
        """
        given = self._given
        try:
            return parse_period(
                now_s=now_s,
                from_=given.get("from", default_from),
                to=given.get("to"),
                step=given.get("step", "total"),
                timezone=timezone or given.get("timezone", "UTC"),
            )
        except InvalidPeriod as error:
            raise InvalidParameter(str(error)) from None

    def by(self, allowed: Sequence[UsageGroup] = tuple(UsageGroup)) -> tuple[UsageGroup, str]:
        """Return what usage is told apart by, with the key of a tag."""
        given = self._given.get("by", UsageGroup.FUNCTION.value)
        name, colon, key = given.partition(":")
        group = next((group for group in allowed if group.value == name), None)
        if group is UsageGroup.TAG:
            if not key or len(key) > _TAG_KEY_MAX:
                raise InvalidParameter(f"by: {shown(given)} names no tag's key, as by=tag:team does")
            return group, key
        if group is None or colon:
            names = ", ".join("tag:KEY" if group is UsageGroup.TAG else group.value for group in allowed)
            raise InvalidParameter(f"by: {shown(given)} is none of {names}")
        return group, ""

    def account(self) -> str | None:
        """Return the account that is named, or `all`; None: none."""
        given = self._given.get("account")
        if given is None or given == ALL or _ACCOUNT.fullmatch(given):
            return given
        raise InvalidParameter(f"account: {shown(given)} is neither an account's twelve digits nor {ALL}")

    def whose(self, account: str | None) -> Whose:
        """Return whose usage is asked for, of an account; None: of all."""
        function, region = self._given.get("function"), self._given.get("region")
        if function is not None and not _FUNCTION.fullmatch(function):
            raise InvalidParameter(f"function: {shown(function)} is no function's name")
        if region is not None and not _REGION.fullmatch(region):
            raise InvalidParameter(f"region: {shown(region)} is no region's name")
        return Whose(account, region, function, self._tags_wanted())

    def number(self, name: Literal["after", "limit"], default: int, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        given = self._given.get(name)
        if given is None:
            return default
        if not _NUMBER.fullmatch(given) or not least <= int(given) <= most:
            raise InvalidParameter(f"{name}: {shown(given)} is no whole number from {least} to {most}")
        return int(given)

    def _tags_wanted(self) -> Mapping[str, str]:
        wanted: dict[str, str] = {}
        for given in self._tags:
            key, equals, value = given.partition("=")
            if not (key and equals) or len(key) > _TAG_KEY_MAX or len(value) > _TAG_VALUE_MAX:
                raise InvalidParameter(f"tag: {shown(given)} is not KEY=VALUE")
            if wanted.setdefault(key, value) != value:
                raise InvalidParameter(f"tag: {shown(key)} cannot have two values at once")
        return wanted


def shown(text: str) -> str:
    """Return what somebody sent, as an answer may repeat it."""
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")
