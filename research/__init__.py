"""Tools for those who change liqlab: what its interface is, and whether the numbers of the site stayed. Not shipped."""
