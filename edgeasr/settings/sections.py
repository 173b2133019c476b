"""Every setting there is, a frozen dataclass a section; times are seconds unless the name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from edgeasr.settings import names
from edgeasr.settings._rule import setting
from edgeasr.settings.power import Power
from edgeasr.settings.vocabulary import UserWord, configured_words

DAY = 86400.0
MEBIBYTE = 1 << 20


class AudioSource(StrEnum):
    """Where samples come from."""

    MICROPHONE = "microphone"
    FILE = "file"
    PCM = "pcm"


class DecoderMode(StrEnum):
    """How words are found."""

    BEAM = "beam"
    GREEDY = "greedy"


class AcceleratorChoice(StrEnum):
    """What may run the encoder."""

    AUTO = "auto"
    CPU = "cpu"
    EDGETPU = "edgetpu"


class Protocol(StrEnum):
    """MQTT version to speak."""

    AUTO = "auto"
    V5 = "5"
    V311 = "3.1.1"


class LogLevel(StrEnum):
    """Least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """Where log lines go and how they look."""

    AUTO = "auto"
    TEXT = "text"
    JOURNAL = "journal"


class GovernorPolicy(StrEnum):
    """What is wished of the CPU's governor."""

    PERFORMANCE = "performance"
    ADAPTIVE = "adaptive"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Device:
    """Who this device is in every topic."""

    id: str = setting(
        "device", "device id in topics; by default a hash of the machine id", check=names.device_id_fault
    )


@dataclass(frozen=True, slots=True)
class Audio:
    """Capture."""

    source: AudioSource = setting(AudioSource.MICROPHONE, "microphone, file, or pcm (standard input)")
    device: str | None = setting(
        None, "microphone by name, ALSA card id or index; the system's default if unset"
    )
    channel: str = setting(
        "auto",
        "channel of the microphone: its number from 1 on; auto: the first that carries a signal; mix: all of them",
        convert=names.channel,
    )
    silent_after: float = setting(
        120.0,
        "time of digital silence, a constant or full-scale noise after which the microphone counts as faulty",
        low=5,
        high=DAY,
    )
    paths: tuple[Path, ...] = setting((), "files to play where the source is file")
    realtime: bool = setting(True, "play files at the speed of speech instead of as fast as possible")
    gap: float = setting(1.5, "silence played between files and after the last", low=0, high=60)
    pcm_rate: int = setting(16000, "samples per second of raw PCM", low=8000, high=192000)
    timeout: float = setting(
        3.0, "silence of the driver after which the source counts as lost", low=0.5, high=60
    )
    buffer: float = setting(10.0, "audio kept while the recogniser catches up", low=1, high=120)


@dataclass(frozen=True, slots=True)
class Vad:
    """Voice activity detection, which gates the encoder."""

    enabled: bool = setting(True, "off: everything goes to the encoder")
    pre_roll: float = setting(0.4, "audio kept from before speech was noticed", low=0, high=3)
    hang_over: float = setting(1.2, "audio still decoded after speech was last noticed", low=0.1, high=10)
    threshold_db: float = setting(3.0, "level over the noise floor that counts as speech", low=1, high=40)
    hysteresis_db: float = setting(1.0, "how far below that level speech may fall and go on", low=0, high=20)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """When an utterance ends."""

    no_speech: float = setting(2.4, "silence after which an utterance without words ends", low=0.3, high=60)
    after_speech: float = setting(0.8, "silence after words that ends the utterance", low=0.1, high=10)
    max_utterance: float = setting(20.0, "length at which an utterance is cut", low=2, high=120)


@dataclass(frozen=True, slots=True)
class Decoder:
    """Search for the words."""

    mode: DecoderMode = setting(DecoderMode.BEAM, "beam, or greedy for low power")
    beam: int = setting(1000, "hypotheses kept a step", low=1, high=2000)
    beam_tokens: int = setting(12, "units tried a step", low=1, high=200)
    beam_threshold: float = setting(
        22.0, "score below the best at which a hypothesis is dropped", low=1, high=1000
    )
    lm: bool = setting(True, "use the bundle's language model")
    lm_order: int = setting(8, "words in its longest n-grams that count; 8: in any", low=1, high=8)
    lm_weight: float | None = setting(
        None, "weight of the language model; the bundle's if unset", low=0, high=20
    )
    alternatives: int = setting(
        100, "hypotheses of a finished utterance that the bundle's rescorer weighs; 0: none", low=0, high=1000
    )
    least_confidence: float = setting(
        0.2, "utterances less sure than this are taken for noise and not published", low=0, high=1
    )
    word_score: float | None = setting(None, "bonus for each word; the bundle's if unset", low=-20, high=20)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words beyond the bundle's, and those that should be heard more or less often."""

    words: tuple[UserWord, ...] = setting(
        (),
        "words, each alone or with pronunciations and boost: "
        '["anna", {word = "siobhan", pronunciations = ["SH AH V AO N"], boost = 2}]',
        convert=configured_words,
    )


@dataclass(frozen=True, slots=True)
class Encoder:
    """The model and what runs it."""

    bundle: str = setting("edgeasr-en", "model bundle: a name, or a path to its folder")
    search: tuple[Path, ...] = setting((), "folders where bundles are looked for by name first")
    accelerator: AcceleratorChoice = setting(AcceleratorChoice.AUTO, "auto, cpu or edgetpu")
    threads: int = setting(1, "CPU threads of the encoder", low=1, high=16)
    hops_per_step: int = setting(1, "hops gathered before the encoder runs", low=1, high=20)


@dataclass(frozen=True, slots=True)
class Tuning:
    """Where and how the work runs; lists of cores are as the kernel writes them, 0,2-3."""

    pin: bool = setting(True, "keep capture, encoder and decoder each on cores of their own")
    capture_cores: str | None = setting(
        None, "cores of capture; by the number of cores if unset", check=names.cores_fault
    )
    encoder_cores: str | None = setting(None, "cores of the Edge TPU's process", check=names.cores_fault)
    decoder_cores: str | None = setting(
        None, "cores of the decoder, and of the encoder on the CPU", check=names.cores_fault
    )
    realtime_priority: int = setting(
        20, "SCHED_FIFO priority of capture, one less for the encoder's process; 0: none", low=0, high=50
    )
    realtime_bound: float = setting(
        1.0, "time that these may run without waiting before the kernel ends that", low=0.05, high=10
    )
    lock_memory: bool = setting(True, "keep memory out of the swap")
    governor: GovernorPolicy = setting(
        GovernorPolicy.PERFORMANCE, "performance; adaptive: economy while on a battery; leave: as it is"
    )


@dataclass(frozen=True, slots=True)
class Text:
    """From words to text; the raw words always travel beside it."""

    commands: bool = setting(True, "spoken punctuation: comma, full stop, new line …")
    numbers: bool = setting(True, "spoken numbers as digits")
    capitals: bool = setting(True, "capitals at sentence starts and for I")


@dataclass(frozen=True, slots=True)
class Partials:
    """Text of an utterance while it is spoken."""

    enabled: bool = setting(True, "publish partials at all")
    per_second: float = setting(5.0, "partials published at most", low=0.1, high=50)


@dataclass(frozen=True, slots=True)
class Tls:
    """Encryption; a relative path is the name of a systemd credential."""

    enabled: bool = setting(False, "encrypt the connection")
    ca: Path | None = setting(None, "CA certificates (PEM); the system's if unset")
    certificate: Path | None = setting(None, "client certificate (PEM)")
    key: Path | None = setting(None, "key of the client certificate (PEM)")
    check_hostname: bool = setting(True, "the broker's certificate must carry the name of mqtt.host")


@dataclass(frozen=True, slots=True)
class Mqtt:
    """The broker and how to talk to it."""

    enabled: bool = setting(True, "publish at all")
    host: str = setting("localhost", "broker's host name or address", check=names.host_fault)
    port: int | None = setting(None, "1883, or 8883 with TLS, if unset", low=1, high=65535)
    prefix: str = setting("edgeasr", "first level or levels of every topic", check=names.prefix_fault)
    client_id: str | None = setting(
        None, "made of prefix and device id if unset", check=names.device_id_fault
    )
    username: str | None = setting(None, "user name at the broker")
    password_file: Path | None = setting(
        None, "file with the password; a relative path is the name of a systemd credential"
    )
    protocol: Protocol = setting(
        Protocol.AUTO, "5, 3.1.1, or auto: 5, and 3.1.1 where the broker asks for it"
    )
    keepalive: int = setting(30, "silence after which the connection is probed", low=5, high=3600)
    connect_timeout: float = setting(5.0, "wait for the broker to accept and answer", low=0.2, high=120)
    reconnect_min: float = setting(1.0, "first pause before another try", low=0.05, high=60)
    reconnect_max: float = setting(60.0, "longest pause before another try", low=0.05, high=3600)
    ack_timeout: float = setting(
        20.0, "wait for a final's acknowledgement before reconnecting", low=0.5, high=600
    )
    window: int = setting(
        8,
        "finals under way without acknowledgement; with MQTT 5, whose brokers may refuse one, one at a time",
        low=1,
        high=20,
    )
    discovery: bool = setting(True, "let Home Assistant discover the device")
    discovery_prefix: str = setting(
        "homeassistant", "prefix of Home Assistant's discovery", check=names.prefix_fault
    )
    tls: Tls = field(default_factory=Tls)


@dataclass(frozen=True, slots=True)
class Outbox:
    """Finals on their way; what exceeds a bound is dropped oldest first, and counted."""

    path: Path = setting(Path("/var/lib/edgeasr/outbox.sqlite"), "SQLite file")
    max_count: int = setting(10000, "finals kept", low=1, high=10_000_000)
    max_age: float = setting(7 * DAY, "age of a final in time that the device ran", low=60, high=3650 * DAY)
    max_bytes: int = setting(64 * MEBIBYTE, "payload kept", low=1 << 16, high=1 << 40)


@dataclass(frozen=True, slots=True)
class Transcripts:
    """A log of finals on this device, readable by its user only; off unless asked for."""

    enabled: bool = setting(False, "keep what was said as text on this device")
    folder: Path = setting(Path("/var/lib/edgeasr/transcripts"), "one file of JSON lines a day")
    max_age: float = setting(30 * DAY, "age at which a day's file is deleted", low=DAY, high=3650 * DAY)
    max_bytes: int = setting(
        64 * MEBIBYTE, "size of all files; the oldest go first", low=1 << 16, high=1 << 40
    )


@dataclass(frozen=True, slots=True)
class Health:
    """What the daemon says about itself."""

    interval: float = setting(60.0, "time between two health messages", low=1, high=DAY)
    prometheus_file: Path | None = setting(
        None, "file for node_exporter's textfile collector, its name ends in .prom; none if unset"
    )


@dataclass(frozen=True, slots=True)
class Quality:
    """Stepping down under pressure instead of falling behind, and up again."""

    adaptive: bool = setting(
        True, "narrow the search, tell fewer partials and work in longer steps under pressure"
    )
    rtf: float = setting(0.8, "processing per second of audio that counts as pressure", low=0.05, high=1)
    backlog: float = setting(1.0, "audio waiting that counts as pressure", low=0.2, high=60)
    temperature: float = setting(80.0, "degrees Celsius that count as pressure", low=30, high=120)
    battery: float = setting(20.0, "percent left in a battery that count as pressure", low=0, high=100)
    hold: float = setting(20.0, "time without pressure before a step up", low=1, high=3600)


@dataclass(frozen=True, slots=True)
class Logging:
    """The daemon's log."""

    level: LogLevel = setting(LogLevel.INFO, "debug, info, warning or error")
    format: LogFormat = setting(LogFormat.AUTO, "journal under systemd, else text")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings."""

    device: Device = field(default_factory=Device)
    audio: Audio = field(default_factory=Audio)
    vad: Vad = field(default_factory=Vad)
    endpoint: Endpoint = field(default_factory=Endpoint)
    encoder: Encoder = field(default_factory=Encoder)
    decoder: Decoder = field(default_factory=Decoder)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    tuning: Tuning = field(default_factory=Tuning)
    text: Text = field(default_factory=Text)
    partials: Partials = field(default_factory=Partials)
    mqtt: Mqtt = field(default_factory=Mqtt)
    outbox: Outbox = field(default_factory=Outbox)
    transcripts: Transcripts = field(default_factory=Transcripts)
    health: Health = field(default_factory=Health)
    quality: Quality = field(default_factory=Quality)
    power: Power = field(default_factory=Power)
    logging: Logging = field(default_factory=Logging)
