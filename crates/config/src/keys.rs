//! Every key of the file, once: the structural check, the nearest-key hint and the JSON Schema all read
//! these tables, so they cannot drift apart.

mod client;
mod providers;

pub(crate) use providers::PROVIDER_TYPES;

use crate::texts::{self, Fault};

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    Bool,
    /// `true`: leaving the key out says the contrary.
    True,
    Integer {
        min: i64,
        max: i64,
    },
    /// With a fraction or without.
    Number {
        min: f64,
        max: f64,
    },
    /// A calendar day, unquoted.
    Date,
    Text(&'static TextKind),
    Choice(&'static [&'static str]),
    List {
        of: &'static Shape,
        min: usize,
    },
    Table(&'static TableSpec),
    /// A table whose `type` says which of [`PROVIDER_TYPES`] it is.
    Provider,
    /// A table whose keys the user chooses.
    Map {
        key: &'static TextKind,
        value: &'static Shape,
    },
    /// A table of presets, each a table of that preset's parameters.
    Senders,
    /// Alternatives; no two of them of one TOML type.
    OneOf(&'static [Shape]),
}

/// What a string may be.
pub(crate) struct TextKind {
    /// With an article: `a duration such as "2s"`.
    pub(crate) name: &'static str,
    /// For the schema: a regular expression that no valid string fails.
    pub(crate) pattern: Option<&'static str>,
    /// The whole rule.
    pub(crate) check: fn(&str) -> Result<(), Fault>,
}

/// A table with known keys.
#[derive(Debug)]
pub(crate) struct TableSpec {
    /// For messages and the schema: `a host`.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key],
    /// Keys that a later version will have: refused by name.
    pub(crate) later: &'static [&'static str],
    /// Keys that others of its kind have and this one has no use for: refused with the reason.
    pub(crate) never: &'static [(&'static str, &'static str)],
    /// Which of the keys may stand here.
    pub(crate) scope: u8,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) doc: &'static str,
    pub(crate) required: bool,
    /// The tables that may hold it, of those that share a list.
    pub(crate) scope: u8,
    pub(crate) join: Join,
}

/// How a key of several layers becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// Tables merge key by key, everything else replaces.
    Merge,
    /// The entries of a table are united; an entry replaces the one of the same name as a whole.
    Entries,
    /// Likewise, of a list of tables with owner names and types.
    Records,
    /// Likewise, of a list of tables with codes and names.
    Allow,
}

/// Where a domain's key may stand.
pub(crate) const DEFAULTS: u8 = 1;
pub(crate) const PROFILE: u8 = 2;
pub(crate) const GROUP: u8 = 4;
pub(crate) const DOMAIN: u8 = 8;
const ANYWHERE: u8 = 0xff;
const NOT_IN_PROFILES: u8 = DEFAULTS | GROUP | DOMAIN;

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc, required: false, scope: ANYWHERE, join: Join::Merge }
}

const fn required(key: Key) -> Key {
    Key { required: true, ..key }
}

const fn only(scope: u8, key: Key) -> Key {
    Key { scope, ..key }
}

const fn joined(join: Join, key: Key) -> Key {
    Key { join, ..key }
}

const fn table(name: &'static str, keys: &'static [Key]) -> TableSpec {
    TableSpec { name, keys, later: &[], never: &[], scope: ANYWHERE }
}

const fn list(of: &'static Shape) -> Shape {
    Shape::List { of, min: 0 }
}

const fn some(of: &'static Shape) -> Shape {
    Shape::List { of, min: 1 }
}

const ABSENT_OR_UNMANAGED: Shape = Shape::Choice(&["absent", "unmanaged"]);
const NAME: Shape = Shape::Text(&texts::NAME);
const HOST_NAME: Shape = Shape::Text(&texts::HOST_NAME);
const PATH: Shape = Shape::Text(&texts::PATH);
const WORDS: Shape = Shape::Text(&texts::NOT_EMPTY);
const IPV4: Shape = Shape::Text(&texts::IPV4);
const IPV6: Shape = Shape::Text(&texts::IPV6);
const DURATION: Shape = Shape::Text(&texts::DURATION);
const SERVER: Shape = Shape::Text(&texts::SERVER);
const RESOLVER: Shape = Shape::Text(&texts::RESOLVER);
const MAILTO: Shape = Shape::Text(&texts::MAILTO);
const TLS_RPT_URI: Shape = Shape::Text(&texts::TLS_RPT_URI);
const TTL: Shape = Shape::OneOf(&[Shape::Text(&texts::TTL), Shape::Integer { min: 0, max: i32::MAX as i64 }]);
const ALIGNMENT: Shape = Shape::Choice(&["relaxed", "strict"]);
const POLICY: Shape = Shape::Choice(&["none", "quarantine", "reject"]);
const CAA_ISSUER: Shape = Shape::Text(&texts::CAA_ISSUER);
const CAA_URI: Shape = Shape::Text(&texts::CAA_URI);

/// The whole file.
pub(crate) static ROOT: TableSpec = table(
    "the configuration",
    &[
        key(
            "providers",
            Shape::Map { key: &texts::LABEL, value: &Shape::Provider },
            "Where zones are kept, by a name of your choice.",
        ),
        key("dns", Shape::Table(&DNS), "How the DNS is asked."),
        key("propagation", Shape::Table(&PROPAGATION), "How long to wait for a change to be visible."),
        key("latency", Shape::Table(&LATENCY), "The latency budget of name servers."),
        key(
            "hosts",
            Shape::Map { key: &texts::HOST_NAME, value: &Shape::Table(&HOST) },
            "The hosts that receive or send mail, by name.",
        ),
        key(
            "sender",
            Shape::Map { key: &texts::LABEL, value: &Shape::Table(&SENDER) },
            "Who sends mail for the domains, by a name of your choice: whether it passes is simulated.",
        ),
        key("look", Shape::Table(&LOOK), "How mail servers and web servers are looked at."),
        key("defaults", Shape::Table(&DEFAULTS_TABLE), "Keys for every domain."),
        key(
            "profiles",
            Shape::Map { key: &texts::LABEL, value: &Shape::Table(&PROFILE_TABLE) },
            "Reusable keys. Built in: parked, receive-only, send-only.",
        ),
        key(
            "groups",
            Shape::Map { key: &texts::LABEL, value: &Shape::Table(&GROUP_TABLE) },
            "The same keys for many domains.",
        ),
        key("domains", Shape::Map { key: &texts::NAME, value: &Shape::Table(&DOMAIN_TABLE) }, "The domains, by name."),
    ],
);

static SENDER: TableSpec = table(
    "a sender",
    &[
        required(key("addresses", some(&Shape::Text(&texts::ADDRESS)), "The addresses that it sends from.")),
        key("envelope_domain", NAME, "The domain of its envelope senders; that of `from` by default."),
        key("dkim", Shape::Table(&SENDER_DKIM), "What it signs with."),
        key("from", NAME, "The domain in `From`; by default that of `dkim`, else `envelope_domain`."),
        key("helo", HOST_NAME, "The name that it says in HELO."),
        key("required", Shape::Bool, "Whether its mail must pass; true by default."),
    ],
);

static SENDER_DKIM: TableSpec = table(
    "the table `dkim` of a sender",
    &[
        required(key("domain", NAME, "The signing domain (`d=`).")),
        required(key("selector", Shape::Text(&texts::SELECTOR), "The selector (`s=`).")),
    ],
);

static LOOK: TableSpec = table(
    "the table `look`",
    &[
        key("helo", HOST_NAME, "The name said to mail servers; localhost.localdomain by default."),
        key("ca_file", PATH, "Authorities (PEM) that are trusted instead of the usual ones."),
        key("smtp_port", Shape::Integer { min: 1, max: 65535 }, "25 by default; another value is for tests."),
        key("https_port", Shape::Integer { min: 1, max: 65535 }, "443 by default; another value is for tests."),
    ],
);

/// Where a secret is: the shape of every key that takes one. `check` sees to it that one key stands and that
/// no line is shown in which a secret may stand.
pub(crate) static SECRET: TableSpec = table(
    "a reference to a secret",
    &[
        key("env", Shape::Text(&texts::ENVIRONMENT_VARIABLE), "An environment variable."),
        key("file", PATH, "A file, relative to this one."),
        key("command", some(&WORDS), "A command and its arguments that prints the secret. No shell."),
    ],
);

static DNS: TableSpec = table(
    "the table `dns`",
    &[
        key("resolvers", some(&RESOLVER), "Recursive resolvers: ADDR, ADDR:PORT, [V6]:PORT or \"system\"."),
        key("timeout", DURATION, "Of one exchange; 2s by default."),
        key("port", Shape::Integer { min: 1, max: 65535 }, "Of authoritative servers found by name; 53 by default."),
        key("roots", list(&SERVER), "Root servers to begin at; the real ones by default."),
    ],
);

static PROPAGATION: TableSpec =
    table("the table `propagation`", &[key("timeout", DURATION, "Of one wait; by default the provider's own.")]);

static LATENCY: TableSpec = table(
    "the table `latency`",
    &[
        key("budget", DURATION, "A server above it is too slow; 100ms by default."),
        key(
            "statistic",
            Shape::Choice(&["median", "p95", "p99"]),
            "What is compared with the budget; median by default.",
        ),
        key("samples", Shape::Integer { min: 1, max: 1000 }, "Exchanges per server; 20 by default."),
        key("on_exceed", Shape::Choice(&["warn", "fail"]), "What being over budget means; warn by default."),
    ],
);

static HOST: TableSpec = table(
    "a host",
    &[
        key(
            "ipv4",
            list(&IPV4),
            "Its IPv4 addresses; [] says that there shall be none, without the key they are foreign.",
        ),
        key("ipv6", list(&IPV6), "Its IPv6 addresses, likewise."),
        key(
            "addresses",
            Shape::Choice(&["check", "manage", "off"]),
            "What is done about its A and AAAA; check by default.",
        ),
        key(
            "ptr",
            Shape::Choice(&["check", "manage", "off"]),
            "What is done about the PTR of its addresses; check by default.",
        ),
        key("ptr_provider", WORDS, "The provider of the reverse zones; by default the first that can hold them."),
        key("provider", WORDS, "The provider of the host's zone; by default that of the configured domain above it."),
        key("zone", NAME, "The zone; by default the longest that the provider holds."),
        key("zone_id", WORDS, "The provider's identifier of the zone."),
        key("ttl", TTL, "Of what is written for the host; by default that of the configured domain above it."),
        key("helo", HOST_NAME, "The name that it says in HELO; by default the host's name."),
        key("tlsa", Shape::OneOf(&[some(&Shape::Table(&TLSA)), ABSENT_OR_UNMANAGED]), "Its TLSA records (RFC 7672)."),
    ],
);

static TLSA: TableSpec = table(
    "a TLSA record",
    &[
        key("port", Shape::Integer { min: 1, max: 65535 }, "25 by default."),
        key(
            "usage",
            Shape::Integer { min: 2, max: 3 },
            "2 (DANE-TA) or 3 (DANE-EE, the default); others are unusable for SMTP (RFC 7672 section 3.1.3).",
        ),
        key("selector", Shape::Integer { min: 0, max: 1 }, "0 the certificate, 1 its public key (the default)."),
        key("matching", Shape::Integer { min: 0, max: 2 }, "0 the data itself, 1 SHA-256 (the default), 2 SHA-512."),
        key("data", Shape::Text(&texts::HEX), "In hexadecimal; or certificate_file."),
        key(
            "certificate_file",
            PATH,
            "The certificate itself (PEM); for usage 2 that of the authority. Instead of data.",
        ),
    ],
);

static DEFAULTS_TABLE: TableSpec = TableSpec { name: "the table `defaults`", scope: DEFAULTS, ..domain_table() };
static PROFILE_TABLE: TableSpec = TableSpec { name: "a profile", scope: PROFILE, ..domain_table() };
static GROUP_TABLE: TableSpec = TableSpec { name: "a group", scope: GROUP, ..domain_table() };
static DOMAIN_TABLE: TableSpec = TableSpec { name: "a domain", scope: DOMAIN, ..domain_table() };

const fn domain_table() -> TableSpec {
    TableSpec { name: "", keys: DOMAIN_KEYS, later: &[], never: &[], scope: ANYWHERE }
}

/// The keys of a domain, also of the tables that bring keys to domains.
pub(crate) static DOMAIN_KEYS: &[Key] = &[
    only(GROUP, key("domains", list(&NAME), "The domains of the group.")),
    only(GROUP, key("domains_file", PATH, "A file with more of them: one name a line, # begins a comment.")),
    only(NOT_IN_PROFILES, key("profiles", list(&WORDS), "Profiles that apply, from left to right.")),
    only(
        NOT_IN_PROFILES,
        key(
            "inherit",
            Shape::Bool,
            "Whether a domain below another configured domain takes all keys from defaults and groups; else only provider, zone and ttl.",
        ),
    ),
    key("provider", WORDS, "The provider that holds the zone."),
    key("zone", NAME, "The zone; by default the longest that the provider holds."),
    key("zone_id", WORDS, "The provider's identifier of the zone, where it holds several of the name."),
    key("mail", Shape::Choice(&["both", "send", "receive", "none"]), "What the domain is for; both by default."),
    key("bulk", Shape::Bool, "Whether it sends in bulk: what large receivers ask of such senders are errors then."),
    key(
        "severity",
        Shape::Map { key: &texts::CODE, value: &Shape::Choice(&["error", "warning", "info", "off"]) },
        "How bad a finding is, by its code; off leaves it out. Guards stay as they are.",
    ),
    key("ttl", TTL, "For every slot without one in ttls."),
    key(
        "ttls",
        Shape::Map { key: &texts::SLOT, value: &TTL },
        "By slot: mx, spf, dkim, \"dkim.SELECTOR\", \"records.NAME.TYPE\" …",
    ),
    key(
        "mx",
        Shape::OneOf(&[some(&Shape::Table(&MX)), Shape::Choice(&["null", "absent", "unmanaged"])]),
        "MX; \"null\" says that the domain takes no mail (RFC 7505).",
    ),
    key(
        "spf",
        Shape::OneOf(&[Shape::Text(&texts::SPF), some(&Shape::Text(&texts::SPF_TERM)), Shape::Table(&SPF)]),
        "SPF (RFC 7208): a table, a list of terms in your own order, or the literal record.",
    ),
    joined(
        Join::Entries,
        key(
            "dkim",
            Shape::Map { key: &texts::SELECTOR, value: &Shape::OneOf(&[ABSENT_OR_UNMANAGED, Shape::Table(&DKIM)]) },
            "DKIM keys by selector (RFC 6376); \"*\" is the wildcard.",
        ),
    ),
    key("dmarc", Shape::OneOf(&[Shape::Text(&texts::DMARC), Shape::Table(&DMARC)]), "DMARC (RFC 9989)."),
    key(
        "report_authorisation",
        Shape::Choice(&["each", "wildcard", "check", "unmanaged"]),
        "Which domains may send their DMARC reports here (RFC 7489 section 7.1).",
    ),
    key("mta_sts", Shape::OneOf(&[ABSENT_OR_UNMANAGED, Shape::Table(&MTA_STS)]), "MTA-STS (RFC 8461)."),
    key("tls_rpt", Shape::OneOf(&[Shape::Text(&texts::TLS_RPT), Shape::Table(&TLS_RPT)]), "TLS reporting (RFC 8460)."),
    joined(
        Join::Entries,
        key(
            "bimi",
            Shape::Map {
                key: &texts::BIMI_SELECTOR,
                value: &Shape::OneOf(&[Shape::Text(&texts::BIMI), Shape::Table(&client::BIMI)]),
            },
            "Logos by selector (BIMI); the usual one is default.",
        ),
    ),
    key(
        "caa",
        Shape::OneOf(&[ABSENT_OR_UNMANAGED, Shape::Table(&CAA)]),
        "CAA (RFC 8659), by property tag; an empty list says that there shall be none of the tag.",
    ),
    key(
        "client_settings",
        Shape::OneOf(&[ABSENT_OR_UNMANAGED, Shape::Table(&client::CLIENT_SETTINGS)]),
        "How mail programs find their servers: SRV (RFC 6186, 8314, 6764), autoconfig, autodiscover.",
    ),
    joined(
        Join::Entries,
        key("senders", Shape::Senders, "Services that send for the domain, by preset; `mailzone senders` lists them."),
    ),
    key("nameservers", list(&SERVER), "Servers to ask instead of the delegation."),
    key("delegated", Shape::Bool, "false while the parent does not name the provider's servers yet."),
    joined(Join::Records, key("records", list(&Shape::Table(&RECORD)), "Other records.")),
    joined(Join::Allow, key("allow", list(&Shape::Table(&ALLOW)), "Guards that may pass and lints that are waived.")),
];

static MX: TableSpec = table(
    "an MX record",
    &[
        required(key("preference", Shape::Integer { min: 0, max: 65535 }, "Lower first.")),
        required(key("host", HOST_NAME, "A name with addresses, no alias.")),
    ],
);

const SPF_TARGET: Shape = Shape::Text(&texts::SPF_TARGET);
const TRUE_OR_NAMES: Shape = Shape::OneOf(&[Shape::Bool, some(&SPF_TARGET)]);

static SPF: TableSpec = table(
    "the table `spf`",
    &[
        key("mx", TRUE_OR_NAMES, "The hosts of the domain's MX, or of these names' MX."),
        key("a", TRUE_OR_NAMES, "The domain's addresses, or those of these names."),
        key("hosts", list(&HOST_NAME), "Hosts of this configuration: their addresses."),
        key("ip4", list(&Shape::Text(&texts::SPF_IP4)), "Networks."),
        key("ip6", list(&Shape::Text(&texts::SPF_IP6)), "Networks."),
        key("include", list(&Shape::Text(&texts::SPF_DOMAIN)), "Names whose SPF records apply too."),
        key("exists", list(&Shape::Text(&texts::SPF_DOMAIN)), "Names, with macros, that exist for permitted senders."),
        key("all", Shape::Choice(&["-", "~", "?", "fail", "softfail", "neutral"]), "What everybody else gets."),
        key("redirect", Shape::Text(&texts::SPF_DOMAIN), "The record of this name applies instead of an `all`."),
    ],
);

static DKIM: TableSpec = table(
    "a DKIM key",
    &[
        key("public_key_file", PATH, "A public key, PEM or base64."),
        key("record_file", PATH, "The record as opendkim-genkey, amavisd, BIND or mailcow print it."),
        key("private_key_file", PATH, "A private RSA key, PEM; only its public half is used."),
        key("txt", WORDS, "Anything record_file takes, as pasted."),
        key("cname", NAME, "A name that somebody else publishes the key at."),
        key("revoked", Shape::True, "true: the key is withdrawn (empty p)."),
        key("flags", list(&Shape::Text(&texts::DKIM_WORD)), "Tag t: y, s."),
        key("services", list(&Shape::Text(&texts::DKIM_WORD)), "Tag s: email, tlsrpt, *."),
        key("hashes", list(&Shape::Text(&texts::DKIM_WORD)), "Tag h: sha256."),
        key("note", WORDS, "Tag n, for people."),
    ],
);

static DMARC: TableSpec = table(
    "the table `dmarc`",
    &[
        key("policy", POLICY, "What receivers do with mail that fails."),
        key("subdomain_policy", POLICY, "For subdomains that exist."),
        key("nonexistent_policy", POLICY, "For subdomains that do not exist."),
        key("rua", list(&MAILTO), "Where aggregate reports go: mailto: URIs."),
        key("ruf", list(&MAILTO), "Where failure reports go."),
        key("dkim_alignment", ALIGNMENT, "relaxed by default."),
        key("spf_alignment", ALIGNMENT, "relaxed by default."),
        key("testing", Shape::Bool, "The policy is applied one step weaker."),
        key("cname", NAME, "A CNAME instead of a record of our own."),
    ],
);

static MTA_STS: TableSpec = table(
    "the table `mta_sts`",
    &[
        key("mode", Shape::Choice(&["enforce", "testing", "none"]), "The policy's mode."),
        key("mx", list(&Shape::Text(&texts::MX_PATTERN)), "Patterns of MX hosts."),
        key("max_age", TTL, "How long senders keep the policy; 1w by default."),
        key("id", Shape::Text(&texts::STS_ID), "The record's id; auto by default: made from the policy."),
        key("host", Shape::Table(&MTA_STS_HOST), "What mta-sts.DOMAIN is to be; left alone by default."),
        key("cname", NAME, "A CNAME instead of a record of our own."),
    ],
);

static MTA_STS_HOST: TableSpec = table(
    "the table `mta_sts.host`",
    &[
        key("cname", NAME, "A CNAME."),
        key("ipv4", list(&IPV4), "A; [] says that there shall be none."),
        key("ipv6", list(&IPV6), "AAAA, likewise."),
    ],
);

static TLS_RPT: TableSpec = table(
    "the table `tls_rpt`",
    &[
        key("rua", some(&TLS_RPT_URI), "Where reports go: mailto: or https: URIs."),
        key("cname", NAME, "A CNAME instead of a record of our own."),
    ],
);

static CAA: TableSpec = table(
    "the table `caa`",
    &[
        key("issue", list(&CAA_ISSUER), "Who may issue certificates; \";\" is nobody."),
        key("issuewild", list(&CAA_ISSUER), "Who may issue wildcard certificates."),
        key("issuemail", list(&CAA_ISSUER), "Who may issue S/MIME certificates (RFC 9495)."),
        key("issuevmc", list(&CAA_ISSUER), "Who may issue mark certificates."),
        key("iodef", list(&CAA_URI), "Where violations are reported."),
        key("exclusive", Shape::Bool, "Whether the whole RRset is owned, not only the tags named."),
    ],
);

static RECORD: TableSpec = table(
    "a record",
    &[
        required(key(
            "name",
            Shape::Text(&texts::OWNER),
            "Relative to the domain; \"@\" is the domain; absolute with a closing dot.",
        )),
        required(key("type", Shape::Text(&texts::RECORD_TYPE), "A mnemonic, or TYPEnnn.")),
        key("values", some(&WORDS), "In presentation format; names in them are absolute."),
        key("exclusive", Shape::Bool, "Whether the whole RRset is owned, not only these values; true by default."),
        key("absent", Shape::True, "true: there shall be none."),
    ],
);

static ALLOW: TableSpec = table(
    "an entry of `allow`",
    &[
        required(key("code", Shape::Text(&texts::CODE), "Such as GUARD-MX.")),
        key("name", Shape::Text(&texts::OWNER), "Only at this owner name, relative to the domain."),
        key("reason", WORDS, "For people."),
        key("until", Shape::Date, "The last day (UTC) on which it holds."),
    ],
);

impl TableSpec {
    /// The keys that may stand in this table.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = &'static Key> + '_ {
        self.keys.iter().filter(|key| key.scope & self.scope != 0)
    }

    /// The key of this name, if it may stand here.
    pub(crate) fn find(&self, name: &str) -> Option<&'static Key> {
        self.allowed().find(|key| key.name == name)
    }
}

impl std::fmt::Debug for TextKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
