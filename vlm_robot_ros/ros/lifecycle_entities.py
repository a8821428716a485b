"""What connects a lifecycle node to the graph, made when it is configured and undone as one."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rclpy.clock import Clock
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

QUEUE_DEPTH = 10
"""Depth of queues in which nothing may be lost."""
_NO_EVENT_CALLBACKS = PublisherEventCallbacks(use_default_callbacks=False)
"""Who asks for another QoS than is offered is told so by its own node. To be told here, too, rclpy
waits for two more things a publisher at every turn: of eleven, 0.4 ms of a turn's 1.5."""


class LifecycleEntities:
    """Publishers, subscriptions, services and timers of one node."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._undo = ExitStack()

    def create_publisher(self, kind: type, topic: str, qos: int | QoSProfile = QUEUE_DEPTH) -> Any:
        """Return a publisher that is silent while the node is not active."""
        publisher: Any = self._node.create_lifecycle_publisher(
            kind, topic, qos, event_callbacks=_NO_EVENT_CALLBACKS
        )
        self._undo.callback(self._node.destroy_lifecycle_publisher, publisher)
        return publisher

    def create_ungated_publisher(self, kind: type, topic: str) -> Any:
        """Return a publisher that speaks in every state."""
        publisher: Any = self._node.create_publisher(
            kind, topic, QUEUE_DEPTH, event_callbacks=_NO_EVENT_CALLBACKS
        )
        self._undo.callback(self._node.destroy_publisher, publisher)
        return publisher

    def create_client(self, kind: Callable[[LifecycleNode, str], Any], name: str) -> Any:
        """Return a client of an action, made of the node and the action's name."""
        client = kind(self._node, name)
        self._undo.callback(client.destroy)
        return client

    def create_action_server(self, make: Callable[[LifecycleNode, str], Any], name: str) -> None:
        """Serve an action, by what is made of the node and the action's name."""
        self._undo.callback(make(self._node, name).destroy)

    def create_subscription(
        self, kind: type, topic: str, take: Callable, qos: int | QoSProfile = QUEUE_DEPTH
    ) -> Callable[[], Any]:
        """Hand the messages of a topic to `take`.

        Returns:
            What takes the next one that waits, None if none does, for who cannot wait for as many
            turns of the executor.
        """
        subscription = self._node.create_subscription(kind, topic, take, qos)
        self._undo.callback(self._node.destroy_subscription, subscription)

        def take_next() -> Any:
            taken = subscription.handle.take_message(kind, False)
            return taken[0] if taken else None

        return take_next

    def create_service(self, kind: type, name: str, answer: Callable) -> None:
        """Answer a service."""
        service = self._node.create_service(kind, name, answer)
        self._undo.callback(self._node.destroy_service, service)

    def create_timer(
        self, period: float, do: Callable[[], None], clock: Clock | None = None
    ) -> None:
        """Do something every `period` seconds of a clock, the node's if not given."""
        timer = self._node.create_timer(period, do, clock=clock)
        self._undo.callback(self._node.destroy_timer, timer)

    def on_destroy(self, do: Callable[[], None]) -> None:
        """Do something before what is there by now is undone."""
        self._undo.callback(do)

    def destroy_all(self) -> None:
        """Undo all of it."""
        self._undo.close()
