"""Recording what no archive keeps: forced orders one by one, with candles, mark price, open interest, funding, depth.

``connection`` reads a venue's stream and comes back after drops, ``tape`` makes minutes and single events of it,
``journal`` has it on the disk within a second, ``settling`` moves it into the store. What was not seen is a hole in the
store's covered ranges; candles of such minutes are fetched where the venue still has them.
"""

from liqlab.loaders.recording.recorder import Recorder
from liqlab.loaders.recording.running import record

__all__ = ["Recorder", "record"]
