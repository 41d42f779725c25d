"""A process that looks at one market after the other: ``python -m liqlab.app.worker``, calls in, answers out, pickled.

It is no child of `multiprocessing`, which would import the caller's script again and asks it for a ``__main__`` guard.
"""

from __future__ import annotations

import gc
import os
import pickle

__all__ = ["main"]


def main() -> None:
    """Answer calls from standard input on standard output until it is closed."""
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed must not come between the answers
    from liqlab.app.one_market import look_at

    while True:
        try:
            call = pickle.load(calls)
        except EOFError:
            return
        pickle.dump(look_at(call), answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
        del call
        gc.freeze()  # what the first market imported need not be looked through after each of the next ones


if __name__ == "__main__":
    main()
