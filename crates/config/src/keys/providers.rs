//! The providers: one table for each `type`.

use super::{ANYWHERE, DURATION, Key, NAME, PATH, SECRET, SERVER, Shape, TableSpec, WORDS, key, required, some, table};
use crate::texts;

/// What `type` may be, and which keys go with it.
pub(crate) static PROVIDER_TYPES: &[(&str, &TableSpec)] = &[
    ("zonefile", &ZONEFILE),
    ("rfc2136", &RFC2136),
    ("route53", &ROUTE53),
    ("cloudflare", &CLOUDFLARE),
    ("netcup", &NETCUP),
    ("ionos", &IONOS),
    ("ionos-cloud", &IONOS_CLOUD),
];

const fn type_is(words: &'static [&'static str]) -> Key {
    required(key("type", Shape::Choice(words), "Which provider it is."))
}

const fn secret(name: &'static str, doc: &'static str) -> Key {
    key(name, Shape::Table(&SECRET), doc)
}

const fn endpoint(name: &'static str, doc: &'static str) -> Key {
    key(name, Shape::Text(&texts::ENDPOINT), doc)
}

const RATE: Key = key(
    "requests_per_second",
    Shape::Number { min: 0.01, max: 10_000.0 },
    "Of all that is asked with these credentials; by default what the service documents.",
);
const CONCURRENCY: Key = key(
    "max_concurrency",
    Shape::Integer { min: 1, max: 256 },
    "How much is asked or written at a time; by default what the service bears.",
);
const TIMEOUT: Key = key("timeout", DURATION, "Of one request; 30s by default.");

static ZONEFILE: TableSpec = TableSpec {
    never: &[
        ("endpoint", "zone files are in a directory: there is nothing to connect to"),
        ("requests_per_second", "zone files are on this machine: nobody counts requests"),
        ("max_concurrency", "zone files are on this machine: nobody counts requests"),
        ("timeout", "zone files are on this machine: there is no answer to wait for"),
    ],
    ..table(
        "a zonefile provider",
        &[
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
    )
};

static RFC2136: TableSpec = TableSpec {
    never: &[
        ("endpoint", "the key `server` says which name server is asked"),
        (
            "requests_per_second",
            "a name server keeps no account of requests; `max_concurrency` limits what it is asked",
        ),
    ],
    ..table(
        "an rfc2136 provider",
        &[
            type_is(&["rfc2136"]),
            required(key(
                "server",
                SERVER,
                "The primary name server: ADDR, ADDR:PORT or [V6]:PORT; port 53 by default.",
            )),
            key(
                "tsig",
                Shape::Table(&TSIG),
                "The key that signs what is asked and changed (RFC 8945); none by default.",
            ),
            key(
                "max_concurrency",
                Shape::Integer { min: 1, max: 256 },
                "How many zones are asked or written at a time; 8 by default.",
            ),
            key("timeout", DURATION, "Of one exchange; 30s by default."),
        ],
    )
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
    never: &[],
    scope: ANYWHERE,
};

static ROUTE53: TableSpec = table(
    "a route53 provider",
    &[
        type_is(&["route53"]),
        key("profile", WORDS, "A profile of the AWS configuration files; else the AWS default chain."),
        key("region", WORDS, "Which signs requests; by default the one of the endpoint, us-east-1."),
        key("role_arn", WORDS, "A role to take on before anything is asked."),
        secret("access_key_id", "An access key instead of the AWS default chain."),
        secret("secret_access_key", "Its secret."),
        secret("session_token", "Its session, of temporary credentials."),
        endpoint("endpoint", "The API's base; by default https://route53.amazonaws.com."),
        RATE,
        CONCURRENCY,
        TIMEOUT,
    ],
);

static CLOUDFLARE: TableSpec = table(
    "a cloudflare provider",
    &[
        type_is(&["cloudflare"]),
        secret("api_token", "An API token; by default CLOUDFLARE_API_TOKEN or CF_DNS_API_TOKEN of the environment."),
        secret("api_key", "The global API key, with `email`, instead of a token. It may do everything in the account."),
        key("email", WORDS, "The account's address, with `api_key`."),
        endpoint("endpoint", "The API's base; by default https://api.cloudflare.com/client/v4."),
        RATE,
        CONCURRENCY,
        TIMEOUT,
    ],
);

const CUSTOMER_NUMBER: Shape =
    Shape::OneOf(&[Shape::Text(&texts::CUSTOMER_NUMBER), Shape::Integer { min: 1, max: i64::MAX }]);

static NETCUP: TableSpec = table(
    "a netcup provider",
    &[
        type_is(&["netcup"]),
        key("customer_number", CUSTOMER_NUMBER, "By default NETCUP_CUSTOMER_NUMBER of the environment."),
        secret("api_key", "Of the CCP API; by default NETCUP_API_KEY of the environment."),
        secret("api_password", "Of the CCP API; by default NETCUP_API_PASSWORD of the environment."),
        endpoint(
            "endpoint",
            "The CCP API, whole; by default https://ccp.netcup.net/run/webservice/servers/endpoint.php?JSON.",
        ),
        secret("rest_api_key", "Of the CloudDNS API; by default NETCUPV1_API_KEY of the environment."),
        endpoint("rest_endpoint", "The CloudDNS API's base; by default https://api.netcup.com/v1."),
        secret(
            "scp_refresh_token",
            "Of the server control panel, for PTR; by default NETCUP_SCP_REFRESH_TOKEN of the environment.",
        ),
        endpoint(
            "scp_endpoint",
            "The server control panel's base; by default https://www.servercontrolpanel.de/scp-core/api/v1.",
        ),
        RATE,
        CONCURRENCY,
        TIMEOUT,
    ],
);

static IONOS: TableSpec = table(
    "an ionos provider",
    &[
        type_is(&["ionos"]),
        secret("api_key", "PREFIX.SECRET of the hosting DNS API; by default IONOS_API_KEY of the environment."),
        endpoint("endpoint", "The API's base; by default https://api.hosting.ionos.com/dns."),
        RATE,
        CONCURRENCY,
        TIMEOUT,
    ],
);

static IONOS_CLOUD: TableSpec = table(
    "an ionos-cloud provider",
    &[
        type_is(&["ionos-cloud"]),
        secret("token", "By default IONOS_TOKEN or IONOSCLOUD_API_TOKEN of the environment."),
        endpoint("endpoint", "The API's base; by default https://dns.de-fra.ionos.com."),
        RATE,
        CONCURRENCY,
        TIMEOUT,
    ],
);
