"""The tree: sections of fields, each with its default, its sentence, its unit and its bounds."""
# ruff: noqa: RUF009  # `setting` returns a dataclass field

import ipaddress
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")

ROLES = ("dicom", "web", "hl7", "engine")
"""The processes of a server."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on: `HOST:PORT`, or `[HOST]:PORT` for IPv6. Port 0 takes any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """Return the text that `load` reads."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def setting(
    default: T,
    sentence: str,
    *,
    unit: str = "",
    least: int | None = None,
    choices: tuple[str, ...] = (),
) -> T:
    """Declare one setting. The result is a dataclass field; the type is that of its default."""
    metadata = {"sentence": sentence, "unit": unit, "least": least, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where Hilum keeps what it keeps."""

    folder: Path = setting(
        Path("hilum-data"), "Folder of the embedded database, the stored objects and `hilum.toml`. `--data`."
    )


@dataclass(frozen=True, slots=True)
class Server:
    """The processes."""

    roles: tuple[str, ...] = setting(
        ROLES, "Processes to run here; each can run on another machine too. `--roles`.", choices=ROLES
    )


@dataclass(frozen=True, slots=True)
class Http:
    """DICOMweb, FHIR, the API and the console: one port."""

    bind: Address = setting(Address("127.0.0.1", 8080), "Address to listen on. `--http`.")
    tls: bool = setting(False, "Serve https; without client certificates.")
    public_url: str = setting(
        "", "Address under which browsers and clients reach Hilum, when a proxy stands before it."
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Addresses and CIDR ranges of proxies whose Forwarded and X-Forwarded-* fields are believed, beside this "
        "machine.",
    )
    maximum_body: int = setting(
        16 * 2**20, "Longest request body except stored instances.", unit="octets", least=1024
    )
    maximum_connections: int = setting(1000, "Connections served at once.", unit="connections", least=1)
    idle: float = setting(
        75.0, "An idle kept-alive connection is closed after this.", unit="seconds", least=1
    )


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS by the BCP 195 profile (PS3.15 B.12, RFC 9325): one identity for all doors and for what we send."""

    certificate: Path | None = setting(
        None, "PEM file of our certificate and its chain; read anew when it changes."
    )
    key: Path | None = setting(None, "PEM file of its key, without password.")
    authorities: Path | None = setting(
        None,
        "PEM file of the authorities whose certificates we believe; none: those of the system, for peers we call.",
    )
    client_certificates: str = setting(
        "required",
        "What DICOM and HL7 callers must show: a certificate, one if they have it, or nothing.",
        choices=("required", "optional", "none"),
    )


@dataclass(frozen=True, slots=True)
class Dicom:
    """DICOM associations: all services on one port."""

    bind: Address = setting(Address("127.0.0.1", 11112), "Address to listen on. `--dicom`.")
    tls: str = setting(
        "off",
        "`off`; `separate`: on `dicom.tls_bind` too; `same`: on `dicom.bind` beside plain associations, told apart by "
        "their first octet; `required`: on `dicom.bind`, where nothing else is heard.",
        choices=("off", "separate", "same", "required"),
    )
    tls_bind: Address = setting(
        Address("127.0.0.1", 2762), "Address of TLS associations when they are separate. `--dicom-tls`."
    )
    ae_title: str = setting("HILUM", "Our AE title, called and calling (PS3.5 6.2, AE).")
    maximum_associations: int = setting(100, "Associations served at once.", unit="associations", least=1)
    maximum_pdu_length: int = setting(
        131_072, "Longest P-DATA-TF that we announce (PS3.8 D.1).", unit="octets", least=4096
    )
    private_sop_classes: tuple[str, ...] = setting(
        (), "UIDs of private storage SOP classes that are taken, beside all of the standard."
    )
    sub_associations: int = setting(
        1,
        "Associations that one C-MOVE may hold with its destination at once; many devices take one only.",
        unit="associations",
        least=1,
    )
    artim: float = setting(10.0, "ARTIM timer (PS3.8 9.1.5).", unit="seconds", least=1)
    idle: float = setting(
        60.0, "An association that is silent for this long is aborted.", unit="seconds", least=1
    )


@dataclass(frozen=True, slots=True)
class Pixels:
    """Worker processes, which decode, encode and render: what they read was sent by anybody, so that each is bounded."""

    workers: int = setting(
        2, "Processes at work at once, in each role that needs them.", unit="processes", least=1
    )
    memory: int = setting(2 * 2**30, "Address space of a process.", unit="octets", least=512 * 2**20)
    seconds: int = setting(30, "CPU time, and time, for one frame.", unit="seconds", least=1)


@dataclass(frozen=True, slots=True)
class Hl7:
    """HL7 v2 over MLLP: all messages on one port."""

    bind: Address = setting(Address("127.0.0.1", 2575), "Address to listen on. `--hl7`.")
    tls: str = setting(
        "off",
        "`off`; `same`: on `hl7.bind` beside plain connections, told apart by their first octet; `required`: on "
        "`hl7.bind`, where nothing else is heard.",
        choices=("off", "same", "required"),
    )
    maximum_connections: int = setting(100, "Connections served at once.", unit="connections", least=1)
    maximum_frame: int = setting(16 * 2**20, "Longest MLLP block.", unit="octets", least=1024)
    idle: float = setting(
        300.0, "A connection that is silent for this long is closed.", unit="seconds", least=1
    )


@dataclass(frozen=True, slots=True)
class Database:
    """Where the record is kept."""

    url: str = setting(
        "",
        "`sqlite:///FILE` or `postgresql+psycopg://...`; empty: `hilum.db` in the data folder. `--database`.",
    )
    patience: float = setting(
        30.0,
        "A PostgreSQL server that takes longer over one transaction loses the connection; the peer is told to try again.",
        unit="seconds",
        least=1,
    )


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Where stored instances are kept."""

    url: str = setting(
        "", "A folder or `s3://BUCKET/PREFIX`; empty: `objects` in the data folder. `--objects`."
    )


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in."""

    open: bool = setting(
        False, "Admit callers without credentials and unknown AE titles; loopback addresses only. `--open`."
    )


@dataclass(frozen=True, slots=True)
class Patients:
    """Patient identifiers."""

    default_issuer: str = setting(
        "",
        "Issuer of identifiers that come without one, from a peer that has no issuer of its own; "
        "empty: the only issuer that is known, if there is one.",
    )


@dataclass(frozen=True, slots=True)
class Routing:
    """Where things are sent on."""

    rules: Path | None = setting(
        None, "YAML file of routing rules, loaded at every start; without it: `hilum routes load`."
    )


@dataclass(frozen=True, slots=True)
class Workitems:
    """Unified Procedure Steps."""

    keep: int = setting(
        30,
        "A workitem that ended is removed after this, unless it has a deletion lock.",
        unit="days",
        least=1,
    )
    fallback_ae_titles: tuple[str, ...] = setting(
        (), "AE titles that are told of a restart although they are not subscribed (PS3.4 CC.2.4.3)."
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one thing from outside may cost."""

    instance: int = setting(16 * 2**30, "Longest instance that is received.", unit="octets", least=2**20)
    arriving: int = setting(
        64 * 2**30,
        "Octets that may be on their way in at once, in one process, before senders are put off (A700, 503); 0: any.",
        unit="octets",
        least=0,
    )
    free_disk: int = setting(
        2**30,
        "Room that stays free on the disk of the object store, though a twentieth of it at most: before that, senders are "
        "put off (A700, 503).",
        unit="octets",
        least=0,
    )
    answers: int = setting(10_000, "Most answers of one query, at any door.", unit="answers", least=1)


@dataclass(frozen=True, slots=True)
class Deletion:
    """What becomes of instances that were deleted, expired or replaced."""

    grace: float = setting(30.0, "So long they can be brought back.", unit="days", least=0)


@dataclass(frozen=True, slots=True)
class Log:
    """What the server says on standard error. Never patient names, identifiers or message bodies."""

    level: str = setting(
        "info", "Least level that is written.", choices=("debug", "info", "warning", "error")
    )
    form: str = setting(
        "auto",
        "`text`, `json`, or `auto`: text on a terminal, JSON otherwise.",
        choices=("auto", "text", "json"),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one server."""

    data: DataFolder = DataFolder()
    server: Server = Server()
    http: Http = Http()
    tls: Tls = Tls()
    dicom: Dicom = Dicom()
    pixels: Pixels = Pixels()
    hl7: Hl7 = Hl7()
    database: Database = Database()
    objects: ObjectStore = ObjectStore()
    access: Access = Access()
    patients: Patients = Patients()
    routing: Routing = Routing()
    workitems: Workitems = Workitems()
    limits: Limits = Limits()
    deletion: Deletion = Deletion()
    log: Log = Log()

    @property
    def database_url(self) -> str:
        """Return the database to open: the one that was set, or the embedded one."""
        return self.database.url or f"sqlite:///{self.data.folder.resolve() / 'hilum.db'}"

    @property
    def objects_url(self) -> str:
        """Return the object store to open: the one that was set, or a folder beside the database."""
        return self.objects.url or str(self.data.folder.resolve() / "objects")

    @property
    def binds(self) -> Mapping[str, Address]:
        """Return the address of every door, by its name."""
        separate = {"dicom-tls": self.dicom.tls_bind} if self.dicom.tls == "separate" else {}
        return {"http": self.http.bind, "dicom": self.dicom.bind, "hl7": self.hl7.bind, **separate}


def _paths() -> dict[str, "Field[Any]"]:
    defaults = Settings()
    return {
        f"{section.name}.{key.name}": key
        for section in fields(defaults)
        for key in fields(getattr(defaults, section.name))
    }


FIELDS: Mapping[str, "Field[Any]"] = MappingProxyType(_paths())
"""Every field by its key path, as in `http.bind`."""
