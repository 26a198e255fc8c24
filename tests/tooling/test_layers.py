"""The import contracts of pyproject.toml refuse what they are there to refuse, shown on a made-up tree."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import ROOT

TREE = {
    "config/urls.py": "import chat.views, gateway.views",
    "chat/views.py": "import usage.metering\nimport providers.fold\nfrom providers import catalogue",
    "gateway/views.py": "import usage.metering\nimport providers.sse",
    "tools/fetch.py": "import providers.outbound",
    "usage/metering.py": "import accounts.models\nfrom providers import registry",
    "accounts/models.py": "import providers.access",
    "providers/access.py": "",
    "providers/catalogue.py": "",
    "providers/fold.py": "import providers.types",
    "providers/outbound.py": "import httpx",
    "providers/registry.py": "import providers.transport",
    "providers/sse.py": "",
    "providers/transport.py": "import httpx, aiohttp",
    "providers/types.py": "",
}
REFUSED = {
    "upward": ("accounts/people/people.py", "import usage.metering"),
    "siblings": ("chat/door.py", "import gateway.views"),
    "chat calls a vendor": ("chat/short.py", "from providers import registry"),
    "chat takes the gateway's encoder": ("chat/stream.py", "from providers.sse import encode"),
    "tools hold a secret": ("tools/secret.py", "import providers.access"),
    "a second HTTP client": ("usage/fetch.py", "import httpx"),
    "a second HTTP client, beside the transport": ("providers/anthropic.py", "import aiohttp"),
    "SAML's packages elsewhere": ("accounts/xml.py", "import lxml"),
    "Django in the library": ("providers/settings.py", "from django.conf import settings"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, source in TREE.items():
        write(tmp_path / name, source)
    return tmp_path


def write(path: Path, source: str) -> None:
    path.parent.mkdir(exist_ok=True)
    (path.parent / "__init__.py").touch()
    path.write_text(source, "utf-8")


def contracts(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True)


def test_the_layers_as_designed_pass(tree: Path):
    outcome = contracts(tree)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize(("name", "source"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_import_is_refused(tree: Path, name: str, source: str):
    write(tree / name, source)
    outcome = contracts(tree)
    assert outcome.returncode == 1
    assert name.removesuffix(".py").replace("/", ".") in outcome.stdout
