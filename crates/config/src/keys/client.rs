//! The tables `bimi.SELECTOR` and `client_settings`.

use super::{IPV4, IPV6, NAME, Shape, TableSpec, key, list, required, some, table};
use crate::texts;

const SERVER_TEXT: Shape = Shape::Text(&texts::CLIENT_SERVER);
const HOST: Shape = Shape::Text(&texts::HOST_NAME);
const PORT: Shape = Shape::Integer { min: 1, max: 65535 };
const RANK: Shape = Shape::Integer { min: 0, max: 65535 };
const SERVERS: Shape = Shape::List { of: &Shape::OneOf(&[SERVER_TEXT, Shape::Table(&SERVER)]), min: 1 };
const SERVICE: Shape = Shape::OneOf(&[Shape::Text(&texts::CLIENT_SERVICE), SERVERS, Shape::Table(&SERVER)]);
const DAV: Shape = Shape::OneOf(&[Shape::Text(&texts::CLIENT_SERVICE), SERVERS, Shape::Table(&DAV_SERVER)]);

pub(super) static BIMI: TableSpec = table(
    "a BIMI record",
    &[
        key("logo", Shape::Text(&texts::BIMI_URL), "Where the logo is, an SVG; \"\" says that the domain declines."),
        key("evidence", Shape::Text(&texts::BIMI_URL), "Where the mark certificate is (VMC or CMC)."),
        key("preference", Shape::Choice(&["brand", "personal"]), "Which picture readers prefer; brand by default."),
        key("local_parts", list(&Shape::Text(&texts::LOCAL_PART)), "Local parts that have selectors of their own."),
        key("cname", NAME, "A CNAME instead of a record of our own."),
    ],
);

pub(super) static CLIENT_SETTINGS: TableSpec = table(
    "the table `client_settings`",
    &[
        key("imaps", SERVICE, "IMAP with TLS: \"HOST\" or \"HOST:PORT\", 993 by default; \"none\": not offered."),
        key("imap", SERVICE, "IMAP, 143 by default."),
        key("pop3s", SERVICE, "POP3 with TLS, 995 by default."),
        key("pop3", SERVICE, "POP3, 110 by default."),
        key("submissions", SERVICE, "Submission with TLS (RFC 8314), 465 by default."),
        key("submission", SERVICE, "Submission with STARTTLS, 587 by default."),
        key("caldavs", DAV, "Calendars (RFC 6764), 443 by default."),
        key("carddavs", DAV, "Address books, 443 by default."),
        key(
            "autoconfig",
            Shape::OneOf(&[Shape::Text(&texts::CLIENT_HOST), Shape::Table(&AUTOCONFIG)]),
            "The host `autoconfig` below the domain, which Thunderbird asks: a CNAME, or addresses.",
        ),
        key(
            "autodiscover",
            Shape::OneOf(&[Shape::Text(&texts::CLIENT_SERVICE), Shape::Table(&AUTODISCOVER)]),
            "What Outlook asks: \"HOST\" is a CNAME at `autodiscover`, \"HOST:443\" an SRV record.",
        ),
    ],
);

static SERVER: TableSpec = table("a server", SERVER_KEYS);

static DAV_SERVER: TableSpec = table(
    "a server for calendars or address books",
    &[
        required(key("host", HOST, "A name with addresses, no alias.")),
        key("port", PORT, "443 by default."),
        key("priority", RANK, "Lower first; 0 by default."),
        key("weight", RANK, "The share among equals; 1 by default."),
        key("path", Shape::Text(&texts::DAV_PATH), "Where on the server to begin: a TXT record."),
    ],
);

const SERVER_KEYS: &[super::Key] = &[
    required(key("host", HOST, "A name with addresses, no alias.")),
    key("port", PORT, "The service's own by default."),
    key("priority", RANK, "Lower first; 0 by default."),
    key("weight", RANK, "The share among equals; 1 by default."),
];

static AUTOCONFIG: TableSpec = table(
    "the table `autoconfig`",
    &[
        key("cname", NAME, "A CNAME."),
        key("ipv4", list(&IPV4), "A; [] says that there shall be none."),
        key("ipv6", list(&IPV6), "AAAA, likewise."),
    ],
);

static AUTODISCOVER: TableSpec = table(
    "the table `autodiscover`",
    &[
        key("cname", NAME, "A CNAME at `autodiscover`."),
        key("ipv4", list(&IPV4), "A there; [] says that there shall be none."),
        key("ipv6", list(&IPV6), "AAAA there, likewise."),
        key("srv", Shape::OneOf(&[SERVER_TEXT, some(&SERVER_TEXT)]), "An SRV record: \"HOST\" or \"HOST:PORT\"."),
    ],
);
