"""The command and the operators' portal."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import operate as operators
import portal_site
import pytest
import run
from conftest import FILE_NAME, keep
from sample_data import STAFF
from trytond import config
from werkzeug.test import Client

from basis_portal.storage.sqlite import SQLiteStorage

ADDRESS = f"http://{run.HOST}:{run.PORT}"


@pytest.mark.parametrize("port", ["80000", "-1", "80", "x"])
def test_a_port_that_is_none_is_told(port, capsys):
    """By the usage and status 2."""
    with pytest.raises(SystemExit) as ended:
        run.main(["--port", port])
    assert ended.value.code == 2
    assert "--port: must be 0 or a whole number from 1024 to 65535" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_told(tmp_path, capsys):
    """A file stands there already, or above it."""
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below"):
        with pytest.raises(SystemExit) as ended:
            run.main(["--data", str(folder)])
        assert ended.value.code == 2
        assert f"--data: {folder}: " in capsys.readouterr().err


def test_after_the_last_port_comes_any_free_one():
    """There is none after 65535."""
    with run.listen(65535), run.listen(65535) as other:
        assert other.getsockname()[1] != 65535


# --- operators ------------------------------------------------------------------------------


def operate(folder, *arguments):
    """What an operator's command prints as JSON, in a process of its own."""
    command = [Path(sys.executable).with_name("basis-portal"), *arguments, "--json"]
    environ = os.environ | {
        "PYTHONPATH": str(Path(run.__file__).parent),
        "BASIS_PORTAL_PORTAL": "operate:portal",
        "ERP_DATA": str(folder),
    }
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_operators_act_on_the_portal_of_the_pages(company, tmp_path):
    """They see its tokens and that all is well, and what they revoke the pages refuse."""
    keep(Path(config.get("database", "path")), tmp_path / FILE_NAME)
    keys = portal_site.secret_keys(tmp_path)
    with contextlib.closing(SQLiteStorage(tmp_path / "portal.db")) as storage:
        portal = portal_site.make_portal(company, storage, keys, f"{ADDRESS}/portal")
        run.first_settings(portal)
        link = run.link_of_kopi(portal)
        browser = Client(portal_site.application(portal, company))
        (token,) = operate(tmp_path, "tokens", "list")["tokens"]
        assert token["status"] == "active"
        assert operate(tmp_path, "health")["health"]["ok"]
        kopi = token["customer_id"]
        assert operate(tmp_path, "tokens", "link", kopi)["link"] == link
        path = link.removeprefix(ADDRESS)
        assert browser.get(path).status_code == 200
        operate(tmp_path, "tokens", "revoke", kopi, "--by", STAFF)
        assert browser.get(path).status_code == 403
        assert portal.tokens.get(kopi).ended_by == STAFF


def test_operators_are_told_where_there_is_no_database(tmp_path, monkeypatch):
    """Nothing is made there."""
    monkeypatch.setenv("ERP_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="has no Tryton database"):
        operators.portal()
    assert not list(tmp_path.iterdir())
