"""
How many invocations may be in flight, and how many are: exactly, call by call.

Plain objects on the event loop: no method awaits, so each is atomic, and each costs the same however much is in flight.
One `Pool` counts what shares a limit: a version with provisioned concurrency has its own and is asked first; then a
function with a reservation has its own, the others share their account's.
"""

from collections import deque
from collections.abc import Callable, Mapping, Set

from lambent.domain.caller import Scope
from lambent.domain.concurrency import Claims, Peaks, ProvisionedPeak, Rate, request_rate, unreserved_executions
from lambent.domain.function import LATEST, FunctionName
from lambent.domain.quotas import Quotas
from lambent.fleet.contract import Throttled

_KEPT_MIN = 1024
"""How many functions of an account, and accounts, are remembered before the idle ones are looked for and dropped."""


class Tally:
    """
    How many callers of somebody wait for an answer, and the most that did since this was last asked.

    What has been answered counts no more, though its runtime has yet to ask for the next event: a caller that comes
    back at once does not make two of one.
    """

    __slots__ = ("peak", "running")

    def __init__(self) -> None:
        self.running = 0
        self.peak = 0

    def take_peak(self) -> int:
        """Return the most since the last call; those that wait now count for the next one as well."""
        peak, self.peak = self.peak, self.running
        return peak


class Pool:
    """Executions that share one limit."""

    __slots__ = ("answered", "most", "over_rate", "running", "tally", "too_many", "waiting")

    def __init__(self, most: int, too_many: str, over_rate: str) -> None:
        self.most = most
        self.too_many = too_many
        """The Reason when all are taken."""
        self.over_rate = over_rate
        """The Reason when calls come too fast."""
        self.running = 0
        """Granted and not over. More than `most` only while a limit that sank waits for invocations to end."""
        self.tally = Tally()
        self.answered = 0
        """Those of `running` whose caller has its answer: the runtime is about to ask for the next event."""
        self.waiting: deque[Callable[[], None]] = deque()
        """Calls that wait for one of those; each is told once, and asks again."""


class Grant:
    """The right to one invocation in flight. It counts until `release`."""

    __slots__ = ("_has_answer", "_is_over", "_share", "is_provisioned")

    def __init__(self, share: "Share") -> None:
        self._share = share
        self.is_provisioned: bool | None = None
        """Whether it counts as one that its version has provisioned; None where that has provisioned none."""
        self._has_answer = False
        self._is_over = False

    def answer(self) -> None:
        """Say that the caller has its answer. Nothing happens when the invocation is over by then."""
        if not self._is_over:
            self._has_answer = True
            share = self._share
            share.answered += 1
            share.pool.answered += 1
            share.untally()

    def release(self) -> None:
        """Say that the invocation is over. Called exactly once."""
        assert not self._is_over, "a slot was returned twice"
        self._is_over = True
        share = self._share
        pool = share.pool
        share.running -= 1
        pool.running -= 1
        assert share.running >= 0 and pool.running >= 0
        if self._has_answer:
            share.answered -= 1
            pool.answered -= 1
        else:
            share.untally()
        if pool.waiting:
            pool.waiting.popleft()()


class Share:
    """Invocations in flight that count together, and the pool that they count in now."""

    __slots__ = ("answered", "of_account", "of_function", "pool", "running")

    def __init__(self, pool: Pool, of_function: Tally, of_account: Tally) -> None:
        self.pool = pool
        self.of_function = of_function
        self.of_account = of_account
        self.running = 0
        self.answered = 0

    def take(self) -> Grant:
        """Count one more invocation, for which the pool has room."""
        self.running += 1
        self.pool.running += 1
        # Neither a loop nor `max`, which would cost more than the rest: every invocation comes through here.
        tally = self.pool.tally
        tally.running += 1
        if tally.running > tally.peak:  # noqa: PLR1730
            tally.peak = tally.running
        tally = self.of_function
        tally.running += 1
        if tally.running > tally.peak:  # noqa: PLR1730
            tally.peak = tally.running
        tally = self.of_account
        tally.running += 1
        if tally.running > tally.peak:  # noqa: PLR1730
            tally.peak = tally.running
        return Grant(self)

    def untally(self) -> None:
        """Count one less that waits for an answer."""
        self.pool.tally.running -= 1
        self.of_function.running -= 1
        self.of_account.running -= 1

    def move(self, pool: Pool) -> None:
        """Count in another pool from now on, with what is in flight."""
        self.pool.running -= self.running
        self.pool.answered -= self.answered
        _wake(self.pool)
        pool.running += self.running
        pool.answered += self.answered
        unanswered = self.running - self.answered
        self.pool.tally.running -= unanswered
        pool.tally.running += unanswered
        pool.tally.peak = max(pool.tally.peak, pool.tally.running)
        self.pool = pool


class FunctionSlots:
    """One function's invocations in flight, of all its versions, and the pools that they count in now."""

    __slots__ = ("_former", "_of_account", "provisioned", "rate", "reserved", "share", "tally")

    def __init__(self, pool: Pool, rate: Rate, of_account: Tally) -> None:
        self.tally = Tally()
        """Of all that counts below."""
        self._of_account = of_account
        self.share = Share(pool, self.tally, of_account)
        """What counts in the function's reservation or in its account."""
        self.rate = rate
        self.reserved: int | None = None
        """What all of them may be, whichever pools they count in; None without a reservation."""
        self.provisioned: dict[str, Share] = {}
        """What counts in the provisioned concurrency of a version, each in a pool of its own."""
        self._former: list[Share] = []
        """Those of versions that have none any more: what is in flight counts with the function now."""

    @property
    def running(self) -> int:
        shares = (self.share, *self.provisioned.values(), *self._former)
        return sum(share.running for share in shares)

    @property
    def answered(self) -> int:
        shares = (self.share, *self.provisioned.values(), *self._former)
        return sum(share.answered for share in shares)

    def move(self, pool: Pool, rate: Rate) -> None:
        """Count in another pool from now on, with what is in flight."""
        self.rate = rate
        for share in (self.share, *self._former):
            share.move(pool)

    def provision(self, versions: Mapping[str, int], reserved: int | None) -> None:
        """
        Have so many invocations of each version count apart from now on; of no version, with an empty mapping.

        Args:
            reserved: of the function, what is provisioned included; None without a reservation.
        """
        self.reserved = reserved
        for version in self.provisioned.keys() - versions.keys():
            share = self.provisioned.pop(version)
            share.move(self.share.pool)
            self._former.append(share)
        self._former = [share for share in self._former if share.running]
        for version, most in versions.items():
            share = self.provisioned.get(version) or Share(_provisioned_pool(most), self.tally, self._of_account)
            self.provisioned[version] = share
            share.pool.most = most
            _wake(share.pool)


class AccountSlots:
    """The invocations in flight of one account in one region, and what its functions claim."""

    __slots__ = (
        "_claims",
        "_functions",
        "_is_open",
        "_kept_max",
        "_quotas",
        "_read_at",
        "_tally",
        "_unreserved",
        "changes",
        "is_current",
    )

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._is_open = quotas.is_open
        self._claims = Claims()
        self._unreserved = Pool(
            quotas.concurrent_executions, "ConcurrentInvocationLimitExceeded", "FunctionInvocationRateLimitExceeded"
        )
        self._functions: dict[FunctionName, FunctionSlots] = {}
        self._tally = Tally()
        self._kept_max = _KEPT_MIN
        self._read_at = -1
        self.changes = 0
        """How many change notices there were."""
        self.is_current = False
        """Whether the claims were read after the last change notice."""

    def note_change(self) -> None:
        """Have the claims be read again before the next call."""
        self.changes += 1
        self.is_current = False

    def claim(self, claims: Claims, as_of: int, quotas: Quotas | None = None) -> None:
        """
        Take over what the account's functions reserve and have provisioned: it acts for the next call.

        What is in flight stays, and counts where its function belongs now. A reading that a newer one overtook changes
        nothing.

        Args:
            as_of: `changes` before the claims were read.
            quotas: the account's limits now; None: as they were.
        """
        if as_of < self._read_at:
            return
        self._read_at = as_of
        self.is_current = as_of == self.changes
        before, self._claims = self._claims, claims
        if quotas is not None and quotas != self._quotas:
            self._limit(quotas)
        elif claims == before:
            return
        for name in _names(before) | _names(claims):
            function = self._functions.get(name)
            if function is None or _of(name, claims) == _of(name, before):
                continue
            reserved = claims.reserved.get(name)
            if reserved != before.reserved.get(name) or self._shared(name, claims) != self._shared(name, before):
                function.move(*self._place(name))
            function.provision(claims.provisioned.get(name, {}), reserved)
        self._unreserved.most = unreserved_executions(claims.kept_aside_by_all(), self._quotas)
        _wake(self._unreserved)

    def _limit(self, quotas: Quotas) -> None:
        """Take other limits over: how fast functions that share the account's may be called follows from them."""
        self._quotas = quotas
        self._is_open = quotas.is_open
        for function in self._functions.values():
            if function.share.pool is self._unreserved:
                function.rate = request_rate(quotas.concurrent_executions)

    def take(self, name: FunctionName, now: float, version: str = LATEST) -> Grant:
        """
        Count one more invocation of a function: as one that its version has provisioned, if there is one left.

        Raises:
            Throttled: a limit is reached. Nothing was counted.
        """
        if not self._is_open:
            # What was closed is full: callers come again later, and events wait until they are too old.
            raise Throttled(self._unreserved.too_many)
        function = self._functions.get(name)
        if function is None:
            function = self._add(name, now)
        share, own = function.share, None
        if function.provisioned:
            # Documented: Lambda developer guide, provisioned concurrency: what it cannot serve runs as the rest does.
            own = function.provisioned.get(version)
            if own is not None and own.pool.running < own.pool.most:
                share = own
            if function.reserved is not None and function.running >= function.reserved:
                # Only just after a change: what runs may be more in one pool than its part is now.
                raise Throttled(function.share.pool.too_many)
        pool = share.pool
        # Assumed: concurrency comes first, and a call that it refuses takes nothing of the rate (test_slots).
        if pool.running >= pool.most:
            raise Throttled(pool.too_many)
        if not function.rate.take(now):
            raise Throttled(pool.over_rate)
        grant = share.take()
        if own is not None:
            grant.is_provisioned = share is own
        return grant

    def take_peaks(self) -> Peaks | None:
        """Return the most that was in flight since the last call, and begin anew; None where nothing was."""
        account = self._tally.take_peak()
        if not account:
            return None
        functions: list[tuple[FunctionName, int]] = []
        provisioned: list[ProvisionedPeak] = []
        for name, function in self._functions.items():
            peak = function.tally.take_peak()
            if peak:
                functions.append((name, peak))
                for version, share in function.provisioned.items():
                    provisioned.append(ProvisionedPeak(name, version, share.pool.tally.take_peak(), share.pool.most))
        unreserved = self._unreserved.tally.take_peak()
        return Peaks(functions, account, unreserved, unreserved + self._claims.kept_aside_by_all(), provisioned)

    def pool_about_to_free(self, name: FunctionName, version: str = LATEST) -> Pool | None:
        """
        Return a pool that the call could count in if it is full, but only for a moment: once those of its invocations
        are over that have been answered, there is room for one more than the calls that wait already.
        """
        function = self._functions.get(name)
        if function is None or not self._is_open:
            return None
        for share in (function.provisioned.get(version), function.share):
            if share is not None:
                pool = share.pool
                if pool.running >= pool.most > pool.running - pool.answered + len(pool.waiting):
                    return pool
        return None

    def room(self, name: FunctionName, now: float) -> int:
        """
        Return how many more invocations of a function, of whichever versions, would be let through now, or in the
        moment that those take to end which have been answered.
        """
        if not self._is_open:
            return 0
        function = self._functions.get(name) or self._add(name, now)
        pool = function.share.pool
        room = pool.most - pool.running + pool.answered
        if function.provisioned:
            pools = [share.pool for share in function.provisioned.values()]
            room = max(room, 0) + sum(max(pool.most - pool.running + pool.answered, 0) for pool in pools)
        if function.reserved is not None:
            room = min(room, function.reserved - function.running + function.answered)
        return max(min(room, function.rate.left(now)), 0)

    def is_closed(self, name: FunctionName) -> bool:
        """
        Say whether a reservation of 0 keeps a function from running at all.

        A closed account is another matter: its events are not given up, they wait for it to be opened.
        """
        return self._claims.reserved.get(name) == 0

    def in_flight(self, name: FunctionName) -> int:
        """Return how many invocations of a function count."""
        function = self._functions.get(name)
        return 0 if function is None else function.running

    def is_idle(self, now: float) -> bool:
        """Say whether forgetting the account would change nothing but that its claims must be read again."""
        return all(_is_idle(function, now) for function in self._functions.values())

    def _add(self, name: FunctionName, now: float) -> FunctionSlots:
        if len(self._functions) >= self._kept_max:
            self._functions = {kept: one for kept, one in self._functions.items() if not _is_idle(one, now)}
            # Twice what is left: looking through them stays cheap, however many are busy.
            self._kept_max = max(_KEPT_MIN, 2 * len(self._functions))
        function = FunctionSlots(*self._place(name), self._tally)
        function.provision(self._claims.provisioned.get(name, {}), self._claims.reserved.get(name))
        self._functions[name] = function
        return function

    def _place(self, name: FunctionName) -> tuple[Pool, Rate]:
        """Return where a function counts what none of its versions has provisioned, and how fast it may be called."""
        shared = self._shared(name, self._claims)
        if shared is None:
            return self._unreserved, request_rate(self._quotas.concurrent_executions)
        pool = Pool(
            shared, "ReservedFunctionConcurrentInvocationLimitExceeded", "ReservedFunctionInvocationRateLimitExceeded"
        )
        return pool, request_rate(max(self._claims.reserved[name], 1))

    @staticmethod
    def _shared(name: FunctionName, claims: Claims) -> int | None:
        """Return what is left of a function's reservation to what no version has provisioned; None without one."""
        reserved = claims.reserved.get(name)
        return None if reserved is None else max(reserved - claims.provisioned_of(name), 0)


class Slots:
    """
    The accounts' invocations in flight.

    Args:
        quotas: the limits of an account and region until its own are read.
    """

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._accounts: dict[Scope, AccountSlots] = {}
        self._kept_max = _KEPT_MIN

    def account(self, scope: Scope, now: float) -> AccountSlots:
        """Return what counts for a scope. An idle one is forgotten when there are many: do not keep it."""
        account = self._accounts.get(scope)
        if account is None:
            if len(self._accounts) >= self._kept_max:
                self._accounts = {kept: one for kept, one in self._accounts.items() if not one.is_idle(now)}
                self._kept_max = max(_KEPT_MIN, 2 * len(self._accounts))
            account = self._accounts[scope] = AccountSlots(self._quotas)
        return account

    def take_peaks(self) -> list[tuple[Scope, Peaks]]:
        """Return, of each account in which anything was, the most that was in flight since the last call."""
        found = ((scope, account.take_peaks()) for scope, account in self._accounts.items())
        return [(scope, peaks) for scope, peaks in found if peaks is not None]

    def note_change(self, scope: Scope) -> None:
        """Have a scope's claims be read again before its next call."""
        account = self._accounts.get(scope)
        if account is not None:
            account.note_change()

    def note_account_change(self, number: str) -> None:
        """Have the claims and the limits of an account, in all its regions, be read again before its next call."""
        for scope, account in self._accounts.items():
            if scope.account == number:
                account.note_change()


def _is_idle(function: FunctionSlots, now: float) -> bool:
    # A peak that nobody has asked for yet is something to remember. It is asked for every few seconds.
    return not function.running and not function.tally.peak and function.rate.is_full(now)


def _names(claims: Claims) -> Set[FunctionName]:
    return claims.reserved.keys() | claims.provisioned.keys()


def _of(name: FunctionName, claims: Claims) -> tuple[int | None, Mapping[str, int]]:
    return claims.reserved.get(name), claims.provisioned.get(name, {})


def _provisioned_pool(most: int) -> Pool:
    # Nobody is refused by this pool: a call that finds it full counts elsewhere. Its rate is the function's.
    return Pool(most, "ConcurrentInvocationLimitExceeded", "FunctionInvocationRateLimitExceeded")


def _wake(pool: Pool) -> None:
    """Have the calls ask again that waited for room in a pool whose limit, or whose functions, changed."""
    while pool.waiting:
        pool.waiting.popleft()()
