"""The MQTT contract: topics, what the daemon publishes, and how to listen to it."""

from edgeasr.mqtt.link import LinkState
from edgeasr.mqtt.message import Message
from edgeasr.mqtt.peer.trouble import Trouble, TroubleKind
from edgeasr.mqtt.publisher import Counts, Inbox, Publisher
from edgeasr.mqtt.topics import Availability, Kind, Topics, filter_of, parse

__all__ = [
    "Availability",
    "Counts",
    "Inbox",
    "Kind",
    "LinkState",
    "Message",
    "Publisher",
    "Topics",
    "Trouble",
    "TroubleKind",
    "filter_of",
    "parse",
]
