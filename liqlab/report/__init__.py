"""Notebooks to pages, and pages to a site: ``liqlab report`` runs `build_site`, ``liqlab page`` runs `build_page`."""

from liqlab.report._save import save
from liqlab.report.build import build_page, build_site
from liqlab.report.pages import Page, ReportError, list_pages

__all__ = ["Page", "ReportError", "build_page", "build_site", "list_pages", "save"]
