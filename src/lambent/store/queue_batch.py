"""
One commit of the event queue: many calls of many callers, applied to the tables in one transaction.

Synchronous, for a `ConnectionThread`. The rows of the queues that a batch names are locked first and in order, so that
what is decided here is still true at the commit, on either database. Within a batch events are finished before new ones
are put and claimed: that makes room, and callers that did not wait for each other have no order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from lambent.store import queue_statements as sql
from lambent.store.contract import (
    BODY_LARGE_BYTES,
    CLAIMS_MAX,
    DEDUPLICATION_S,
    MADE_BY_PUT,
    Claim,
    Conflict,
    Done,
    Extend,
    Hold,
    NewEvent,
    NoSuchQueue,
    Outcome,
    Put,
    QueueFull,
    QueueName,
    QueueRules,
    Receipt,
    Retry,
    Step,
)
from lambent.store.engine_time import SECOND_US
from lambent.store.prepared import Prepared, padded
from lambent.store.queue_calls import (
    NAMES_AT_ONCE,
    Addition,
    Applied,
    BlobVanished,
    Call,
    ClaimCall,
    ClaimedRows,
    DefineCall,
    DropCall,
    PutCall,
    SettleCall,
    additions_of,
    names_of,
    path_of,
    queue_at,
)

_ALIKE_MIN = 4
"""Events that are finished without a look at each; of fewer, the two statements cost as much. Assumed."""

_encode_rules = msgspec.json.encode
_decode_rules = msgspec.json.Decoder(QueueRules).decode
_DEFAULT_RULES = QueueRules()
_DEFAULT_RULES_TEXT = _encode_rules(_DEFAULT_RULES).decode()


class _Allowance:
    """
    What a claim's events may take.

    Args:
        bytes_max: None without a limit.
    """

    __slots__ = ("_has_given", "_left", "is_spent")

    def __init__(self, bytes_max: int | None) -> None:
        self._left = bytes_max
        self._has_given = False
        self.is_spent = False
        """Whether an event did not fit: none that comes behind it is given, either."""

    def take(self, rows: list[Any]) -> list[Any]:
        """Return as many of the first of some events as fit; at least one in all."""
        if self._left is None:
            return rows
        for number, row in enumerate(rows):
            size = len(row.attributes) + (BODY_LARGE_BYTES if row.body is None else len(row.body))
            if self.is_spent or (self._has_given and size > self._left):
                self.is_spent = True
                return rows[:number]
            self._has_given = True
            self._left -= size
        return rows


class _Queue:
    """A locked row of a queue, and what the batch makes of it."""

    __slots__ = ("content_id", "count", "count_before", "is_changed", "is_new", "name", "path", "revision", "rules")

    def __init__(
        self, name: QueueName, path: str, content_id: int, count: int, revision: int, rules: QueueRules, is_new: bool
    ) -> None:
        self.name = name
        self.path = path
        self.content_id = content_id
        self.count = count
        self.revision = revision
        self.rules = rules
        self.is_new = is_new
        self.is_changed = False

    def add(self, more: int) -> None:
        self.count += more
        self.is_changed = True
        assert self.count >= 0, self.path


class _Held:
    """An event that a step is about."""

    __slots__ = ("content_id", "due_us", "epoch", "group", "is_leased", "sha256")

    def __init__(self, row: Any) -> None:
        _, self.content_id, self.is_leased, self.due_us, self.epoch, self.group, self.sha256 = row


class Batch:
    """
    Applies calls to the tables. Made for one transaction.

    Args:
        tick: the engine's time in microseconds; each call gives a later one.
        now_ms: the wall clock's time.
        room: how many more events all queues together may hold.
        holds_blob: says whether a blob is stored. Blobs are swept under the same lock, so it stays true.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        tick: Callable[[], int],
        now_ms: int,
        room: int,
        holds_blob: Callable[[str], bool],
    ) -> None:
        self._core = connection
        self._connection = Prepared(connection)
        self._tick = tick
        self._now_us = tick()
        self._now_ms = now_ms
        self._room = room
        self._holds_blob = holds_blob
        self._queues: dict[QueueName, _Queue] = {}
        self._next_number = 0
        self._first_number = 0
        self._inserts: list[dict[str, Any]] = []
        self._remembered: dict[tuple[int, str], tuple[int, str]] = {}
        self._to_remember: dict[tuple[int, str], dict[str, Any]] = {}
        self._asked: set[tuple[int, str]] = set()
        self._new_groups: dict[tuple[int, str], dict[str, Any]] = {}
        self._touched_groups: dict[tuple[int, str], QueueName] = {}
        self._due_us: dict[QueueName, int] = {}
        self._freed: set[str] = set()
        self._more = 0
        self._is_dirty = False

    def expire(self, name: QueueName, most: int) -> Applied:
        """Drop events of a queue that are beyond their retention, some at a time."""
        self._load([name])
        for queue in self._queues.values():
            for is_leased in (0, 1):
                now_us = self._tick()
                key = {"of_content": queue.content_id, "now_us": now_us, "most": most, "leased": is_leased}
                for row in self._connection.execute(sql.DUE, key).all():
                    if not self._is_beyond(queue, row, now_us):
                        # Those that follow became due later, and so are younger but for some that were given back.
                        break
                    self._discard(queue, row)
                    if row.group_key is not None:
                        self._touched_groups[queue.content_id, row.group_key] = queue.name
        self._settle_groups()
        self._write_queues()
        return Applied([], self._due_s(), self._freed, self._more)

    def apply(self, calls: Sequence[Call]) -> Applied:
        """Apply calls; what one of them is refused is its result, and the others go on."""
        results: list[Any] = [None] * len(calls)
        self._load(names_of(calls))
        self._load(
            queue.rules.redrive_to
            for call in calls
            if isinstance(call, ClaimCall)
            for queue in map(self._queues.get, call.room)
            if queue is not None and queue.rules.redrive_to is not None
        )
        self._reserve_numbers(calls)
        sorted_calls: dict[type[Call], list[tuple[int, Any]]] = {
            kind: [] for kind in (SettleCall, DropCall, DefineCall, PutCall, ClaimCall)
        }
        for index, call in enumerate(calls):
            if (refusal := self._refusal(call)) is not None:
                results[index] = refusal
            else:
                sorted_calls[type(call)].append((index, call))
        self._settle(sorted_calls[SettleCall], results)
        for index, call in sorted_calls[DropCall]:
            results[index] = self._drop(call)
        for index, call in sorted_calls[DefineCall]:
            results[index] = self._define(call)
        self._put(sorted_calls[PutCall], results)
        self._write_additions()
        self._settle_groups()
        self._claim(sorted_calls[ClaimCall], results)
        self._write_queues()
        return Applied(results, self._due_s(), self._freed, self._more)

    # Queues

    def _load(self, names: Iterable[QueueName]) -> None:
        by_path = {path_of(name): name for name in set(names) if name not in self._queues}
        paths = sorted(by_path)
        for start in range(0, len(paths), NAMES_AT_ONCE):
            chunk = paths[start : start + NAMES_AT_ONCE]
            asked = padded(chunk, NAMES_AT_ONCE)
            key = {f"path_{number}": path for number, path in enumerate(asked)}
            for path, content_id, count, revision, rules in self._connection.execute(sql.queues(len(asked)), key):
                name = by_path[path]
                parsed = _DEFAULT_RULES if rules == _DEFAULT_RULES_TEXT else _decode_rules(rules)
                self._queues[name] = _Queue(name, path, content_id, count, revision, parsed, is_new=False)

    def _reserve_numbers(self, calls: Sequence[Call]) -> None:
        """Read the next free number, where some may be needed. Those that are not used stay free."""
        if any(
            not isinstance(call, ClaimCall)
            and (not isinstance(call, SettleCall) or any(then for _, then in call.steps))
            for call in calls
        ):
            self._next_number = self._first_number = self._connection.execute(sql.NUMBERS).scalar_one()

    def _number(self) -> int:
        assert self._next_number > 0
        self._next_number += 1
        return self._next_number - 1

    def _refusal(self, call: Call) -> Exception | None:
        """Find what is wrong with a call as a whole before any of it happens."""
        for event, sha256 in additions_of(call):
            queue = self._queues.get(event.queue)
            if queue is not None and queue.rules.is_fifo != (event.group is not None):
                return ValueError(f"{queue.path}: events of a FIFO queue have a group, others have none")
            if event.deduplication_id is not None and event.group is None:
                return ValueError(f"{path_of(event.queue)}: only FIFO queues deduplicate")
            if sha256 is not None and not self._holds_blob(sha256):
                return BlobVanished(sha256)
        return None

    def _define(self, call: DefineCall) -> int | Exception:
        queue = self._queues.get(call.queue)
        found = 0 if queue is None else queue.revision
        if call.revision is not None and call.revision != found:
            return Conflict(f"{path_of(call.queue)} has revision {found} and not {call.revision}")
        rules = _encode_rules(call.rules).decode()
        self._is_dirty = True
        if queue is None:
            queue = self._make(call.queue, call.rules)
            self._connection.execute(
                sql.INSERT_QUEUE,
                {
                    "path": queue.path,
                    "content_id": queue.content_id,
                    "event_count": 0,
                    "revision": 1,
                    "rules": rules,
                    "document": call.document,
                },
            )
            queue.is_new = False
            return 1
        if queue.rules.is_fifo != call.rules.is_fifo:
            return Conflict(f"{queue.path} is defined, and cannot change between FIFO and standard")
        queue.revision += 1
        queue.rules = call.rules
        self._write_new(queue)
        self._connection.execute(
            sql.UPDATE_DEFINITION,
            {
                "of_path": queue.path,
                "new_rules": rules,
                "new_document": call.document,
                "new_revision": queue.revision,
            },
        )
        return queue.revision

    def _drop(self, call: DropCall) -> bool:
        queue = self._queues.get(call.queue)
        if queue is None:
            return False
        self._is_dirty = True
        self._write_new(queue)
        self._connection.execute(sql.DROP_CONTENT, {"content_id": queue.content_id})
        self._count(queue, -queue.count)
        if call.keeps_definition:
            queue.content_id = self._number()
            queue.is_changed = True
        else:
            self._connection.execute(sql.DELETE_QUEUE, {"of_path": queue.path})
            del self._queues[call.queue]
        return True

    def _make(self, name: QueueName, rules: QueueRules) -> _Queue:
        queue = _Queue(name, path_of(name), self._number(), 0, 1, rules, is_new=True)
        self._queues[name] = queue
        return queue

    def _write_new(self, queue: _Queue) -> None:
        """Write the row of a queue that a put made."""
        if queue.is_new:
            self._connection.execute(
                sql.INSERT_QUEUE,
                {
                    "path": queue.path,
                    "content_id": queue.content_id,
                    "event_count": queue.count,
                    "revision": queue.revision,
                    "rules": _DEFAULT_RULES_TEXT,
                    "document": b"",
                },
            )
            queue.is_new = False

    def _write_queues(self) -> None:
        changed = []
        for queue in self._queues.values():
            if queue.is_new:
                self._write_new(queue)
            elif queue.is_changed:
                changed.append({"of_path": queue.path, "new_count": queue.count, "new_content": queue.content_id})
        if changed:
            self._connection.execute(sql.UPDATE_COUNT, changed)
        if self._next_number > self._first_number:
            # What takes numbers is dirty as well: one statement for both.
            self._connection.execute(sql.TAKE_NUMBERS, {"next_free": self._next_number, "now_us": self._tick()})
        elif self._is_dirty:
            self._connection.execute(sql.SET_LATEST, {"now_us": self._tick()})

    def _count(self, queue: _Queue, more: int) -> None:
        queue.add(more)
        self._more += more
        self._room -= more
        self._is_dirty = True

    def _due_s(self) -> dict[QueueName, float]:
        return {name: max(0, due - self._now_us) / SECOND_US for name, due in self._due_us.items()}

    def _tell(self, name: QueueName, due_us: int) -> None:
        known = self._due_us.get(name)
        if known is None or due_us < known:
            self._due_us[name] = due_us

    # Steps

    def _settle(self, calls: list[tuple[int, SettleCall]], results: list[Any]) -> None:
        if not calls:
            return
        finished = self._finish_alike(calls)
        steps = [step for _, call in calls for step, _ in call.steps]
        held = self._held({step.receipt.sequence for step in steps} - finished)
        deletes: list[int] = []
        moves: list[dict[str, Any]] = []
        attributes: list[dict[str, Any]] = []
        for index, call in calls:
            outcomes: list[Outcome] = []
            for step, then in call.steps:
                sequence = step.receipt.sequence
                if sequence in finished:
                    outcomes.append(Outcome.HAPPENED)
                    continue
                event = held.get(sequence)
                outcome = self._may_step(step, event, then)
                outcomes.append(outcome)
                if outcome is not Outcome.HAPPENED:
                    self._freed.update(addition.sha256 for addition in then if addition.sha256 is not None)
                    continue
                assert event is not None
                queue = self._queues[step.receipt.queue]
                if isinstance(step, Done):
                    del held[sequence]
                    deletes.append(sequence)
                    self._count(queue, -1)
                    if event.sha256 is not None:
                        self._freed.add(event.sha256)
                else:
                    _reschedule(event, step, self._tick())
                    moves.append({"of_sequence": sequence, "new_leased": event.is_leased, "new_due": event.due_us})
                    if isinstance(step, Retry) and step.attributes is not None:
                        attributes.append({"of_sequence": sequence, "new_attributes": step.attributes})
                    if event.group is None:
                        self._tell(queue.name, event.due_us)
                if event.group is not None:
                    self._touched_groups[queue.content_id, event.group] = queue.name
            results[index] = outcomes
        if moves:
            self._is_dirty = True
            self._connection.execute(sql.MOVE_DUE, moves)
        if attributes:
            self._connection.execute(sql.SET_ATTRIBUTES, attributes)
        self._delete(deletes)

    def _finish_alike(self, calls: list[tuple[int, SettleCall]]) -> set[int]:
        """
        Finish events of which nothing follows and that are held in the same way, as those of a backlog mostly are;
        return which. One look tells what they have in common, and reads no row of them.
        """
        seen: set[int] = set()
        repeated: set[int] = set()
        alike: dict[tuple[QueueName, int], list[int]] = {}
        for _, call in calls:
            for step, then in call.steps:
                name, sequence, epoch = step.receipt.queue, step.receipt.sequence, step.receipt.epoch
                if sequence in seen:
                    repeated.add(sequence)
                seen.add(sequence)
                if isinstance(step, Done) and not then and step.hold is Hold.CURRENT and name in self._queues:
                    alike.setdefault((name, epoch), []).append(sequence)
        finished: set[int] = set()
        for (name, epoch), sequences in alike.items():
            if len(sequences) < _ALIKE_MIN or not repeated.isdisjoint(sequences):
                continue
            queue = self._queues[name]
            content_id = queue.content_id
            expected = (content_id, content_id, epoch, epoch, 0, 0)
            if all(
                self._connection.execute(sql.alike(count), key).one() == (len(set(key.values())), *expected)
                for count, key in _keys(sequences)
            ):
                self._delete(sequences)
                self._count(queue, -len(sequences))
                finished.update(sequences)
        return finished

    def _delete(self, sequences: Sequence[int]) -> None:
        for count, key in _keys(sequences):
            self._connection.execute(sql.delete_events(count), key)

    def _held(self, sequences: Iterable[int]) -> dict[int, _Held]:
        found: dict[int, _Held] = {}
        for count, key in _keys(sorted(sequences)):
            for row in self._connection.execute(sql.held(count), key):
                found[row[0]] = _Held(row)
        return found

    def _may_step(self, step: Step, event: _Held | None, then: tuple[Addition, ...]) -> Outcome:
        """Decide about one step; when it may happen, what follows from it has been admitted."""
        queue = self._queues.get(step.receipt.queue)
        if event is None or queue is None or event.content_id != queue.content_id:
            return Outcome.GONE
        if step.hold is not Hold.ANY and event.epoch != step.receipt.epoch:
            return Outcome.LOST
        if step.hold is Hold.UNEXPIRED and not (event.is_leased and event.due_us > self._now_us):
            return Outcome.EXPIRED
        # What leaves makes room for what follows, also where that goes into the same queue.
        leaving = int(isinstance(step, Done))
        try:
            self._admit(then, leaving=(queue, leaving))
        except QueueFull:
            return Outcome.FULL
        except NoSuchQueue:
            return Outcome.NO_QUEUE
        return Outcome.HAPPENED

    # Additions

    def _put(self, calls: list[tuple[int, PutCall]], results: list[Any]) -> None:
        self._recall(addition for _, call in calls for addition in call.additions)
        for index, call in calls:
            try:
                results[index] = self._admit(call.additions)
            except (QueueFull, NoSuchQueue) as refusal:
                results[index] = refusal

    def _recall(self, additions: Iterable[Addition]) -> None:
        """Read which deduplication ids are remembered."""
        keys = {
            key
            for addition in additions
            if addition.event.deduplication_id is not None
            and (key := self._deduplication_key(addition.event)) is not None
        }
        if not keys:
            return
        unknown = sorted(keys - self._asked)
        self._asked.update(unknown)
        for start in range(0, len(unknown), NAMES_AT_ONCE):
            chunk = unknown[start : start + NAMES_AT_ONCE]
            for content_id, key, sequence, id_ in self._core.execute(
                sql.REMEMBERED, {"keys": chunk, "now_us": self._now_us}
            ):
                self._remembered[content_id, key] = (sequence, id_)

    def _deduplication_key(self, event: NewEvent) -> tuple[int, str] | None:
        if event.deduplication_id is None or (queue := self._queues.get(event.queue)) is None:
            return None
        # A group has at most 128 characters and no control characters, so that the two never run into each other.
        by_group = queue.rules.deduplicates_by_group
        key = f"{event.group}\x1f{event.deduplication_id}" if by_group else event.deduplication_id
        return queue.content_id, key

    def _admit(self, additions: tuple[Addition, ...], leaving: tuple[_Queue, int] | None = None) -> list[Put]:
        """
        Take events in, all or none.

        Raises:
            QueueFull: they do not fit.
            NoSuchQueue: a queue is not defined.
        """
        if not additions:
            return []
        self._recall(additions)
        wanted: dict[QueueName, int] = {}
        first: dict[tuple[int, str], int] = {}
        repeats: list[tuple[int, str] | None] = []
        for position, addition in enumerate(additions):
            event = addition.event
            if event.queue not in self._queues and event.queue.kind not in MADE_BY_PUT:
                raise NoSuchQueue(f"there is no queue {path_of(event.queue)}")
            key = self._deduplication_key(event)
            if key is not None and (key in self._remembered or first.setdefault(key, position) != position):
                repeats.append(key)
            else:
                repeats.append(None)
                wanted[event.queue] = wanted.get(event.queue, 0) + 1
        for name, count in wanted.items():
            queue = self._queues.get(name)
            stays = 0 if queue is None else queue.count
            if leaving is not None and leaving[0] is queue:
                stays -= leaving[1]
            most = (_DEFAULT_RULES if queue is None else queue.rules).events_max
            if stays + count > most:
                raise QueueFull(f"{path_of(name)} holds {stays} of at most {most} events: put again when some are done")
        # What follows from an event that ends was let in with it: where all is full, nothing would ever get out.
        is_end = leaving is not None and leaving[1] > 0
        if not is_end and sum(wanted.values()) > self._room:
            raise QueueFull("all queues together hold as many events as they may: put again when some are done")
        return [self._add(addition, repeat) for addition, repeat in zip(additions, repeats, strict=True)]

    def _add(self, addition: Addition, repeat: tuple[int, str] | None) -> Put:
        event, sha256 = addition
        if repeat is not None:
            sequence, id_ = self._remembered[repeat]
            if sha256 is not None:
                self._freed.add(sha256)
            return Put(id=id_, sequence=sequence, is_duplicate=True)
        queue = self._queues.get(event.queue) or self._make(event.queue, _DEFAULT_RULES)
        sequence = self._number()
        due_us = self._now_us + int(event.delay_s * SECOND_US)
        self._inserts.append(
            {
                "sequence": sequence,
                "content_id": queue.content_id,
                "is_leased": 0,
                "due_us": due_us,
                "entered_us": self._now_us,
                "sent_ms": self._now_ms,
                "first_claimed_ms": None,
                "claim_count": 0,
                "id": event.id,
                "group_key": event.group,
                "deduplication_id": event.deduplication_id,
                "redriven_from": None,
                "attributes": event.attributes,
                "body": event.body if sha256 is None else None,
                "body_sha256": sha256,
            }
        )
        self._count(queue, 1)
        self._tell(queue.name, due_us)
        key = self._deduplication_key(event)
        if key is not None:
            self._remembered[key] = (sequence, event.id)
            self._to_remember[key] = {
                "content_id": key[0],
                "key": key[1],
                "until_us": self._now_us + DEDUPLICATION_S * SECOND_US,
                "sequence": sequence,
                "id": event.id,
            }
        if event.group is not None:
            self._new_groups.setdefault(
                (queue.content_id, event.group),
                {
                    "of_content": queue.content_id,
                    "of_group": event.group,
                    "new_due": due_us,
                    "new_head": sequence,
                },
            )
        return Put(id=event.id, sequence=sequence)

    def _write_additions(self) -> None:
        if self._inserts:
            self._connection.execute(sql.INSERT_EVENT, self._inserts)
        if self._to_remember:
            # What is remembered no longer may still be there.
            self._connection.execute(
                sql.FORGET, [{"of_content": content, "of_key": key} for content, key in self._to_remember]
            )
            self._connection.execute(sql.REMEMBER, list(self._to_remember.values()))
        self._write_groups()

    def _write_groups(self) -> None:
        if self._new_groups:
            self._connection.execute(sql.ADD_GROUP, list(self._new_groups.values()))
            self._new_groups.clear()

    def _settle_groups(self) -> None:
        """Bring the groups of which events left, or moved in time, up to date."""
        for (content_id, group), name in self._touched_groups.items():
            key = {"of_content": content_id, "of_group": group}
            head = self._connection.execute(sql.HEAD, key).first()
            if head is None:
                self._connection.execute(sql.DELETE_GROUP, key)
                continue
            # A group that becomes available waits behind those that were so before it.
            due_us = max(head[1], self._tick())
            self._connection.execute(sql.UPDATE_GROUP, {**key, "new_due": due_us, "new_head": head[0]})
            self._tell(name, due_us)
        self._touched_groups.clear()

    # Claims

    def _claim(self, calls: list[tuple[int, ClaimCall]], results: list[Any]) -> None:
        demands: dict[QueueName, list[tuple[int, int, int, _Allowance]]] = {}
        for index, call in calls:
            results[index] = ClaimedRows([], {})
            left = CLAIMS_MAX
            allowance = _Allowance(call.bytes_max)
            for name, room in call.room.items():
                asked = min(room, left)
                left -= asked
                if asked > 0 and name in self._queues:
                    demands.setdefault(name, []).append((index, asked, call.lease_us, allowance))
        for name, wishes in demands.items():
            queue = self._queues[name]
            short, is_limited = self._claim_queue(queue, wishes, results)
            if short and (due_us := self._first_due(queue, is_limited)):
                for index in short:
                    results[index].next_due_s[name] = max(0, due_us - self._now_us) / SECOND_US

    def _claim_queue(
        self, queue: _Queue, wishes: list[tuple[int, int, int, _Allowance]], results: list[Any]
    ) -> tuple[list[int], bool]:
        """
        Serve what was asked of one queue, in turn.

        Returns:
            the calls that got less than they asked for, and whether that is for the limit of events in flight.
        """
        limit = queue.rules.in_flight_max
        allowed = sum(asked for _, asked, _, _ in wishes)
        if limit is not None:
            key = {"of_content": queue.content_id, "now_us": self._now_us, "most": limit}
            allowed = min(allowed, limit - self._connection.execute(sql.IN_FLIGHT, key).scalar_one())
        # One look for all callers of a standard queue; the groups of a FIFO queue change with every call.
        ready = [] if queue.rules.is_fifo else self._due(queue, allowed)
        short: list[int] = []
        for index, asked, lease_us, allowance in wishes:
            most = min(asked, allowed)
            if queue.rules.is_fifo:
                given = self._claim_fifo(queue, most, lease_us, allowance)
            else:
                given = self._lease(queue, allowance.take(ready[:most]), lease_us)
                del ready[: len(given)]
            allowed -= len(given)
            results[index].claims.extend(given)
            if len(given) < asked:
                short.append(index)
        return short, limit is not None and allowed <= 0

    def _due(self, queue: _Queue, most: int) -> list[Any]:
        """Return events of a standard queue that can be claimed, those that are due longest first."""
        found: list[Any] = []
        while len(found) < most and queue.count > len(found):
            now_us = self._tick()
            key = {"of_content": queue.content_id, "now_us": now_us, "most": most}
            rows = list(self._connection.execute(sql.DUE, {**key, "leased": 0}))
            if overdue := self._connection.execute(sql.DUE, {**key, "leased": 1}).all():
                rows = sorted([*rows, *overdue], key=lambda row: (row.due_us, row.sequence))[:most]
            found = [row for row in rows if not self._leaves(queue, row, now_us)]
            if len(found) == len(rows):
                break
        return found

    def _claim_fifo(
        self, queue: _Queue, most: int, lease_us: int, allowance: _Allowance
    ) -> list[tuple[Claim, str | None]]:
        now_us = self._tick()
        claims: list[tuple[Claim, str | None]] = []
        key = {"of_content": queue.content_id}
        while len(claims) < most and not allowance.is_spent:
            groups = self._connection.execute(
                sql.DUE_GROUPS, {**key, "now_us": now_us, "most": most - len(claims)}
            ).scalars()
            if not groups:
                break
            for group in groups:
                if len(claims) < most and not allowance.is_spent:
                    claims.extend(self._claim_group(queue, group, most - len(claims), lease_us, now_us, allowance))
            self._write_groups()
            self._settle_groups()
        return claims

    def _claim_group(
        self, queue: _Queue, group: str, most: int, lease_us: int, now_us: int, allowance: _Allowance
    ) -> list[tuple[Claim, str | None]]:
        """Claim from the oldest event on, up to the first that is leased or delayed."""
        self._touched_groups[queue.content_id, group] = queue.name
        claims: list[tuple[Claim, str | None]] = []
        after = 0
        while len(claims) < most:
            rows = self._connection.execute(
                sql.OF_GROUP,
                {"of_content": queue.content_id, "of_group": group, "after": after, "most": most - len(claims)},
            ).all()
            ready: list[Any] = []
            is_blocked = not rows
            for row in rows:
                after = row.sequence
                if row.due_us > now_us:
                    is_blocked = True
                    break
                if not self._leaves(queue, row, now_us):
                    ready.append(row)
            claims.extend(self._lease(queue, allowance.take(ready), lease_us))
            if is_blocked or allowance.is_spent:
                break
        return claims

    def _lease(self, queue: _Queue, rows: list[Any], lease_us: int) -> list[tuple[Claim, str | None]]:
        """Claim events in one statement: the driver lets go of the interpreter once for each, or for each row."""
        now_us = self._tick()
        lease = {"new_leased": int(lease_us > 0), "new_due": now_us + lease_us, "now_ms": self._now_ms}
        for count, key in _keys([row.sequence for row in rows]):
            self._is_dirty = True
            self._connection.execute(sql.lease(count), {**key, **lease})
        return [(self._claim_of(queue, row, now_us), row.body_sha256) for row in rows]

    def _claim_of(self, queue: _Queue, row: Any, now_us: int) -> Claim:
        return Claim(
            receipt=Receipt(queue.name, row.sequence, row.claim_count + 1),
            id=row.id,
            body=b"" if row.body is None else row.body,
            attributes=row.attributes,
            group=row.group_key,
            deduplication_id=row.deduplication_id,
            receive_count=row.claim_count + 1,
            sent_ms=row.sent_ms,
            first_claimed_ms=self._now_ms if row.first_claimed_ms is None else row.first_claimed_ms,
            age_s=(now_us - row.entered_us) / SECOND_US,
            redriven_from=None if row.redriven_from is None else queue_at(row.redriven_from),
        )

    def _leaves(self, queue: _Queue, row: Any, now_us: int) -> bool:
        """Drop an event that is beyond its retention, or redrive one that was claimed too often."""
        rules = queue.rules
        if self._is_beyond(queue, row, now_us):
            self._discard(queue, row)
            return True
        if rules.redrive_to is None or row.claim_count < rules.redrive_after:
            return False
        target = self._queues.get(rules.redrive_to)
        if (
            target is None
            or target is queue
            or target.rules.is_fifo != rules.is_fifo
            or target.count >= target.rules.events_max
        ):
            return False
        due_us = self._tick()
        self._connection.execute(
            sql.REDRIVE,
            {
                "of_sequence": row.sequence,
                "new_content": target.content_id,
                "new_due": due_us,
                # Documented: SQS developer guide, dead-letter queues. A standard queue's event keeps its age, a FIFO
                # queue's begins anew.
                "new_entered": due_us if rules.is_fifo else row.entered_us,
                "source": queue.path,
            },
        )
        self._count(queue, -1)
        self._count(target, 1)
        self._tell(target.name, due_us)
        if row.group_key is not None:
            group = (target.content_id, row.group_key)
            self._new_groups[group] = {
                "of_content": target.content_id,
                "of_group": row.group_key,
                "new_due": due_us,
                "new_head": row.sequence,
            }
            self._touched_groups[group] = target.name
        return True

    @staticmethod
    def _is_beyond(queue: _Queue, row: Any, now_us: int) -> bool:
        retention_s = queue.rules.retention_s
        return retention_s is not None and row.entered_us <= now_us - retention_s * SECOND_US

    def _discard(self, queue: _Queue, row: Any) -> None:
        self._delete([row.sequence])
        self._count(queue, -1)
        if row.body_sha256 is not None:
            self._freed.add(row.body_sha256)

    def _first_due(self, queue: _Queue, is_limited: bool) -> int:
        """Return when the first event of a queue can be claimed, 0 when it has none."""
        if queue.count == 0:
            return 0
        key = {"of_content": queue.content_id}
        if queue.rules.is_fifo and not is_limited:
            return self._connection.execute(sql.FIRST_GROUP_DUE, key).scalar() or 0
        waiting, leased = self._connection.execute(sql.FIRST_DUE, key).one()
        # At its limit a queue gives no more before a lease ends.
        return min((due for due in ((leased,) if is_limited else (waiting, leased)) if due is not None), default=0)


def _keys(sequences: Sequence[int]) -> Iterator[tuple[int, dict[str, int]]]:
    """Return events by as many at once as one statement names: the length of its list, and its parameters."""
    for start in range(0, len(sequences), NAMES_AT_ONCE):
        asked = padded(sequences[start : start + NAMES_AT_ONCE], NAMES_AT_ONCE)
        yield len(asked), {f"sequence_{number}": sequence for number, sequence in enumerate(asked)}


def _reschedule(event: _Held, step: Retry | Extend, now_us: int) -> None:
    seconds = step.lease_s if isinstance(step, Extend) else step.delay_s
    event.is_leased = int(isinstance(step, Extend) and seconds > 0)
    event.due_us = now_us + int(seconds * SECOND_US)
