"""Dead letters: look at them without harm, put them back, take them out, carry them elsewhere."""

from worker.dead.letter import Letter
from worker.dead.letters import DeadLetters
from worker.dead.order import Order
from worker.dead.queue import DeadQueue
from worker.dead.selection import Selection

__all__ = ["DeadLetters", "DeadQueue", "Letter", "Order", "Selection"]
