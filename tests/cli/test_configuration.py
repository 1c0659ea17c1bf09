"""What the operators' commands are told: file and environment, and what they never repeat."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from basis_portal.cli import main
from basis_portal.configuration import Configuration, ConfigurationError, configuration, is_dsn

KEY = "a secret for tests alone, at least 32 bytes"
DSN = "postgresql://ana:VERYSECRET@db.example.com/erp"
WHOLE = f"""
secret_keys = ["{KEY}", "another {KEY}"]
base_url = "https://erp.example.com/portal"
tenant = "north"
[sqlite]
path = "portal.db"
[postgres]
dsn = "{DSN}"
schema = "links"
"""
Write = Callable[[str], str]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BASIS_PORTAL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration file that only its owner may read, and gives its name."""

    def written(text: str) -> str:
        path = tmp_path / "portal.toml"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(0o600)
        return str(path)

    return written


def test_the_file_says_it_all(write: Write, tmp_path: Path) -> None:
    """Every setting may stand in the file; a path is relative to the file's folder."""
    file = write(WHOLE)
    assert configuration(file, {}) == Configuration(
        secret_keys=(KEY, f"another {KEY}"),
        base_url="https://erp.example.com/portal",
        tenant="north",
        sqlite=str(tmp_path / "portal.db"),
        postgres=DSN,
        schema="links",
        source=file,
    )


def test_the_environment_says_it_all() -> None:
    """Every setting may stand in the environment, keys one a line as they are."""
    given = {
        "BASIS_PORTAL_SECRET_KEYS": f"\n{KEY}\r\n\n  spaces, and commas {KEY} \n",
        "BASIS_PORTAL_BASE_URL": "https://erp.example.com/portal",
        "BASIS_PORTAL_TENANT": "north",
        "BASIS_PORTAL_SQLITE": "portal.db",
        "BASIS_PORTAL_POSTGRES": DSN,
        "BASIS_PORTAL_SCHEMA": "links",
    }
    found = configuration(None, given)
    assert found.secret_keys == (KEY, f"  spaces, and commas {KEY} ")
    assert (found.sqlite, found.postgres, found.schema) == ("portal.db", DSN, "links")
    assert (found.base_url, found.tenant) == ("https://erp.example.com/portal", "north")


def test_nothing_said_is_the_default() -> None:
    """Without anything tenant and schema are those of the storages, the rest is missing."""
    assert configuration(None, {}) == Configuration(tenant="default", schema="basis_portal")


def test_the_environment_wins(write: Write) -> None:
    """A variable wins over the file; an empty one says nothing."""
    found = configuration(write(WHOLE), {"BASIS_PORTAL_TENANT": "south", "BASIS_PORTAL_SCHEMA": ""})
    assert (found.tenant, found.schema, found.base_url) == (
        "south",
        "links",
        "https://erp.example.com/portal",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secret_key = ['x']", r"unknown: 'secret_key'; known are secret_keys, base_url, tenant"),
        ("[sqlite]\nfile = 'x'", r"unknown in \[sqlite\]: 'file'; known are path"),
        ("[postgres]\ndns = 'x'", r"unknown in \[postgres\]: 'dns'; known are dsn, schema"),
        (f"'{DSN}' = 1", "unknown: a name that looks like a DSN"),
        ("sqlite = 'portal.db'", r"sqlite must be a table, \[sqlite\]"),
        ("secret_keys = 'VERYSECRET'", "secret_keys must be a list of texts"),
        ("secret_keys = ['VERYSECRET', 5]", "secret_keys must be a list of texts"),
        ("secret_keys = ['']", "secret_keys must be a list of texts"),
        ("tenant = 5", "tenant must be text"),
        ("[postgres]\ndsn = ''", r"\[postgres\] dsn must be text"),
        ("secret_keys = ['VERYSECRET", "is no TOML: look at end of document"),
        ("secret_keys = VERYSECRET", "is no TOML: look at line 1"),
        ("secret_keys = ['VERYSECRET']\nsecret_keys = ['VERYSECRET']", "is no TOML"),
        ("tenant = '\udce4'", "is not UTF-8"),
        (f"[sqlite]\npath = '{DSN}'", "the SQLite path must name a file, not a DSN"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(write: Write, text: str, said: str) -> None:
    """Each refusal names the setting and the rule, and neither key nor DSN; a good file is read."""
    with pytest.raises(ConfigurationError, match=said) as refused:
        configuration(write(text), {})
    assert "VERYSECRET" not in str(refused.value)
    assert configuration(write(WHOLE), {}).tenant == "north"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A file that is not there is named, and what is wrong with it."""
    with pytest.raises(ConfigurationError, match=r"absent\.toml' cannot be read: No such file"):
        configuration(str(tmp_path / "absent.toml"), {})


@pytest.mark.skipif(os.name != "posix", reason="there are no such modes")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1)])
def test_a_file_that_others_may_read_gets_a_warning(
    write: Write, capsys: pytest.CaptureFixture[str], mode: int, warned: int
) -> None:
    """Where anybody else may read the file a line on standard error says so."""
    file = write("tenant = 'north'")
    os.chmod(file, mode)
    assert main(["check", "--config", file]) == 2
    assert capsys.readouterr().err.count("may be read by other users") == warned


@pytest.mark.parametrize("field", ["secret_keys", "base_url", "sqlite", "postgres"])
def test_what_is_missing_is_named(write: Write, field: str) -> None:
    """A setting that is needed and not there is named, with its variable and the file."""
    variable = f"BASIS_PORTAL_{field.upper()}"
    with pytest.raises(ConfigurationError, match=rf"--config, or set {variable}"):
        configuration(None, {}).need(field)
    with pytest.raises(ConfigurationError, match=rf"portal\.toml', or set {variable}"):
        configuration(write(""), {}).need(field)
    assert configuration(write(WHOLE), {}).need(field)


@pytest.mark.parametrize("wrong", [DSN, KEY, "https://ana:VERYSECRET@erp.example.com/portal"])
def test_what_is_no_address_is_not_repeated(wrong: str) -> None:
    """A key or a DSN that stands where the address belongs is refused and not repeated."""
    with pytest.raises(ConfigurationError, match="base_url must be an address") as caught:
        configuration(None, {"BASIS_PORTAL_BASE_URL": wrong})
    assert wrong not in str(caught.value)


def test_neither_keys_nor_dsn_are_shown() -> None:
    """The configuration's own text has neither."""
    shown = repr(Configuration(secret_keys=(KEY,), postgres=DSN, tenant="north"))
    assert "north" in shown
    assert KEY not in shown
    assert "VERYSECRET" not in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DSN, True),
        ("host=db password=x", True),
        ("dbname = erp", True),
        ("portal.db", False),
        ("/srv/erp/portal.db", False),
        ("C:\\erp\\portal.db", False),
        ("userdata/portal.db", False),
    ],
)
def test_a_dsn_is_told_from_a_file(text: str, expected: bool) -> None:
    """Both forms of a DSN are seen, and no usual name of a file is taken for one."""
    assert is_dsn(text) is expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate", "--dsn", DSN],
        ["migrate", f"--dsn={DSN}"],
        ["migrate", f"--secret-key={KEY}", "VERYSECRET"],
        ["migrate", "VERYSECRET"],
        ["check", "--config", DSN],
        ["check", "--storage", DSN],
        ["backup", DSN],
        ["backup", "host=db password=VERYSECRET"],
        ["copy", "--from", DSN],
        ["copy", "--sqlite", "portal.db"],
        ["backup", ""],
        ["prune", "--audit-days", "0"],
        ["prune", "--token-days", "1.5"],
        ["prune", "--token-days", "99999999999999999999"],
        ["migrate", "--sql", "--json"],
        ["migrate", "--conf", "portal.toml"],
        [DSN],
    ],
)
def test_keys_and_dsn_are_never_arguments(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """What is no option, or stands where a file belongs, is refused and not repeated."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: basis-portal")
    assert "VERYSECRET" not in said
    assert KEY not in said


def test_which_storage_is_meant_must_be_clear(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """With two configured one must be chosen, with none that is said; with one it is that one."""
    assert main(["migrate", "--config", write(WHOLE)]) == 2
    assert "--storage sqlite or --storage postgres" in capsys.readouterr().err
    assert main(["migrate", "--config", write(WHOLE), "--storage", "sqlite"]) == 0
    assert main(["migrate"]) == 2
    assert "BASIS_PORTAL_SQLITE or BASIS_PORTAL_POSTGRES" in capsys.readouterr().err
    assert main(["migrate", "--storage", "postgres"]) == 2
    assert "[postgres] dsn is not configured" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["migrate", "check", "backup", "copy", "prune"])
def test_help_tells_of_the_configuration(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """The help of each command shows file and variables, and the overview names the command."""
    for arguments, said in (([command, "--help"], "BASIS_PORTAL_SECRET_KEYS"), (["-h"], command)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("dsn", "status"), [("postgresql://ana:VERYSECRET@127.0.0.1:1/erp", 1), ("nonsense", 2)]
)
def test_a_database_that_cannot_be_reached_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dsn: str, status: int
) -> None:
    """A DSN that leads nowhere, or is none, is one line and no traceback or password."""
    monkeypatch.setenv("BASIS_PORTAL_POSTGRES", dsn)
    assert main(["check"]) == status
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "VERYSECRET" not in said
