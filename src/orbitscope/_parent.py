"""Worker processes that end with the process that started them, however that one ended."""

import os
import threading
import time

_LOOK = 0.2  # seconds


def end_with_parent() -> None:
    """From now on this process ends soon after its parent is gone: a kill leaves no time to stop workers.

    Every file is written beside and renamed, so nothing is left half-done. Watched by a thread, not by the system's signal on a parent's
    death, which comes already when the *thread* that started the worker ends.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="orbitscope-parent").start()
