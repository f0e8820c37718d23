"""Who reacts to what is to be published: one subscriber a channel, so that none waits for another."""

from __future__ import annotations

from typing import Final

from trading.audit.relay import Subscription
from trading.notices.rules.channels import PUBLISHED_KINDS, Channel
from trading.notices.service.announcing import announcer

SUBSCRIPTIONS: Final = tuple(
    Subscription(name=f"notices.{channel.value}", kinds=PUBLISHED_KINDS, react=announcer(channel))
    for channel in Channel
)
