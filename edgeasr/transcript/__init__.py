"""Words to what a subscriber or a subtitle file gets: events, formatting, schemas, exports."""

from edgeasr.transcript.event import Clock, Event, EventType, EventWord, Session, Ticket
from edgeasr.transcript.export import (
    ExportFormat,
    Transcript,
    Utterance,
    export,
    incomplete_line,
    is_incomplete,
)
from edgeasr.transcript.formatter import FormatOptions, Formatted, Formatter
from edgeasr.transcript.log import TranscriptLog
from edgeasr.transcript.outfile import OutputFile
from edgeasr.transcript.schema import SchemaName, load_schema

__all__ = [
    "Clock",
    "Event",
    "EventType",
    "EventWord",
    "ExportFormat",
    "FormatOptions",
    "Formatted",
    "Formatter",
    "OutputFile",
    "SchemaName",
    "Session",
    "Ticket",
    "Transcript",
    "TranscriptLog",
    "Utterance",
    "export",
    "incomplete_line",
    "is_incomplete",
    "load_schema",
]
