"""Everything one sandbox holds, put together: the world, the accounts, the evidence, the faults."""

from dataclasses import dataclass, field

from worker.sandbox.accounts import AccountBook
from worker.sandbox.fault_book import FaultBook
from worker.sandbox.ledger import Ledger
from worker.sandbox.read_rate import ReadRate
from worker.sandbox.settings import Settings
from worker.sandbox.threads import Threads
from worker.sandbox.world import World


@dataclass(slots=True)
class SandboxState:
    """Shared by the Graph side and the `/_sandbox/` side; only `settings` is ever replaced."""

    accounts: AccountBook = field(default_factory=AccountBook)
    world: World = field(default_factory=World)
    threads: Threads = field(default_factory=Threads)
    reads: ReadRate = field(default_factory=ReadRate)
    ledger: Ledger = field(default_factory=Ledger)
    faults: FaultBook = field(default_factory=FaultBook)
    settings: Settings = field(default_factory=Settings)
