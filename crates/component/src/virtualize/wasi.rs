//! What of WASI 0.2 is answered, and what that takes of the host.
//!
//! Facts of the WIT files of WASI 0.2.0 to 0.2.12, in which these items are the same.

/// A type of a value. Types with names are named as in [`HOST`] and [`OWN`].
pub(super) enum Ty {
    Bool,
    U8,
    U32,
    U64,
    String,
    Named(&'static str),
    Own(&'static str),
    Borrow(&'static str),
    List(&'static Self),
    Option(&'static Self),
    Tuple(&'static [Self]),
    Result(Option<&'static Self>, Option<&'static Self>),
}

/// What a type with a name is.
pub(super) enum Definition {
    /// Its value is in 32 bits; the function of the guest is called when the resource is dropped.
    Resource(Option<&'static str>),
    Same(Ty),
    Enum(&'static [&'static str]),
    Flags(&'static [&'static str]),
    Record(&'static [(&'static str, Ty)]),
    Variant(&'static [(&'static str, Option<Ty>)]),
}

/// The type of a function.
pub(super) struct Signature {
    pub(super) params: &'static [(&'static str, Ty)],
    pub(super) result: Option<Ty>,
}

/// An interface of the host's.
pub(super) struct Interface {
    /// What it is called, without a version.
    pub(super) name: &'static str,
    /// Its own types: what they are called here and there, and what they are.
    pub(super) types: &'static [(&'static str, &'static str, Definition)],
    /// Types of the interfaces before it that it has, too: what they are called here and there.
    pub(super) uses: &'static [(&'static str, &'static str)],
    pub(super) functions: &'static [(&'static str, Signature)],
}

/// A function that the guest imports.
pub(super) enum Call {
    /// A function of an interface of the host's.
    Host(&'static str, &'static str),
    /// What drops a handle of a resource of the host's.
    Drop(&'static str),
    /// What makes a handle of a resource of ours.
    New(&'static str),
}

/// A function that is answered.
pub(super) struct Function {
    /// The interface, without a version.
    pub(super) interface: &'static str,
    pub(super) item: &'static str,
    /// What the guest calls it.
    pub(super) core: &'static str,
    pub(super) signature: Signature,
    /// What it may call, by the guest's names.
    pub(super) calls: &'static [&'static str],
}

pub(super) const ENVIRONMENT: &str = "wasi:cli/environment";
pub(super) const FILES: &str = "wasi:filesystem/types";
pub(super) const PREOPENS: &str = "wasi:filesystem/preopens";
pub(super) const STREAMS: &str = "wasi:io/streams";
const ERROR: &str = "wasi:io/error";
const POLL: &str = "wasi:io/poll";
const CLOCK: &str = "wasi:clocks/monotonic-clock";
const STDIN: &str = "wasi:cli/stdin";
const NETWORK: &str = "wasi:sockets/network";
const TCP: &str = "wasi:sockets/tcp";
const HTTP: &str = "wasi:http/types";

const LEN: (&str, Ty) = ("len", Ty::U64);
const HOST_INPUT: (&str, Ty) = ("self", Ty::Borrow("host-input-stream"));
const OUTPUT: (&str, Ty) = ("self", Ty::Borrow("output-stream"));
const SOCKET: (&str, Ty) = ("self", Ty::Borrow("tcp-socket"));
const BODY: (&str, Ty) = ("self", Ty::Borrow("incoming-body"));
const STREAM_ERROR: Option<&Ty> = Some(&Ty::Named("stream-error"));
const BYTES: Ty = Ty::List(&Ty::U8);
const READ: Option<Ty> = Some(Ty::Result(Some(&BYTES), STREAM_ERROR));
const COUNT: Option<Ty> = Some(Ty::Result(Some(&Ty::U64), STREAM_ERROR));
const POLLABLE: Option<Ty> = Some(Ty::Own("pollable"));
const SOCKET_ERROR: Option<&Ty> = Some(&Ty::Named("socket-error-code"));

const fn signature(params: &'static [(&'static str, Ty)], result: Option<Ty>) -> Signature {
    Signature { params, result }
}

/// The interfaces of the host's that may be needed, each behind those whose types it has.
pub(super) const HOST: &[Interface] = &[
    Interface {
        name: ERROR,
        types: &[("error", "error", Definition::Resource(None))],
        uses: &[],
        functions: &[],
    },
    Interface {
        name: POLL,
        types: &[("pollable", "pollable", Definition::Resource(None))],
        uses: &[],
        functions: &[(
            "[method]pollable.block",
            signature(&[("self", Ty::Borrow("pollable"))], None),
        )],
    },
    Interface {
        name: STREAMS,
        uses: &[("error", "error"), ("pollable", "pollable")],
        types: &[
            (
                "stream-error",
                "stream-error",
                Definition::Variant(&[
                    ("last-operation-failed", Some(Ty::Own("error"))),
                    ("closed", None),
                ]),
            ),
            ("host-input-stream", "input-stream", Definition::Resource(None)),
            ("output-stream", "output-stream", Definition::Resource(None)),
        ],
        functions: &[
            ("[method]input-stream.read", signature(&[HOST_INPUT, LEN], READ)),
            ("[method]input-stream.blocking-read", signature(&[HOST_INPUT, LEN], READ)),
            ("[method]input-stream.skip", signature(&[HOST_INPUT, LEN], COUNT)),
            ("[method]input-stream.blocking-skip", signature(&[HOST_INPUT, LEN], COUNT)),
            ("[method]input-stream.subscribe", signature(&[HOST_INPUT], POLLABLE)),
            ("[method]output-stream.check-write", signature(&[OUTPUT], COUNT)),
            (
                "[method]output-stream.write",
                signature(&[OUTPUT, ("contents", BYTES)], Some(Ty::Result(None, STREAM_ERROR))),
            ),
            ("[method]output-stream.subscribe", signature(&[OUTPUT], POLLABLE)),
            (
                "[method]output-stream.splice",
                signature(&[OUTPUT, ("src", Ty::Borrow("host-input-stream")), LEN], COUNT),
            ),
            (
                "[method]output-stream.blocking-splice",
                signature(&[OUTPUT, ("src", Ty::Borrow("host-input-stream")), LEN], COUNT),
            ),
        ],
    },
    Interface {
        name: CLOCK,
        uses: &[("pollable", "pollable")],
        types: &[("duration", "duration", Definition::Same(Ty::U64))],
        functions: &[(
            "subscribe-duration",
            signature(&[("when", Ty::Named("duration"))], POLLABLE),
        )],
    },
    Interface {
        name: STDIN,
        uses: &[("host-input-stream", "input-stream")],
        types: &[],
        functions: &[("get-stdin", signature(&[], Some(Ty::Own("host-input-stream"))))],
    },
    Interface {
        name: NETWORK,
        uses: &[],
        types: &[("socket-error-code", "error-code", Definition::Enum(SOCKET_ERRORS))],
        functions: &[],
    },
    Interface {
        name: TCP,
        uses: &[
            ("host-input-stream", "input-stream"),
            ("output-stream", "output-stream"),
            ("socket-error-code", "error-code"),
        ],
        types: &[("tcp-socket", "tcp-socket", Definition::Resource(None))],
        functions: &[
            (
                "[method]tcp-socket.finish-connect",
                signature(
                    &[SOCKET],
                    Some(Ty::Result(
                        Some(&Ty::Tuple(&[Ty::Own("host-input-stream"), Ty::Own("output-stream")])),
                        SOCKET_ERROR,
                    )),
                ),
            ),
            (
                "[method]tcp-socket.accept",
                signature(
                    &[SOCKET],
                    Some(Ty::Result(
                        Some(&Ty::Tuple(&[
                            Ty::Own("tcp-socket"),
                            Ty::Own("host-input-stream"),
                            Ty::Own("output-stream"),
                        ])),
                        SOCKET_ERROR,
                    )),
                ),
            ),
        ],
    },
    Interface {
        name: HTTP,
        uses: &[("host-input-stream", "input-stream")],
        types: &[("incoming-body", "incoming-body", Definition::Resource(None))],
        functions: &[(
            "[method]incoming-body.stream",
            signature(&[BODY], Some(Ty::Result(Some(&Ty::Own("host-input-stream")), None))),
        )],
    },
];

/// What the guest imports.
pub(super) const CALLS: &[(&str, Call)] = &[
    ("get-stdin", Call::Host(STDIN, "get-stdin")),
    ("input-read", Call::Host(STREAMS, "[method]input-stream.read")),
    ("input-blocking-read", Call::Host(STREAMS, "[method]input-stream.blocking-read")),
    ("input-skip", Call::Host(STREAMS, "[method]input-stream.skip")),
    ("input-blocking-skip", Call::Host(STREAMS, "[method]input-stream.blocking-skip")),
    ("input-subscribe", Call::Host(STREAMS, "[method]input-stream.subscribe")),
    ("input-drop", Call::Drop("host-input-stream")),
    ("output-splice", Call::Host(STREAMS, "[method]output-stream.splice")),
    ("output-blocking-splice", Call::Host(STREAMS, "[method]output-stream.blocking-splice")),
    ("output-check-write", Call::Host(STREAMS, "[method]output-stream.check-write")),
    ("output-write", Call::Host(STREAMS, "[method]output-stream.write")),
    ("output-subscribe", Call::Host(STREAMS, "[method]output-stream.subscribe")),
    ("output-drop", Call::Drop("output-stream")),
    ("pollable-block", Call::Host(POLL, "[method]pollable.block")),
    ("pollable-drop", Call::Drop("pollable")),
    ("subscribe-duration", Call::Host(CLOCK, "subscribe-duration")),
    ("error-drop", Call::Drop("error")),
    ("tcp-finish-connect", Call::Host(TCP, "[method]tcp-socket.finish-connect")),
    ("tcp-accept", Call::Host(TCP, "[method]tcp-socket.accept")),
    ("tcp-drop", Call::Drop("tcp-socket")),
    ("body-stream", Call::Host(HTTP, "[method]incoming-body.stream")),
    ("body-drop", Call::Drop("incoming-body")),
    ("new-input", Call::New("input-stream")),
    ("new-descriptor", Call::New("descriptor")),
    ("new-entries", Call::New("directory-entry-stream")),
];

/// What becomes of a stream of the host's that is ours.
pub(super) const INPUT: &str = "input-stream";

/// The types of ours, each behind those that it is made of. But for streams, they are those of
/// `wasi:filesystem`.
pub(super) const OWN: &[(&str, Definition)] = &[
    (INPUT, Definition::Resource(Some("input-gone"))),
    ("descriptor", Definition::Resource(None)),
    ("directory-entry-stream", Definition::Resource(Some("entries-gone"))),
    ("filesize", Definition::Same(Ty::U64)),
    ("link-count", Definition::Same(Ty::U64)),
    ("datetime", Definition::Record(&[("seconds", Ty::U64), ("nanoseconds", Ty::U32)])),
    ("descriptor-type", Definition::Enum(DESCRIPTOR_TYPES)),
    (
        "descriptor-flags",
        Definition::Flags(&[
            "read",
            "write",
            "file-integrity-sync",
            "data-integrity-sync",
            "requested-write-sync",
            "mutate-directory",
        ]),
    ),
    ("path-flags", Definition::Flags(&["symlink-follow"])),
    ("open-flags", Definition::Flags(&["create", "directory", "exclusive", "truncate"])),
    (
        "descriptor-stat",
        Definition::Record(&[
            ("type", Ty::Named("descriptor-type")),
            ("link-count", Ty::Named("link-count")),
            ("size", Ty::Named("filesize")),
            ("data-access-timestamp", TIME),
            ("data-modification-timestamp", TIME),
            ("status-change-timestamp", TIME),
        ]),
    ),
    (
        "new-timestamp",
        Definition::Variant(&[
            ("no-change", None),
            ("now", None),
            ("timestamp", Some(Ty::Named("datetime"))),
        ]),
    ),
    (
        "directory-entry",
        Definition::Record(&[("type", Ty::Named("descriptor-type")), ("name", Ty::String)]),
    ),
    ("error-code", Definition::Enum(FILE_ERRORS)),
    (
        "advice",
        Definition::Enum(&["normal", "sequential", "random", "will-need", "dont-need", "no-reuse"]),
    ),
    ("metadata-hash-value", Definition::Record(&[("lower", Ty::U64), ("upper", Ty::U64)])),
];

const TIME: Ty = Ty::Option(&Ty::Named("datetime"));
const NEW_TIME: Ty = Ty::Named("new-timestamp");
const SIZE: Ty = Ty::Named("filesize");
const FILE_ERROR: Option<&Ty> = Some(&Ty::Named("error-code"));
const DONE: Option<Ty> = Some(Ty::Result(None, FILE_ERROR));
const SELF: (&str, Ty) = ("self", Ty::Borrow("descriptor"));
const PATH: (&str, Ty) = ("path", Ty::String);
const OFFSET: (&str, Ty) = ("offset", SIZE);
const PATH_FLAGS: (&str, Ty) = ("path-flags", Ty::Named("path-flags"));
const ACCESS: (&str, Ty) = ("data-access-timestamp", NEW_TIME);
const MODIFICATION: (&str, Ty) = ("data-modification-timestamp", NEW_TIME);
const OLD_PATH: (&str, Ty) = ("old-path", Ty::String);
const NEW_PATH: (&str, Ty) = ("new-path", Ty::String);
const NEW_DESCRIPTOR: (&str, Ty) = ("new-descriptor", Ty::Borrow("descriptor"));
const IN: (&str, Ty) = ("self", Ty::Borrow(INPUT));
const SOURCE: (&str, Ty) = ("src", Ty::Borrow(INPUT));

const fn cli(item: &'static str, result: Ty) -> Function {
    let signature = signature(&[], Some(result));
    Function { interface: ENVIRONMENT, item, core: item, signature, calls: &[] }
}

const fn file(
    item: &'static str,
    core: &'static str,
    params: &'static [(&'static str, Ty)],
    result: Option<Ty>,
    calls: &'static [&'static str],
) -> Function {
    Function { interface: FILES, item, core, signature: signature(params, result), calls }
}

const fn stream(
    item: &'static str,
    core: &'static str,
    params: &'static [(&'static str, Ty)],
    result: Option<Ty>,
    calls: &'static [&'static str],
) -> Function {
    Function { interface: STREAMS, item, core, signature: signature(params, result), calls }
}

const fn ok(ty: &'static Ty) -> Ty {
    Ty::Result(Some(ty), FILE_ERROR)
}

/// The functions that are answered.
pub(super) const FUNCTIONS: &[Function] = &[
    cli("get-environment", Ty::List(&Ty::Tuple(&[Ty::String, Ty::String]))),
    cli("get-arguments", Ty::List(&Ty::String)),
    cli("initial-cwd", Ty::Option(&Ty::String)),
    Function {
        interface: PREOPENS,
        item: "get-directories",
        core: "get-directories",
        signature: signature(&[], Some(Ty::List(&Ty::Tuple(&[Ty::Own("descriptor"), Ty::String])))),
        calls: &["new-descriptor"],
    },
    file(
        "[method]descriptor.read-via-stream",
        "descriptor-read-via-stream",
        &[SELF, OFFSET],
        Some(ok(&Ty::Own(INPUT))),
        &["new-input"],
    ),
    file(
        "[method]descriptor.write-via-stream",
        "descriptor-write-via-stream",
        &[SELF, OFFSET],
        Some(ok(&Ty::Own("output-stream"))),
        &[],
    ),
    file(
        "[method]descriptor.append-via-stream",
        "descriptor-append-via-stream",
        &[SELF],
        Some(ok(&Ty::Own("output-stream"))),
        &[],
    ),
    file(
        "[method]descriptor.advise",
        "descriptor-advise",
        &[SELF, OFFSET, ("length", SIZE), ("advice", Ty::Named("advice"))],
        DONE,
        &[],
    ),
    file("[method]descriptor.sync-data", "descriptor-sync", &[SELF], DONE, &[]),
    file(
        "[method]descriptor.get-flags",
        "descriptor-get-flags",
        &[SELF],
        Some(ok(&Ty::Named("descriptor-flags"))),
        &[],
    ),
    file(
        "[method]descriptor.get-type",
        "descriptor-get-type",
        &[SELF],
        Some(ok(&Ty::Named("descriptor-type"))),
        &[],
    ),
    file("[method]descriptor.set-size", "descriptor-set-size", &[SELF, ("size", SIZE)], DONE, &[]),
    file(
        "[method]descriptor.set-times",
        "descriptor-set-times",
        &[SELF, ACCESS, MODIFICATION],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.read",
        "descriptor-read",
        &[SELF, ("length", SIZE), OFFSET],
        Some(ok(&Ty::Tuple(&[BYTES, Ty::Bool]))),
        &[],
    ),
    file(
        "[method]descriptor.write",
        "descriptor-write",
        &[SELF, ("buffer", BYTES), OFFSET],
        Some(ok(&SIZE)),
        &[],
    ),
    file(
        "[method]descriptor.read-directory",
        "descriptor-read-directory",
        &[SELF],
        Some(ok(&Ty::Own("directory-entry-stream"))),
        &["new-entries"],
    ),
    file("[method]descriptor.sync", "descriptor-sync", &[SELF], DONE, &[]),
    file(
        "[method]descriptor.create-directory-at",
        "descriptor-create-directory-at",
        &[SELF, PATH],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.stat",
        "descriptor-stat",
        &[SELF],
        Some(ok(&Ty::Named("descriptor-stat"))),
        &[],
    ),
    file(
        "[method]descriptor.stat-at",
        "descriptor-stat-at",
        &[SELF, PATH_FLAGS, PATH],
        Some(ok(&Ty::Named("descriptor-stat"))),
        &[],
    ),
    file(
        "[method]descriptor.set-times-at",
        "descriptor-set-times-at",
        &[SELF, PATH_FLAGS, PATH, ACCESS, MODIFICATION],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.link-at",
        "descriptor-link-at",
        &[SELF, ("old-path-flags", Ty::Named("path-flags")), OLD_PATH, NEW_DESCRIPTOR, NEW_PATH],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.open-at",
        "descriptor-open-at",
        &[
            SELF,
            PATH_FLAGS,
            PATH,
            ("open-flags", Ty::Named("open-flags")),
            ("flags", Ty::Named("descriptor-flags")),
        ],
        Some(ok(&Ty::Own("descriptor"))),
        &["new-descriptor"],
    ),
    file(
        "[method]descriptor.readlink-at",
        "descriptor-readlink-at",
        &[SELF, PATH],
        Some(ok(&Ty::String)),
        &[],
    ),
    file(
        "[method]descriptor.remove-directory-at",
        "descriptor-remove-directory-at",
        &[SELF, PATH],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.rename-at",
        "descriptor-rename-at",
        &[SELF, OLD_PATH, NEW_DESCRIPTOR, NEW_PATH],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.symlink-at",
        "descriptor-symlink-at",
        &[SELF, OLD_PATH, NEW_PATH],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.unlink-file-at",
        "descriptor-unlink-file-at",
        &[SELF, PATH],
        DONE,
        &[],
    ),
    file(
        "[method]descriptor.is-same-object",
        "descriptor-is-same-object",
        &[SELF, ("other", Ty::Borrow("descriptor"))],
        Some(Ty::Bool),
        &[],
    ),
    file(
        "[method]descriptor.metadata-hash",
        "descriptor-metadata-hash",
        &[SELF],
        Some(ok(&Ty::Named("metadata-hash-value"))),
        &[],
    ),
    file(
        "[method]descriptor.metadata-hash-at",
        "descriptor-metadata-hash-at",
        &[SELF, PATH_FLAGS, PATH],
        Some(ok(&Ty::Named("metadata-hash-value"))),
        &[],
    ),
    file(
        "[method]directory-entry-stream.read-directory-entry",
        "entries-read",
        &[("self", Ty::Borrow("directory-entry-stream"))],
        Some(ok(&Ty::Option(&Ty::Named("directory-entry")))),
        &[],
    ),
    file(
        "filesystem-error-code",
        "filesystem-error-code",
        &[("err", Ty::Borrow("error"))],
        Some(Ty::Option(&Ty::Named("error-code"))),
        &["error-drop"],
    ),
    stream("[method]input-stream.read", "input-read", &[IN, LEN], READ, &["input-read"]),
    stream(
        "[method]input-stream.blocking-read",
        "input-blocking-read",
        &[IN, LEN],
        READ,
        &["input-blocking-read"],
    ),
    stream("[method]input-stream.skip", "input-skip", &[IN, LEN], COUNT, &["input-skip"]),
    stream(
        "[method]input-stream.blocking-skip",
        "input-blocking-skip",
        &[IN, LEN],
        COUNT,
        &["input-blocking-skip"],
    ),
    stream(
        "[method]input-stream.subscribe",
        "input-subscribe",
        &[IN],
        POLLABLE,
        &["input-subscribe", "subscribe-duration"],
    ),
    stream(
        "[method]output-stream.splice",
        "output-splice",
        &[OUTPUT, SOURCE, LEN],
        COUNT,
        &["output-splice", "output-check-write", "output-write", "output-drop"],
    ),
    stream(
        "[method]output-stream.blocking-splice",
        "output-blocking-splice",
        &[OUTPUT, SOURCE, LEN],
        COUNT,
        &[
            "output-blocking-splice",
            "output-check-write",
            "output-write",
            "output-subscribe",
            "pollable-block",
            "pollable-drop",
            "output-drop",
        ],
    ),
    Function {
        interface: STDIN,
        item: "get-stdin",
        core: "get-stdin",
        signature: signature(&[], Some(Ty::Own(INPUT))),
        calls: &["get-stdin", "new-input"],
    },
    Function {
        interface: TCP,
        item: "[method]tcp-socket.finish-connect",
        core: "tcp-finish-connect",
        signature: signature(
            &[SOCKET],
            Some(Ty::Result(
                Some(&Ty::Tuple(&[Ty::Own(INPUT), Ty::Own("output-stream")])),
                SOCKET_ERROR,
            )),
        ),
        calls: &["tcp-finish-connect", "tcp-drop", "new-input"],
    },
    Function {
        interface: TCP,
        item: "[method]tcp-socket.accept",
        core: "tcp-accept",
        signature: signature(
            &[SOCKET],
            Some(Ty::Result(
                Some(&Ty::Tuple(&[
                    Ty::Own("tcp-socket"),
                    Ty::Own(INPUT),
                    Ty::Own("output-stream"),
                ])),
                SOCKET_ERROR,
            )),
        ),
        calls: &["tcp-accept", "tcp-drop", "new-input"],
    },
    Function {
        interface: HTTP,
        item: "[method]incoming-body.stream",
        core: "body-stream",
        signature: signature(&[BODY], Some(Ty::Result(Some(&Ty::Own(INPUT)), None))),
        calls: &["body-stream", "body-drop", "new-input"],
    },
];

impl Function {
    /// Under which name the component between exports it: never that of a type.
    pub(super) fn export(&self) -> String {
        format!("call-{}", self.item.trim_start_matches("[method]").replace('.', "-"))
    }
}

const DESCRIPTOR_TYPES: &[&str] = &[
    "unknown",
    "block-device",
    "character-device",
    "directory",
    "fifo",
    "symbolic-link",
    "regular-file",
    "socket",
];

const FILE_ERRORS: &[&str] = &[
    "access",
    "would-block",
    "already",
    "bad-descriptor",
    "busy",
    "deadlock",
    "quota",
    "exist",
    "file-too-large",
    "illegal-byte-sequence",
    "in-progress",
    "interrupted",
    "invalid",
    "io",
    "is-directory",
    "loop",
    "too-many-links",
    "message-size",
    "name-too-long",
    "no-device",
    "no-entry",
    "no-lock",
    "insufficient-memory",
    "insufficient-space",
    "not-directory",
    "not-empty",
    "not-recoverable",
    "unsupported",
    "no-tty",
    "no-such-device",
    "overflow",
    "not-permitted",
    "pipe",
    "read-only",
    "invalid-seek",
    "text-file-busy",
    "cross-device",
];

const SOCKET_ERRORS: &[&str] = &[
    "unknown",
    "access-denied",
    "not-supported",
    "invalid-argument",
    "out-of-memory",
    "timeout",
    "concurrency-conflict",
    "not-in-progress",
    "would-block",
    "invalid-state",
    "new-socket-limit",
    "address-not-bindable",
    "address-in-use",
    "remote-unreachable",
    "connection-refused",
    "connection-reset",
    "connection-aborted",
    "datagram-too-large",
    "name-unresolvable",
    "temporary-resolver-failure",
    "permanent-resolver-failure",
];
