"""What works on maps as they are used: an explorer, alerts as a map is carried on, and scans of many markets.

May import every room; the command line alone imports it.
"""

from liqlab.app._alerts import Alert, alerts
from liqlab.app._explore import explore
from liqlab.app._scan import Scan, scan
from liqlab.app._watch import watch
from liqlab.app.deliveries import to_command, to_log, to_terminal, to_webhook
from liqlab.app.rules import Rule

__all__ = ["Alert", "Rule", "Scan", "alerts", "explore", "scan", "to_command", "to_log", "to_terminal", "to_webhook",
           "watch"]  # fmt: skip
