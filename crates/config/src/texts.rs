//! The kinds of strings that are not about mail, and how each is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use mailzone_record::{Name, NameError, RecordType, Ttl};

pub(crate) use crate::client_texts::*;
use crate::endpoint::Endpoint;
use crate::keys::TextKind;
pub(crate) use crate::mail_texts::*;
use crate::senders;
use crate::settings::Resolver;
use crate::suggest::nearest;

/// Why a string is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The octets of the string that are wrong, if not all.
    pub(crate) at: Option<Range<usize>>,
    /// What else is wrong with it.
    pub(crate) more: Vec<Fault>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, at: None, more: Vec::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, at: Range<usize>) -> Self {
        self.at = Some(at);
        self
    }
}

pub(crate) static NOT_EMPTY: TextKind =
    TextKind { name: "a text", pattern: Some("."), check: |text| filled(text).map(drop) };
pub(crate) static LABEL: TextKind =
    TextKind { name: "a name of your choice", pattern: Some("."), check: |text| filled(text).map(drop) };
pub(crate) static PATH: TextKind =
    TextKind { name: "a path", pattern: Some("."), check: |text| filled(text).map(drop) };
pub(crate) static ENVIRONMENT_VARIABLE: TextKind = TextKind {
    name: "the name of an environment variable",
    pattern: Some("^[A-Za-z_][A-Za-z0-9_]*$"),
    check: environment_variable,
};
pub(crate) static NAME: TextKind =
    TextKind { name: "a domain name", pattern: Some("."), check: |text| name(text).map(drop) };
pub(crate) static HOST_NAME: TextKind =
    TextKind { name: "a host name", pattern: Some("."), check: |text| host_name(text).map(drop) };
pub(crate) static IPV4: TextKind = TextKind {
    name: "an IPv4 address",
    pattern: Some(r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$"),
    check: |text| ipv4(text).map(drop),
};
pub(crate) static IPV6: TextKind =
    TextKind { name: "an IPv6 address", pattern: Some("^[0-9A-Fa-f:.]+$"), check: |text| ipv6(text).map(drop) };
pub(crate) static ADDRESS: TextKind = TextKind {
    name: "an IPv4 or IPv6 address",
    pattern: Some("^[0-9A-Fa-f:.]+$"),
    check: |text| address(text).map(drop),
};
pub(crate) static DURATION: TextKind = TextKind {
    name: "a duration such as \"100ms\", \"2s\", \"25m\" or \"1w\"",
    pattern: Some("^([0-9]+ms|([0-9]+[smhdwSMHDW])+)$"),
    check: |text| duration(text).map(drop),
};
pub(crate) static TTL: TextKind = TextKind {
    name: "a time such as \"300\", \"1h\" or \"1w\"",
    pattern: Some("^([0-9]+|([0-9]+[smhdwSMHDW])+)$"),
    check: |text| ttl(text).map(drop),
};
pub(crate) static SERVER: TextKind = TextKind {
    name: "an address: ADDR, ADDR:PORT or [V6]:PORT",
    pattern: Some(r"^[0-9A-Fa-f:.\[\]]+$"),
    check: |text| server(text, 53).map(drop),
};
pub(crate) static LISTEN: TextKind = TextKind {
    name: "an address with a port such as \"127.0.0.1:0\"",
    pattern: Some(r"^[0-9A-Fa-f:.\[\]]+:[0-9]+$"),
    check: |text| listen(text).map(drop),
};
pub(crate) static RESOLVER: TextKind = TextKind {
    name: "a resolver: ADDR, ADDR:PORT, [V6]:PORT or \"system\"",
    pattern: Some(r"^(system|[0-9A-Fa-f:.\[\]]+)$"),
    check: |text| resolver(text).map(drop),
};
pub(crate) static ENDPOINT: TextKind = TextKind {
    name: "a base address such as \"https://HOST/PATH\"",
    pattern: Some("^[Hh][Tt][Tt][Pp][Ss]?://"),
    check: |text| Endpoint::parse(text).map(drop),
};
pub(crate) static CUSTOMER_NUMBER: TextKind = TextKind {
    name: "a customer number",
    pattern: Some("^[0-9]+$"),
    check: |text| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if digits { Ok(()) } else { Err(Fault::new("not a customer number: it has digits only")) }
    },
};
pub(crate) static HEX: TextKind =
    TextKind { name: "octets in hexadecimal", pattern: Some("^([0-9A-Fa-f]{2})+$"), check: |text| hex(text).map(drop) };
pub(crate) static OWNER: TextKind =
    TextKind { name: "an owner name", pattern: Some("."), check: |text| owner(text, None).map(drop) };
pub(crate) static RECORD_TYPE: TextKind =
    TextKind { name: "a record type", pattern: Some("^[A-Za-z0-9]+$"), check: |text| record_type(text).map(drop) };
pub(crate) static CODE: TextKind = TextKind {
    name: "a code such as \"GUARD-MX\"",
    pattern: Some("^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$"),
    check: |text| code(text),
};
pub(crate) static SLOT: TextKind = TextKind {
    name: "a slot such as \"mx\", \"dkim.s2026\" or \"records.www.CNAME\"",
    pattern: Some(
        r"^(mx|spf|dkim|dmarc|report_authorisation|mta_sts|tls_rpt|bimi|tlsa|caa|client_settings|sender|hosts|ptr|records|(dkim|bimi|client_settings|sender)\..+|records\..+\..+)$",
    ),
    check: |text| slot(text).map(drop),
};

/// The slots that have a TTL of their own.
const SLOTS: &[&str] = &[
    "mx",
    "spf",
    "dkim",
    "dmarc",
    "report_authorisation",
    "mta_sts",
    "tls_rpt",
    "bimi",
    "tlsa",
    "caa",
    "client_settings",
    "sender",
    "hosts",
    "ptr",
    "records",
];

fn environment_variable(text: &str) -> Result<(), Fault> {
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_name && !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    Err(Fault::new("not the name of an environment variable").help("letters, digits and `_`, without `$`"))
}

fn filled(text: &str) -> Result<&str, Fault> {
    if text.is_empty() { Err(Fault::new("an empty string")) } else { Ok(text) }
}

/// A domain name, absolute with or without the closing dot, U-labels converted; in lower case.
pub(crate) fn name(text: &str) -> Result<Name, Fault> {
    let name = Name::parse_idn(text).map_err(|error| bad_name(text, &error))?;
    if name.is_root() {
        return Err(Fault::new("the root is no domain of yours"));
    }
    // `/` stands in reverse zones of small networks (RFC 2317).
    let odd = |b: &u8| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'));
    if text.contains("://") || name.labels().flatten().any(odd) {
        return Err(bad_name(text, &NameError::BadCharacter));
    }
    Ok(name.to_lowercase())
}

/// A name that can have addresses: no address, no underscore, no wildcard (RFC 1123 section 2.1).
pub(crate) fn host_name(text: &str) -> Result<Name, Fault> {
    let bare = text.trim_matches(['[', ']']);
    if bare.parse::<IpAddr>().is_ok() {
        return Err(
            Fault::new("an IP address where a host name belongs").help("give the host a name with A or AAAA records")
        );
    }
    let name = name(text)?;
    for label in name.labels() {
        let letters = label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
        if !letters || label.starts_with(b"-") || label.ends_with(b"-") {
            let label = String::from_utf8_lossy(label);
            return Err(Fault::new(format!("`{label}` is no label of a host name"))
                .help("a host name has letters, digits and hyphens only (RFC 1123 section 2.1)"));
        }
    }
    Ok(name)
}

fn bad_name(text: &str, error: &NameError) -> Fault {
    let fault = Fault::new(match error {
        NameError::BadCharacter => "no domain name: a character that no name has".to_owned(),
        _ => format!("no domain name: {error}"),
    });
    match error {
        NameError::BadCharacter if text.contains("://") => fault.help("write the name alone, without `https://`"),
        NameError::BadCharacter if text.trim() != text => fault.help("remove the blanks around the name"),
        _ => fault,
    }
}

pub(crate) fn ipv4(text: &str) -> Result<Ipv4Addr, Fault> {
    text.parse().map_err(|_| match text.parse::<Ipv6Addr>() {
        Ok(_) => Fault::new("an IPv6 address where an IPv4 address belongs").help("put it into `ipv6`"),
        Err(_) if text.contains('/') => Fault::new("a network where one address belongs"),
        Err(_) => Fault::new("not an IPv4 address"),
    })
}

pub(crate) fn address(text: &str) -> Result<IpAddr, Fault> {
    if text.contains(':') { ipv6(text).map(IpAddr::V6) } else { ipv4(text).map(IpAddr::V4) }
}

pub(crate) fn ipv6(text: &str) -> Result<Ipv6Addr, Fault> {
    text.parse().map_err(|_| match text.parse::<Ipv4Addr>() {
        Ok(_) => Fault::new("an IPv4 address where an IPv6 address belongs").help("put it into `ipv4`"),
        Err(_) if text.contains('/') => Fault::new("a network where one address belongs"),
        Err(_) => Fault::new("not an IPv6 address"),
    })
}

/// A number with a unit: `100ms`, or `s m h d w` also in a row, `1h30m`. Above zero, at most 2^31 - 1 s.
pub(crate) fn duration(text: &str) -> Result<Duration, Fault> {
    let fault =
        || Fault::new("not a duration").help("write a number and a unit: \"100ms\", \"2s\", \"25m\", \"1h\", \"1w\"");
    let milliseconds = text.strip_suffix("ms").filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
    let duration = match milliseconds {
        Some(number) => Duration::from_millis(number.parse::<u32>().map_err(|_| fault())?.into()),
        None if text.bytes().all(|b| b.is_ascii_digit()) => return Err(fault()),
        None => Duration::from_secs(Ttl::parse(text).map_err(|_| fault())?.as_secs().into()),
    };
    if duration.is_zero() { Err(Fault::new("a duration of zero")) } else { Ok(duration) }
}

pub(crate) fn ttl(text: &str) -> Result<Ttl, Fault> {
    Ttl::parse(text).map_err(|error| Fault::new(format!("no time to live: {error}")))
}

/// `ADDR`, `ADDR:PORT` or `[V6]:PORT`.
pub(crate) fn server(text: &str, port: u16) -> Result<SocketAddr, Fault> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(Ok(address)) = bracketed.map(str::parse::<Ipv6Addr>) {
        return Ok(SocketAddr::new(address.into(), port));
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        Ok(_) => Err(Fault::new("port 0 cannot be asked")),
        Err(_) => {
            Err(Fault::new("not an address")
                .help("write ADDR, ADDR:PORT or [V6]:PORT; a host name is not resolved here"))
        }
    }
}

pub(crate) fn listen(text: &str) -> Result<SocketAddr, Fault> {
    text.parse().map_err(|_| Fault::new("not an address with a port").help("write \"127.0.0.1:0\" for any free port"))
}

pub(crate) fn resolver(text: &str) -> Result<Resolver, Fault> {
    if text == "system" {
        return Ok(Resolver::System);
    }
    for scheme in ["tls://", "https://"] {
        if text.starts_with(scheme) {
            return Err(Fault::new(format!("`{scheme}` resolvers are not in this version of mailzone"))
                .help("write ADDR, ADDR:PORT, [V6]:PORT or \"system\""));
        }
    }
    server(text, 53).map(Resolver::Address)
}

pub(crate) fn hex(text: &str) -> Result<Vec<u8>, Fault> {
    let digits: Vec<u8> = text
        .char_indices()
        .filter(|(_, c)| *c != ' ')
        .map(|(at, c)| c.to_digit(16).map(|digit| digit as u8).ok_or_else(|| at..at + c.len_utf8()))
        .collect::<Result<_, _>>()
        .map_err(|at| Fault::new("not a hexadecimal digit").at(at))?;
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err(Fault::new("not a whole number of octets: two digits make one"));
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// An owner name: `@` or empty for the domain, absolute with a closing dot, else relative to `domain`.
pub(crate) fn owner(text: &str, domain: Option<&Name>) -> Result<Name, Fault> {
    let root = Name::root();
    let domain = domain.unwrap_or(&root);
    if text.is_empty() || text == "@" {
        return Ok(domain.clone());
    }
    let name = Name::parse_idn(text).map_err(|error| bad_name(text, &error))?.to_lowercase();
    if text.ends_with('.') && !text.ends_with("\\.") {
        return Ok(name);
    }
    let wire = [&name.as_wire()[..name.as_wire().len() - 1], domain.as_wire()].concat();
    Name::from_wire(&wire).map_err(|error| bad_name(text, &error))
}

pub(crate) fn record_type(text: &str) -> Result<RecordType, Fault> {
    let rtype: RecordType =
        text.parse().map_err(|error: mailzone_record::UnknownType| Fault::new(error.to_string()))?;
    match rtype {
        RecordType::SOA => Err(Fault::new("the SOA record is the provider's")),
        RecordType::OPT
        | RecordType::TKEY
        | RecordType::TSIG
        | RecordType::IXFR
        | RecordType::AXFR
        | RecordType::ANY => Err(Fault::new(format!("{rtype} is no type that a zone holds"))),
        _ => Ok(rtype),
    }
}

fn code(text: &str) -> Result<(), Fault> {
    let mut parts = text.split('-');
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let first = parts.next().is_some_and(|part| letters(part) && part.starts_with(|c: char| c.is_ascii_uppercase()));
    if first && text.contains('-') && parts.all(letters) {
        return Ok(());
    }
    let fault = Fault::new("not a code");
    let upper = text.to_ascii_uppercase();
    match text.split_once(':') {
        Some((code, name)) => Err(fault.help(format!("write code = \"{code}\" and name = \"{name}\""))),
        None if upper != text => Err(fault.help(format!("codes are in capitals: \"{upper}\""))),
        None => Err(fault.help("it is what a finding begins with, such as \"GUARD-MX\" or \"SPF-03\"")),
    }
}

/// A part of a slot that is one of these.
fn one_of<'a>(what: &str, text: &str, known: impl Iterator<Item = &'a str> + Clone) -> Result<String, Fault> {
    if known.clone().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    let fault = Fault::new(format!("no {what} is called `{text}`"));
    Err(match nearest(text, known.clone()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("there are {}", known.collect::<Vec<_>>().join(", "))),
    })
}

/// A slot's name in the spelling used as key: selectors and owner names in lower case.
pub(crate) fn slot(text: &str) -> Result<String, Fault> {
    let (kind, rest) = text.split_once('.').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
    let rest = match (kind, rest) {
        (_, None) if SLOTS.contains(&kind) => return Ok(kind.to_owned()),
        ("dkim", Some(rest)) => selector(rest)?,
        ("bimi", Some(rest)) => bimi_selector(rest)?,
        ("client_settings", Some(rest)) => one_of("service", rest, client_keys())?,
        ("sender", Some(rest)) => one_of("preset", rest, senders::presets().keys().map(String::as_str))?,
        ("records", Some(rest)) => {
            let (name, rtype) = rest.rsplit_once('.').ok_or_else(|| Fault::new("a record is named NAME.TYPE"))?;
            format!("{}.{}", name.to_lowercase(), record_type(rtype)?)
        }
        (_, Some(_)) if SLOTS.contains(&kind) => {
            return Err(Fault::new(format!("`{kind}` has no parts with a time of their own")));
        }
        _ => {
            let fault = Fault::new("no slot");
            return Err(match nearest(kind, SLOTS.iter().copied()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("slots are {}", SLOTS.join(", "))),
            });
        }
    };
    Ok(format!("{kind}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("100ms").unwrap(), Duration::from_millis(100));
        assert_eq!(duration("25m").unwrap(), Duration::from_secs(1500));
        assert_eq!(duration("1h30m").unwrap(), Duration::from_secs(5400));
        for text in ["", "5", "0s", "0ms", "ms", "1.5s", "-1s", "s", "1 s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for (text, port) in
            [("1.1.1.1", 53), ("1.1.1.1:5300", 5300), ("2001:db8::1", 53), ("[2001:db8::1]:54", 54), ("[::1]", 53)]
        {
            assert_eq!(server(text, 53).unwrap().port(), port, "{text}");
        }
        for text in ["", "dns.example", "1.1.1.1:", "1.1.1.1:0", "1.1.1", "[1.1.1.1]"] {
            assert!(server(text, 53).is_err(), "{text}");
        }
        assert_eq!(resolver("system"), Ok(Resolver::System));
        assert!(resolver("tls://1.1.1.1").unwrap_err().message.contains("not in this version"));
    }

    #[test]
    fn names() {
        let domain = Name::parse("example.com").unwrap();
        let owner = |text| owner(text, Some(&domain)).unwrap().to_string();
        assert_eq!(owner("WWW"), "www.example.com.");
        assert_eq!(owner("@"), "example.com.");
        assert_eq!(owner("*"), "*.example.com.");
        assert_eq!(owner("a.b.example."), "a.b.example.");
        assert!(
            host_name("_x.example").is_err() && host_name("192.0.2.1").is_err() && host_name("-a.example").is_err()
        );
        assert_eq!(name("Bücher.Example").unwrap().to_string(), "xn--bcher-kva.example.");
    }

    #[test]
    fn slots_and_codes() {
        assert_eq!(slot("dkim.S2026").unwrap(), "dkim.s2026");
        assert_eq!(slot("records.WWW.cname").unwrap(), "records.www.CNAME");
        assert_eq!(slot("client_settings.imaps").unwrap(), "client_settings.imaps");
        assert_eq!((slot("bimi.Default").unwrap().as_str(), slot("sender.sendgrid").is_ok()), ("bimi.default", true));
        assert!(slot("client_settings.smtp").is_err() && slot("sender.x").is_err());
        assert!(slot("mx.a").is_err() && slot("mxx").is_err() && slot("records.www").is_err());
        assert!(code("GUARD-MX").is_ok() && code("SPF-03").is_ok());
        assert!(
            code("guard-mx").is_err() && code("GUARD").is_err() && code("GUARD-MX:a").is_err() && code("").is_err()
        );
    }
}
