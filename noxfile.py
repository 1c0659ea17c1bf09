# /// script
# dependencies = ["nox[uv]"]
# ///
"""The project's checks. Bare ``nox`` runs those of `nox.options.sessions`; others by name."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["tests", "lint", "types", "lowest", "docs", "hosts"]
# uv, which nox brings along by the lines at the top, makes environments in seconds; it trusts the
# certificates that the machine trusts, as pip does.
nox.options.default_venv_backend = "uv|venv"
os.environ.setdefault("UV_SYSTEM_CERTS", "1")

LOWEST = [
    "attrs==23.2",
    "cattrs==23.2.1",  # 23.2.0 was withdrawn: it misses a dependency
    "itsdangerous==2.1.2",
    "python-dateutil==2.8.2",
    "flask==3.0.0",
    "werkzeug==3.0.0",
    "jinja2==3.1.2",
    "babel==2.12.1",
    "psycopg[binary]==3.1.4",  # the first with binaries for Python 3.11
    "psycopg-pool==3.1",
    "reportlab==4.2.0",
    "hypothesis==6.100",
    "pytest==8.0",
    "pytest-xdist==3.5",
]

# Every line and branch of what guards money and links; nearly all of the rest.
WHOLE = [
    "*/basis_portal/domain/*",
    "*/basis_portal/links.py",
    "*/basis_portal/tokens.py",
    "*/basis_portal/portal.py",
]


DEEP = "BASIS_PORTAL_TEST_DEEP"
OF_DEPENDENCIES = [
    f"tests/{part}"
    for part in (
        *("access", "domain", "export", "i18n", "links", "mail", "mailing", "tokens", "web"),
        "storage/test_postgres.py",
    )
]
# One more than there are cores: tests wait for browsers and servers now and then.
ON_ALL_CORES = ["-q", "-n", f"{(os.cpu_count() or 1) + 1}", "--dist", "worksteal"]
HOSTS = Path("examples", "hosts")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the present Python, on all cores, as deep as is for a desk."""
    session.install("-e", ".[demo,test]")
    session.run("python", "-m", "pytest", *ON_ALL_CORES, *session.posargs)


@nox.session
def deep(session: nox.Session) -> None:
    """Run the tests in all their variations and at full length, and hold the branch coverage.

    In one process: in the workers of xdist what is traced gets lost after tests by Hypothesis.
    """
    session.install("-e", ".[demo,test]")
    session.run("coverage", "erase")
    env = {DEEP: "1"}
    session.run(
        "coverage", "run", "-m", "pytest", "-q", "-p", "no:xdist", *session.posargs, env=env
    )
    session.run("coverage", "combine", "--quiet")
    if session.posargs:
        return
    session.run("coverage", "report", f"--include={','.join(WHOLE)}", "--fail-under=100")
    session.run("coverage", "report", f"--omit={','.join(WHOLE)}", "--fail-under=95")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff==0.17.6")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check our types strictly, and those of a stranger's code over the installed package."""
    session.install(".[test]", "mypy==2.4.1", "pyright==1.1.414")
    session.run("mypy")
    strangers = str(Path("tests", "typing").resolve())
    # From another folder and without our configuration: it is the installed package that is used.
    with session.chdir(session.create_tmp()):
        session.run("mypy", "--config-file=", "--strict", strangers)
        session.run("pyright", "--project", strangers)
        session.run("pyright", "--verifytypes", "basis_portal", "--ignoreexternal")


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests on the lowest versions of all dependencies, but those in the browser.

    At the usual depth only those in which the dependencies matter most.
    """
    # Before 2.13 Babel's own commands need setuptools, which it does not ask for.
    session.install("-e", ".[demo,test]", "setuptools", *LOWEST)
    is_deep = os.environ.get(DEEP, "") not in ("", "0")
    which = ["--ignore=tests/browser"] if is_deep else OF_DEPENDENCIES
    session.run("python", "-m", "pytest", *ON_ALL_CORES, *which, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site of the documentation, look at its HTML; with ``linkcheck`` at other sites."""
    session.install("-e", ".[demo,postgres,testing,docs]", "psycopg[binary]")
    builder = "linkcheck" if "linkcheck" in session.posargs else "html"
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--quiet"]
    built = f"{session.create_tmp()}/linkcheck" if builder == "linkcheck" else "site"
    shutil.rmtree(built, ignore_errors=True)
    caches = f"--doctree-dir={session.create_tmp()}/doctrees"
    session.run("sphinx-build", *options, caches, "--builder", builder, "docs", built)
    if builder == "html":
        session.run("python", "-m", "tests.docs.built_site", built)


@nox.session
def hosts(session: nox.Session) -> None:
    """Run the tests of the example hosts, or of those that are named, as their own test runs."""
    chosen = session.posargs or [one.parent.name for one in HOSTS.glob("*/requirements.txt")]
    needed = [option for name in chosen for option in ("-r", f"{HOSTS / name}/requirements.txt")]
    session.install(*needed)
    folders = [str(HOSTS / name) for name in sorted(chosen, reverse=True)]  # Tryton takes longest

    def run(folder: str) -> object:
        return session.run("pytest", "-q", "-c", f"{folder}/pytest.ini", folder, silent=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for output in pool.map(run, folders):
            print(output)


@nox.session
def tryton(session: nox.Session) -> None:
    """Post a file of receivables into Tryton and compare each customer's account with its books."""
    session.install("-r", f"{HOSTS}/tryton_erp/requirements.txt")
    file = session.posargs or [str(Path("..", "shared", "data", "receivables.csv"))]
    session.run("python", f"{HOSTS}/tryton_erp/compare.py", *file)


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheel once, and try it as others install it: extras, Pythons, lowest versions."""
    session.install("build", "pip", "twine", "hatchling>=1.26")
    session.run("python", "-m", "tests.packaging", "package", *LOWEST)


@nox.session
def pythons(session: nox.Session) -> None:
    """Run all tests over the built wheel on each supported Python that is here."""
    session.install("build", "pip", "twine", "hatchling>=1.26")
    session.run("python", "-m", "tests.packaging", "pythons", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed as ratios to raw floors of the same run, printed as a table."""
    session.install(".[test]")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill, cut and starve the storages, and print what was found as a table."""
    session.install(".[test]")
    session.run("python", "-m", "tests.faults", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Break what guards money and links in thousands of ways, and count what no test notices.

    Modules may be named, such as ``tokens`` or ``domain.aging``.
    """
    session.install("-e", ".[demo,test]", "mutmut==3.8.1")
    shutil.rmtree("mutants", ignore_errors=True)
    named = [f"basis_portal.{module}.*" for module in session.posargs]
    session.run("mutmut", "run", *named)
    session.run("python", "-m", "tests.mutants", *session.posargs)


@nox.session
def catalogues(session: nox.Session) -> None:
    """Take new texts over into the catalogues of all languages, and compile them."""
    session.install("babel>=2.12", "jinja2")
    locales = "src/basis_portal/i18n/locales"
    template = f"{session.create_tmp()}/basis_portal.pot"
    extract = ["pybabel", "-q", "extract", "-F", f"{locales}/babel.cfg", "-o", template]
    phrases = ["-k", "Phrase:1,1t", "-k", "Phrase:1,2,2t", "--no-location", "--sort-output"]
    session.run(*extract, *phrases, "src/basis_portal")
    for language in ("de", "id"):
        where = ["-d", locales, "-D", "basis_portal", "-l", language]
        merge = ["-i", template, "--no-fuzzy-matching", "--ignore-obsolete"]
        session.run("pybabel", "-q", "update", *merge, *where)
        session.run("pybabel", "-q", "compile", *where, "--statistics")
