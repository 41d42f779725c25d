"""The position ledger: what a model opens and closes, carried through every bar, cell by cell of log price."""
