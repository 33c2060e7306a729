"""Alertmanager and all that is around it, as it is configured: for tests of what reaches whom.

In: the committed directory of configuration, a place for secrets. Out: Loki, Alertmanager, the enricher and three real receivers;
alerts posted as a ruler posts them. Never: a change of the configuration but the one its head asks for.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests

from logging_pkg.loki_client import LokiClient
from logging_pkg.stack import DeadMansSwitch, Stack, WebhookReceiver
from tests.pipeline.events import line, push

from .conftest import eventually
from .receivers import ChatServer, MailServer, chat_server, mail_server


@dataclass
class Delivery:
    """Everything that is between a ruler and its receivers."""

    stack: Stack
    webhook: WebhookReceiver
    chat: ChatServer
    mail: MailServer
    ids: list[str]

    def post(self, *alerts: dict[str, Any], directly: bool = False) -> None:
        """As the ruler: to the enricher and to Alertmanager, or to the latter alone."""
        ways = [self.stack.alertmanager_url] if directly else self.stack_urls
        for url in ways:
            assert requests.post(f"{url}/api/v2/alerts", json=alerts, timeout=30).status_code == 200

    @property
    def stack_urls(self) -> list[str]:
        text = (self.stack.run_directory / "config" / "loki.yaml").read_text()
        (urls,) = re.findall(r"alertmanager_url: (\S+)", text)
        return sorted(urls.split(","), key=lambda url: url != self.stack.alertmanager_url)

    def received(self, name: str, status: str = "firing") -> dict[str, Any]:
        found = self.webhook.wait_for(
            lambda alert: (alert["labels"]["alertname"], alert["status"]) == (name, status), 60
        )
        assert found is not None, f"{name} was not delivered"
        return found[1]

    def attachment(self, title: str) -> dict[str, Any]:
        """The chat message of this title."""
        return eventually(
            lambda: next(
                (a for message in self.chat.messages for a in message["attachments"] if a["title"] == title), None
            ),
            60,
        )

    def mail_about(self, subject: str) -> tuple[list[str], EmailMessage]:
        return eventually(
            lambda: next((found for found in self.mail.mails if found[1]["Subject"] == subject), None), 60
        )

    def names(self) -> set[str]:
        return {alert["labels"]["alertname"] for delivery in self.webhook.deliveries for alert in delivery.alerts}


def switched_on(text: str, mail_port: int) -> str:
    """The committed alertmanager.yml with chat and mail, done as its head says: fill in the receiver, take "#on " away."""
    assert text.count("#on - ") == 3
    text = text.replace("#on - ", "- ").replace("smtp.example.com:587", f"127.0.0.1:{mail_port}")
    # The one thing a mail server on loopback does without: TLS.
    return text.replace("        auth_username:", "        require_tls: false\n        auth_username:")


@contextmanager
def delivering(
    committed: Path, directory: Path, password: str, switch: DeadMansSwitch | None = None
) -> Iterator[Delivery]:
    """All of it for the block. Without a switch signs of life go nowhere."""
    config = directory / "loki"
    shutil.copytree(committed, config)
    secrets = directory / ".logpipe" / "secrets"
    secrets.mkdir(parents=True)
    with (
        WebhookReceiver(switch=switch) as webhook,
        chat_server() as chat,
        mail_server(password) as mail,
        pytest.MonkeyPatch.context() as patch,
    ):
        (secrets / "slack_api_url").write_text(chat.url + "\n")
        (secrets / "smtp_password").write_text(password)
        path = config / "alertmanager.yml"
        path.write_text(switched_on(path.read_text(), mail.port))
        patch.chdir(directory)
        with Stack(
            ("loki", "alertmanager"),
            run_directory=directory / "run",
            config_directory=config,
            webhook_url=webhook.url,
            deadmansswitch_url=webhook.deadmansswitch_url if switch else None,
        ) as stack:
            yield Delivery(stack, webhook, chat, mail, stored(stack.loki_url))


def stored(loki_url: str) -> list[str]:
    """Five failed requests and a good one; the IDs of the failed, newest first."""
    now_ns = time.time_ns() // 1000 * 1000
    ids = [f"{number:032x}" for number in range(6)]
    with LokiClient(loki_url) as client:
        push(
            client,
            [
                line(
                    "http.request_finished",
                    "shop",
                    now_ns - number * 10**9,
                    is_error=int(number > 0),
                    correlation_id=one,
                )
                for number, one in enumerate(ids)
            ],
        )
    return ids[1:]
