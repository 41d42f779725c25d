"""Venues: one file for each with endpoints of its own; every other one is asked through ccxt."""
