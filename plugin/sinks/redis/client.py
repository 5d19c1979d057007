"""A server or a cluster: each command goes to the node that has its stream."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import hiredis

from plugin.config.parsing import printable
from plugin.sinks.base import MisconfiguredError, RetryError, SinkError, UnavailableError
from plugin.sinks.redis.cluster import read_slots, redirected, slot_of
from plugin.sinks.redis.connection import RedisConnection
from plugin.sinks.redis.encoder import Command, commands, pack
from plugin.sinks.redis.replies import code_of, failure
from plugin.sinks.redis.script import SCRIPT
from plugin.sinks.transport.dial import Address

_REDIRECTIONS = 5
_ASKING = pack(b"ASKING")
_LOAD = pack(b"SCRIPT", b"LOAD", SCRIPT)


class RedisClient:
    """Sends the commands of payloads.

    ``addresses``
        asked in turn until one answers
    ``connect``
        makes a connection to an address
    ``replicas``, ``patience``
        how many replicas must have what is written, and how many seconds they have for it
    """

    def __init__(
        self,
        addresses: tuple[Address, ...],
        connect: Callable[[Address], RedisConnection],
        *,
        replicas: int,
        patience: float,
    ) -> None:
        self._addresses = addresses
        self._connect = connect
        self._replicas = replicas
        self._wait = pack(b"WAIT", b"%d" % replicas, b"%d" % (patience * 1000)) if replicas else b""
        self._connections: dict[Address, RedisConnection] = {}
        self._is_cluster = False
        self._masters: dict[int, Address] = {}
        self._home: Address | None = None
        self._failed: tuple[bytes, set[int]] = (b"", set())

    async def send(self, payload: bytes) -> None:
        """Send the commands of a payload; return when all are acknowledged.

        Those of one stream are sent one after the other, those of different ones at once. What was acknowledged of a
        payload that failed all the same is not sent again with it.
        """
        failed, done = self._failed
        if failed != payload:
            done = set()
        self._failed = payload, done
        streams: dict[bytes, deque[tuple[int, Command]]] = {}
        for number, command in enumerate(commands(payload)):
            if number not in done:
                streams.setdefault(command.key, deque()).append((number, command))
        while streams:
            await self._send_round([queue[0] for queue in streams.values()], done)
            for queue in streams.values():
                queue.popleft()
            streams = {key: queue for key, queue in streams.items() if queue}
        self._failed = b"", set()

    async def close(self) -> None:
        """Close all connections."""
        connections, self._connections = self._connections, {}
        self._home = None
        for connection in connections.values():
            await connection.close()

    async def _send_round(self, pending: list[tuple[int, Command]], done: set[int]) -> None:
        """Send one command for each of some streams, and follow where the nodes lead them."""
        for _ in range(_REDIRECTIONS):
            by_node: dict[Address, list[tuple[int, Command]]] = {}
            for number, command in pending:
                by_node.setdefault(await self._node_of(command.key), []).append((number, command))
            tasks = [self._send_to(address, sent, done) for address, sent in by_node.items()]
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            _raise_worst(outcome for outcome in outcomes if isinstance(outcome, BaseException))
            pending = [(number, command) for number, command in pending if number not in done]
            if not pending:
                return
            self._is_cluster = True
            await self._learn_slots()
        raise UnavailableError(f"{self} keeps on saying that streams are at other nodes")

    async def _send_to(self, address: Address, sent: list[tuple[int, Command]], done: set[int]) -> None:
        """Send commands to one node, and note what is done; those that are at other nodes are left."""
        connection = self._connection(address)
        try:
            replies = await self._run(connection, [command for _, command in sent])
        except SinkError:
            self._forget_masters()
            raise
        problems: list[SinkError] = []
        for (number, command), reply in zip(sent, replies, strict=True):
            if isinstance(reply, hiredis.ReplyError) and code_of(str(reply)) == "ASK":
                reply = await self._ask(_redirected(reply, address), command)  # noqa: PLW2901
            if not isinstance(reply, hiredis.ReplyError):
                done.add(number)
            elif code_of(str(reply)) != "MOVED":
                problems.append(failure(address, str(reply)))
        if any(isinstance(problem, UnavailableError) for problem in problems):
            self._forget_masters()
            await connection.close()  # a name may lead to another server by now, such as the new master
        _raise_worst(problems)

    async def _run(self, connection: RedisConnection, sent: list[Command]) -> list[Any]:
        """Run commands at a node, whose replies are returned; it is given the script where it does not have it."""
        replies = await self._exchange(connection, [command.text for command in sent])
        missing = [number for number, reply in enumerate(replies) if _lacks_script(reply)]
        if missing:
            again = await self._exchange(connection, [_LOAD, *(sent[number].text for number in missing)])
            if isinstance(again[0], hiredis.ReplyError):
                raise failure(connection.address, str(again[0]))
            for number, reply in zip(missing, again[1:], strict=True):
                replies[number] = reply
        return replies

    async def _exchange(self, connection: RedisConnection, texts: list[bytes | memoryview]) -> list[Any]:
        if not self._wait:
            return await connection.exchange(texts)
        *replies, replicas = await connection.exchange([*texts, self._wait])
        if isinstance(replicas, hiredis.ReplyError):
            raise failure(connection.address, str(replicas))
        if not isinstance(replicas, int):
            raise RetryError(f"{connection.address} does not answer as Redis does: WAIT brought no number")
        if replicas < self._replicas and not all(isinstance(reply, hiredis.ReplyError) for reply in replies):
            raise UnavailableError(
                f"{connection.address}: {replicas} of its replicas have the entries, "
                f"redis-wait-replicas asks for {self._replicas}"
            )
        return replies

    async def _ask(self, address: Address, command: Command) -> Any:
        """Run one command at the node that is about to get its slot."""
        connection = self._connection(address)
        _, reply = await connection.exchange([_ASKING, command.text])
        if _lacks_script(reply):
            _, _, reply = await connection.exchange([_LOAD, _ASKING, command.text])
        return reply

    async def _node_of(self, key: bytes) -> Address:
        if self._is_cluster:
            if not self._masters:
                await self._learn_slots()
            master = self._masters.get(slot_of(key))
            if master is None:
                self._forget_masters()
                raise UnavailableError(f"no node of {self} has the slot of the stream {key.decode(errors='replace')}")
            return master
        return self._home or self._addresses[0]

    async def _learn_slots(self) -> None:
        """Ask any node where the slots are."""
        known = dict.fromkeys((*self._addresses, *self._connections))
        problem: SinkError | None = None
        for address in known:
            try:
                reply = await self._connection(address).call(b"CLUSTER", b"SLOTS")
            except SinkError as error:
                problem = error
                continue
            try:
                self._masters = read_slots(reply, address)
            except ValueError as error:
                problem = RetryError(f"{address} does not answer as a cluster of Redis does: {printable(str(error))}")
                continue
            return
        raise problem or UnavailableError(f"{self}: no node answers")

    def _forget_masters(self) -> None:
        """Ask again before the next command; without a cluster, try the next address."""
        self._masters = {}
        if not self._is_cluster and len(self._addresses) > 1:
            at = self._addresses.index(self._home or self._addresses[0])
            self._home = self._addresses[(at + 1) % len(self._addresses)]

    def _connection(self, address: Address) -> RedisConnection:
        if address not in self._connections:
            self._connections[address] = self._connect(address)
        return self._connections[address]

    def __str__(self) -> str:
        """Name the servers for messages."""
        return ",".join(map(str, self._addresses))


def _lacks_script(reply: Any) -> bool:
    return isinstance(reply, hiredis.ReplyError) and code_of(str(reply)) == "NOSCRIPT"


def _redirected(reply: hiredis.ReplyError, asked: Address) -> Address:
    try:
        return redirected(str(reply), asked)
    except ValueError as error:
        raise RetryError(f"{asked} does not answer as a cluster of Redis does: {printable(str(error))}") from error


def _raise_worst(problems: Iterable[BaseException]) -> None:
    """Raise what needs attention, else whatever there is."""
    found = list(problems)
    for problem in found:
        if not isinstance(problem, SinkError) or isinstance(problem, MisconfiguredError):
            raise problem
    if found:
        raise found[0]
