"""What explains the commands outside of the program: completion for shells, a manual page; made from the parsers."""

from edgeasr.manual.bash import bash
from edgeasr.manual.page import page
from edgeasr.manual.topic import Option, Takes, Topic, topics
from edgeasr.manual.zsh import zsh

__all__ = ["Option", "Takes", "Topic", "bash", "page", "topics", "zsh"]
