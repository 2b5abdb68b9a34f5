//! The providers: one table for each `type`.

use super::{ANYWHERE, DURATION, Key, NAME, PATH, SECRET, SERVER, Shape, TableSpec, WORDS, key, required, some};
use crate::texts;

/// What `type` may be now, and which keys go with it.
pub(crate) static PROVIDER_TYPES: &[(&str, &TableSpec)] = &[("zonefile", &ZONEFILE), ("rfc2136", &RFC2136)];

/// What it may be in a later version.
pub(crate) const LATER_PROVIDER_TYPES: &[&str] = &["route53", "cloudflare", "netcup", "ionos", "ionos-cloud"];

const fn type_is(words: &'static [&'static str]) -> Key {
    required(key("type", Shape::Choice(words), "Which provider it is."))
}

static ZONEFILE: TableSpec = TableSpec {
    name: "a zonefile provider",
    keys: &[
        type_is(&["zonefile"]),
        required(key("directory", PATH, "Of ORIGIN.zone files (RFC 1035), relative to this file.")),
        key(
            "serve",
            Shape::Text(&texts::LISTEN),
            "While a command runs, the embedded server answers here for the directory.",
        ),
        key(
            "reload",
            some(&WORDS),
            "A command and its arguments, run after a file was replaced; {zone} is the zone's name. No shell.",
        ),
    ],
    later: &["endpoint", "requests_per_second", "max_concurrency", "timeout"],
    scope: ANYWHERE,
};

static RFC2136: TableSpec = TableSpec {
    name: "an rfc2136 provider",
    keys: &[
        type_is(&["rfc2136"]),
        required(key("server", SERVER, "The primary name server: ADDR, ADDR:PORT or [V6]:PORT; port 53 by default.")),
        key("tsig", Shape::Table(&TSIG), "The key that signs what is asked and changed (RFC 8945); none by default."),
        key("timeout", DURATION, "Of one exchange; 30s by default."),
    ],
    later: &["endpoint", "requests_per_second", "max_concurrency"],
    scope: ANYWHERE,
};

static TSIG: TableSpec = TableSpec {
    name: "the table `tsig`",
    keys: &[
        required(key("name", NAME, "The key's name, as the server knows it.")),
        key(
            "algorithm",
            Shape::Choice(&["hmac-sha256", "hmac-sha384", "hmac-sha512"]),
            "As the server knows it; hmac-sha256 by default.",
        ),
        required(key("secret", Shape::Table(&SECRET), "Where the key itself is, in base64 as the server has it.")),
    ],
    later: &[],
    scope: ANYWHERE,
};
