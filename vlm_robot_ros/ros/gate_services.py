"""The services that stop an arm and let it move again."""

import threading
from collections.abc import Callable

from std_srvs.srv import SetBool, Trigger

from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.loop_group import LoopGroup


class GateServices:
    """Answers `~/enable`, `~/stop` and `~/reset`."""

    def __init__(
        self,
        entities: LifecycleEntities,
        loop: ControlLoop | LoopGroup,
        dry_run: bool,
        lock: threading.Lock,
        changed: Callable[[bool], None],
    ) -> None:
        """Create the services.

        Args:
            entities: Of the node.
            loop: What is enabled, stopped and reset.
            dry_run: Whether no sink is sent anything.
            lock: Held while the loop is changed.
            changed: Called after each change, with whether the arm was allowed to move.
        """
        self._loop, self._dry_run, self._lock, self._changed = loop, dry_run, lock, changed
        entities.create_service(SetBool, "~/enable", self.on_enable)
        entities.create_service(Trigger, "~/reset", self.on_reset)
        entities.create_service(Trigger, "~/stop", self.on_stop)

    def on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Allow or forbid motion; the arm then waits for a new instruction."""
        with self._lock:
            self._loop.enable(request.data)
        self._changed(request.data)
        response.success = True
        response.message = self._loop.blocked or (
            "a dry run: no arm is commanded" if self._dry_run else ""
        )
        return response

    def on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Stop the arm until `~/reset`, whatever is published."""
        with self._lock:
            self._loop.stop()
        self._changed(False)
        response.success, response.message = True, str(self._loop.blocked)
        return response

    def on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """End a trip and a stop."""
        with self._lock:
            ended = self._loop.reset()
        self._changed(True)
        response.success, response.message = bool(ended), ended or "it had not tripped"
        return response
