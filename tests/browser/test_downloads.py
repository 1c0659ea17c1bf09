"""A customer takes the statement away: the buttons save files, on a phone and without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.browser.shops import VISITORS, Shop, expect
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage
from tests.export.accounts import of_row, rows_of
from tests.export.reading import words_of


@VISITORS
def test_the_statement_is_saved_as_pdf_and_csv(
    serve: Serve, open_page: OpenPage, tmp_path: Path, how: dict[str, Any]
) -> None:
    """Each button saves a file named by the period that is shown; the page stays where it is."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link(below="/statement?from=2026-03-01&to=2026-03-31"))
    address = page.url
    for kind in ("PDF", "CSV"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=f"Download {kind}").click()
        download = waiting.value
        assert download.suggested_filename == (f"statement-2026-03-01-to-2026-03-31.{kind.lower()}")
        download.save_as(tmp_path / kind)
    assert page.url == address
    expect(page.get_by_role("main")).to_contain_text("Balance on 31 Mar 2026: EUR 2,050.00 to pay")
    said = words_of((tmp_path / "PDF").read_bytes())
    assert "Balance on 31 Mar 2026: EUR 2,050.00 to pay" in said
    (closing,) = of_row(rows_of([(tmp_path / "CSV").read_bytes()]), "EUR", "closing_balance")
    assert closing["balance"] == "2050.00"


@VISITORS
def test_the_invoice_is_saved_as_the_host_made_it(
    serve: Serve, open_page: OpenPage, tmp_path: Path, how: dict[str, Any]
) -> None:
    """The button on an invoice saves the host's own file under the host's name."""
    page = open_page(**how)
    page.goto(Shop.at(serve(), files=True).document("INV-1042"))
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download PDF").click()
    assert waiting.value.suggested_filename == "INV-1042.pdf"
    waiting.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"%PDF of INV-1042"
