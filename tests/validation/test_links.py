"""Links of the pages beside the docs lead somewhere; those within the docs are checked when the site is built."""

import re
from pathlib import Path

import pytest
from pages import ROOT

_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_or_folder(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text()) if not (ROOT / link).exists()]
    assert not missing
