"""What notebooks import, imported once: runs of notebooks are forked from a process that has preloaded this."""

from liqlab.report.warm_kernels import import_all

HOOKS = import_all()  # what libraries want to be called at by the shell of a notebook
