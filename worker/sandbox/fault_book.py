"""Keeps the scripted faults and finds the one that strikes a call, whatever their number."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from worker.sandbox.faults import Fault
from worker.sandbox.send_call import SendCall

_MOST_FINISHED_SHOWN = 1000

_Key = tuple[str, str | None]


@dataclass(slots=True)
class ScriptedFault:
    """A fault and how often it was met; counts as it goes, hence not frozen."""

    fault_id: int
    fault: Fault
    seen: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        """Count a call that fits; True when it is this one's turn."""
        self.seen += 1
        if self.seen <= self.fault.skip or self.is_finished():
            return False
        self.struck += 1
        return True

    def is_finished(self) -> bool:
        """True when all its times are used up."""
        return self.fault.times is not None and self.struck >= self.fault.times

    def to_json(self) -> dict[str, Any]:
        """Give it for the list."""
        script = self.fault.model_dump(exclude_defaults=True)
        script["times"] = self.fault.times
        return {"id": self.fault_id, "seen": self.seen, "struck": self.struck, **script}


class FaultBook:
    """Faults by the most selective thing they match on; the one added first strikes first."""

    def __init__(self) -> None:
        self._last_id = 0
        self._by_id: dict[int, ScriptedFault] = {}
        self._by_key: dict[_Key, dict[int, ScriptedFault]] = {}
        self._finished: deque[ScriptedFault] = deque(maxlen=_MOST_FINISHED_SHOWN)

    def add(self, fault: Fault) -> ScriptedFault:
        """Script a fault."""
        self._last_id += 1
        scripted = ScriptedFault(self._last_id, fault)
        self._by_id[scripted.fault_id] = scripted
        self._by_key.setdefault(_key_of(fault), {})[scripted.fault_id] = scripted
        return scripted

    def strike(self, call: SendCall) -> ScriptedFault | None:
        """Find the fault for a call that was read, and count it."""
        return self._strike(call, is_read=True)

    def strike_unread(self, account_id: str) -> ScriptedFault | None:
        """Find a fault for a call of which only the account is known yet, and count it."""
        return self._strike(SendCall(account_id, "", None, None), is_read=False)

    def listed(self) -> list[ScriptedFault]:
        """Give the active faults and the last finished ones, by id."""
        return sorted([*self._by_id.values(), *self._finished], key=lambda each: each.fault_id)

    def clear(self) -> None:
        """Drop all faults."""
        self._by_id.clear()
        self._by_key.clear()
        self._finished.clear()

    def remove(self, fault_id: int) -> bool:
        """Drop one fault; False when there is none of that id."""
        scripted = self._by_id.pop(fault_id, None)
        if scripted is not None:
            self._unlist(scripted)
            return True
        kept = [each for each in self._finished if each.fault_id != fault_id]
        was_there = len(kept) < len(self._finished)
        self._finished = deque(kept, maxlen=_MOST_FINISHED_SHOWN)
        return was_there

    def _strike(self, call: SendCall, *, is_read: bool) -> ScriptedFault | None:
        if not self._by_id:
            return None
        candidates = [each for key in _keys_of(call) for each in self._by_key.get(key, {}).values()]
        for scripted in sorted(candidates, key=lambda each: each.fault_id):
            is_early = scripted.fault.reset == "before_reading"
            if is_early == is_read or not scripted.fault.match.fits(call):
                continue
            if scripted.strikes():
                self._retire(scripted)
                return scripted
        return None

    def _retire(self, scripted: ScriptedFault) -> None:
        if scripted.is_finished():
            del self._by_id[scripted.fault_id]
            self._unlist(scripted)
            self._finished.append(scripted)

    def _unlist(self, scripted: ScriptedFault) -> None:
        key = _key_of(scripted.fault)
        del self._by_key[key][scripted.fault_id]
        if not self._by_key[key]:
            del self._by_key[key]


def _key_of(fault: Fault) -> _Key:
    match = fault.match
    if match.recipient_id is not None:
        return "recipient", match.recipient_id
    if match.comment_id is not None:
        return "comment", match.comment_id
    return ("account", match.account_id) if match.account_id is not None else ("any", None)


def _keys_of(call: SendCall) -> tuple[_Key, ...]:
    return (
        ("recipient", call.recipient_id),
        ("comment", call.comment_id),
        ("account", call.account_id),
        ("any", None),
    )
