//! Reading: one pass over the terms that collects every error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::domain::{DomainSpec, pieces};
use super::error::{SpfError, SpfErrorKind};
use super::hint::{NAMES, bad_address, explain, not_spf, unknown};
use super::network::Network;
use super::record::{DualCidr, Mechanism, Modifier, Qualifier, Record, Term, TermKind};

type Result<T> = std::result::Result<T, SpfError>;

/// Whether a receiver would select this joined text as SPF: `v=spf1`, any case, alone or followed by a
/// blank (RFC 7208 section 4.5).
pub fn is_candidate(joined: &[u8]) -> bool {
    let version = joined.get(..6).is_some_and(|v| v.eq_ignore_ascii_case(b"v=spf1"));
    version && matches!(joined.get(6), None | Some(b' '))
}

/// Whether this joined text starts like SPF after dropping quotes, blanks and case, but would not be
/// selected: `"v=spf1 …` with quotes inside, `v=spf1;`, `v=spf10`, a blank in front.
pub fn is_near_miss(joined: &[u8]) -> bool {
    if is_candidate(joined) {
        return false;
    }
    // Enough for the version with a quote, blank or invisible character around each letter.
    let head = String::from_utf8_lossy(joined.get(..64).unwrap_or(joined));
    let letters: String =
        head.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '`' | '\\')).collect();
    letters.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("v=spf"))
}

/// The terms that could be read, and every error.
pub(super) fn read(text: &[u8]) -> (Record, Vec<SpfError>) {
    if !is_candidate(text) {
        return (Record::default(), vec![not_spf(text)]);
    }
    // Most terms are networks, of about this length.
    let mut terms = Vec::with_capacity(1 + text.len() / 18);
    let mut errors = Vec::new();
    let mut at = 6;
    for token in text[6..].split(|&b| b == b' ') {
        if !token.is_empty() {
            match read_term(token, at) {
                Ok(term) => accept(term, &mut terms, &mut errors),
                Err(error) => errors.push(error),
            }
        }
        at += token.len() + 1;
    }
    (Record { terms }, errors)
}

pub(super) fn read_list(list: &[impl AsRef<str>]) -> std::result::Result<Record, Vec<(usize, SpfError)>> {
    let mut terms = Vec::new();
    let mut errors = Vec::new();
    for (index, text) in list.iter().map(AsRef::as_ref).enumerate() {
        let mut found = Vec::new();
        if let Some(blank) = text.find(' ') {
            let message = "a blank inside a term of a list";
            found.push(SpfError::new(
                blank..blank + 1,
                SpfErrorKind::BadCharacter,
                message,
                "write each term as its own item",
            ));
        } else if text.eq_ignore_ascii_case("v=spf1") {
            let message = "`v=spf1` is no term of a list";
            found.push(SpfError::new(
                0..text.len(),
                SpfErrorKind::UnexpectedArgument,
                message,
                "leave it out: it is added",
            ));
        } else {
            match read_term(text.as_bytes(), 0) {
                Ok(term) => accept(term, &mut terms, &mut found),
                Err(error) => found.push(error),
            }
        }
        errors.extend(found.into_iter().map(|error| (index, error)));
    }
    if errors.is_empty() { Ok(Record { terms }) } else { Err(errors) }
}

/// Reads one term, which stands at octet `at` of the whole.
pub(super) fn read_term(token: &[u8], at: usize) -> Result<Term> {
    let text = printable(token, at)?;
    let kind = read_kind(text, at).map_err(|error| explain(text, at, error))?;
    Ok(Term { kind, span: at..at + token.len() })
}

/// `redirect` and `exp` may stand once (RFC 7208 section 6).
fn accept(term: Term, terms: &mut Vec<Term>, errors: &mut Vec<SpfError>) {
    if let TermKind::Modifier(modifier @ (Modifier::Redirect(_) | Modifier::Exp(_))) = &term.kind {
        let again = terms.iter().any(|t| matches!(&t.kind, TermKind::Modifier(m) if m.name() == modifier.name()));
        if again {
            let name = modifier.name();
            let message = format!("`{name}` stands twice");
            let remedy = format!("keep one `{name}=`");
            errors.push(SpfError::new(term.span.clone(), SpfErrorKind::Duplicate, message, remedy));
            return;
        }
    }
    terms.push(term);
}

/// The token as text, if it is printable ASCII throughout.
fn printable(token: &[u8], at: usize) -> Result<&str> {
    let Some(from) = token.iter().position(|b| !b.is_ascii_graphic()) else {
        return std::str::from_utf8(token).map_err(|_| bad_character(at..at + token.len(), "non-ASCII octets"));
    };
    let head = &token[from..token.len().min(from + 4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // Invariant: `valid_up_to` is where the text is valid to.
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    let Some(character) = valid.chars().next() else {
        return Err(bad_character(at + from..at + from + 1, "an octet that is neither ASCII nor UTF-8"));
    };
    let what = match character {
        '\t' => "a tab".to_owned(),
        '\r' | '\n' => "a line end".to_owned(),
        '\u{a0}' => "a no-break space".to_owned(),
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => format!("a typographic quote `{character}`"),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => format!("a typographic dash `{character}`"),
        other => format!("the character `{}`", other.escape_default()),
    };
    let mut error = bad_character(at + from..at + from + character.len_utf8(), &what);
    error.remedy = match character {
        '\t' | '\r' | '\n' | '\u{a0}' => "separate terms by blanks (spaces)".to_owned(),
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => "leave the quotes out".to_owned(),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "write the hyphen `-`".to_owned(),
        _ => error.remedy,
    };
    Err(error)
}

fn bad_character(span: std::ops::Range<usize>, what: &str) -> SpfError {
    SpfError::new(span, SpfErrorKind::BadCharacter, what, "use printable ASCII; names in other scripts as `xn--…`")
}

fn read_kind(text: &str, at: usize) -> Result<TermKind> {
    let (qualifier, body) = match text.split_at_checked(1) {
        Some(("+", body)) => (Some(Qualifier::Pass), body),
        Some(("?", body)) => (Some(Qualifier::Neutral), body),
        Some(("~", body)) => (Some(Qualifier::SoftFail), body),
        Some(("-", body)) => (Some(Qualifier::Fail), body),
        _ => (None, text),
    };
    let body_at = at + text.len() - body.len();
    let length = match body.bytes().next() {
        Some(b) if b.is_ascii_alphabetic() => {
            body.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')).count()
        }
        _ => 0,
    };
    let (name, rest) = body.split_at(length);
    let rest_at = body_at + length;
    if let Some(value) = rest.strip_prefix('=').filter(|_| !name.is_empty()) {
        if qualifier.is_some() {
            let message = format!("a qualifier before the modifier `{name}=`");
            let remedy = format!("write `{body}`");
            return Err(SpfError::new(at..body_at, SpfErrorKind::QualifiedModifier, message, remedy));
        }
        return read_modifier(name, value, rest_at + 1).map(TermKind::Modifier);
    }
    let mechanism = read_mechanism(body, name, rest, body_at)?;
    Ok(TermKind::Directive(qualifier.unwrap_or(Qualifier::Pass), mechanism))
}

fn read_modifier(name: &str, value: &str, at: usize) -> Result<Modifier> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "redirect" | "exp" if value.is_empty() => {
            let message = format!("`{name}=` without a domain");
            let remedy = format!("name one, such as `{name}=_spf.example.com`");
            Err(SpfError::new(at..at, SpfErrorKind::MissingArgument, message, remedy))
        }
        "redirect" => DomainSpec::read(value, at).map(Modifier::Redirect),
        "exp" => DomainSpec::read(value, at).map(Modifier::Exp),
        _ => {
            pieces(value, at, true)?;
            Ok(Modifier::Unknown(name.into(), value.into()))
        }
    }
}

fn read_mechanism(body: &str, name: &str, rest: &str, at: usize) -> Result<Mechanism> {
    let rest_at = at + name.len();
    let whole = at..at + body.len();
    let argument = rest.strip_prefix(':');
    let needed = |example: &str| {
        let message = format!("`{name}` without {}", if example.starts_with("ip") { "an address" } else { "a domain" });
        SpfError::new(whole.clone(), SpfErrorKind::MissingArgument, message, format!("write `{example}`"))
    };
    let folded = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().unwrap_or_default();
    match folded {
        "all" if rest.is_empty() => Ok(Mechanism::All),
        "all" => {
            let span = rest_at..at + body.len();
            Err(SpfError::new(span, SpfErrorKind::UnexpectedArgument, "`all` takes no argument", "write `all` alone"))
        }
        "include" | "exists" => {
            let domain = argument.filter(|a| !a.is_empty());
            let domain = domain.ok_or_else(|| needed(&format!("{folded}:_spf.example.com")))?;
            let domain = DomainSpec::read(domain, rest_at + 1).map_err(|mut error| {
                if domain.rsplit_once('/').is_some_and(|(_, n)| n.parse::<u8>().is_ok()) {
                    error.remedy = format!("`{folded}` takes no prefix length");
                }
                error
            })?;
            Ok(if folded == "include" { Mechanism::Include(domain) } else { Mechanism::Exists(domain) })
        }
        "a" | "mx" => {
            let (domain, cidr) = read_target(rest, rest_at)?;
            Ok(if folded == "a" { Mechanism::A(domain, cidr) } else { Mechanism::Mx(domain, cidr) })
        }
        "ptr" => match argument {
            None if rest.is_empty() => Ok(Mechanism::Ptr(None)),
            None => Err(SpfError::new(
                rest_at..at + body.len(),
                SpfErrorKind::UnexpectedArgument,
                "`ptr` takes no prefix length",
                "write `ptr` or, better, the addresses with `ip4:` and `ip6:`",
            )),
            Some("") => Err(needed("ptr:example.com")),
            Some(domain) => DomainSpec::read(domain, rest_at + 1).map(|domain| Mechanism::Ptr(Some(domain))),
        },
        "ip4" | "ip6" => {
            let example = if folded == "ip4" { "ip4:192.0.2.1" } else { "ip6:2001:db8::1" };
            let network = argument.filter(|a| !a.is_empty()).ok_or_else(|| needed(example))?;
            read_network(network, folded == "ip4", rest_at + 1).map(Mechanism::Ip)
        }
        "redirect" | "exp" => {
            let value = argument.unwrap_or("_spf.example.com");
            let message = format!("`{name}` is a modifier: it takes `=`, not `:`");
            let remedy = format!("write `{folded}={value}`");
            Err(SpfError::new(whole, SpfErrorKind::WrongSeparator, message, remedy))
        }
        _ => Err(unknown(body, name, rest, at)),
    }
}

/// The optional domain and prefix lengths of `a` and `mx`.
fn read_target(rest: &str, at: usize) -> Result<(Option<DomainSpec>, DualCidr)> {
    // The lengths are cut from the end, since a domain-spec may hold a slash.
    let is_length = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (left, v6) = match rest.rsplit_once("//") {
        Some((left, length)) if is_length(length) => (left, Some(length)),
        _ => (rest, None),
    };
    let (left, v4) = match left.rsplit_once('/') {
        Some((domain, length)) if is_length(length) => (domain, Some(length)),
        _ => (left, None),
    };
    let mut cidr = DualCidr::NONE;
    if let Some(length) = v4 {
        cidr.v4 = read_prefix(length, 32, at + left.len() + 1).map_err(|mut error| {
            if length.parse::<u8>().is_ok_and(|n| (33..=128).contains(&n)) {
                error.remedy = format!("{}; for IPv6 write `//{length}`", error.remedy);
            }
            error
        })?;
    }
    if let Some(length) = v6 {
        cidr.v6 = read_prefix(length, 128, at + rest.len() - length.len())?;
    }
    match left.strip_prefix(':') {
        Some("") => Err(SpfError::new(
            at..at + left.len(),
            SpfErrorKind::MissingArgument,
            "`:` without a domain",
            "name one, or leave the `:` out for the domain itself",
        )),
        Some(domain) => Ok((Some(DomainSpec::read(domain, at + 1)?), cidr)),
        None if left.is_empty() => Ok((None, cidr)),
        None => Err(SpfError::new(
            at..at + rest.len(),
            SpfErrorKind::UnexpectedArgument,
            format!("`{left}` is no domain and no prefix length"),
            "write `:` and a domain, `/` and a prefix length, or nothing",
        )),
    }
}

fn read_prefix(text: &str, limit: u8, at: usize) -> Result<u8> {
    let span = at..at + text.len();
    let range = || format!("a number from 0 to {limit}");
    if text.is_empty() {
        return Err(SpfError::new(span, SpfErrorKind::BadPrefix, "`/` without a prefix length", range()));
    }
    let number = text.parse::<u8>().ok().filter(|&n| n <= limit && text.bytes().all(|b| b.is_ascii_digit()));
    match number {
        Some(n) if text.len() == 1 || !text.starts_with('0') => Ok(n),
        Some(n) => {
            let message = format!("the prefix length `/{text}` has a leading zero");
            Err(SpfError::new(span, SpfErrorKind::BadPrefix, message, format!("write `/{n}`")))
        }
        None => {
            let message = format!("`/{text}` is no prefix length");
            Err(SpfError::new(span, SpfErrorKind::BadPrefix, message, range()))
        }
    }
}

fn read_network(text: &str, v4: bool, at: usize) -> Result<Network> {
    let (address_text, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: Option<IpAddr> = if v4 {
        address_text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    } else {
        address_text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    let Some(address) = address else {
        return Err(bad_address(text, address_text, v4, at));
    };
    let Some(prefix) = prefix else { return Ok(Network::host(address)) };
    let limit = if v4 { 32 } else { 128 };
    let prefix_at = at + address_text.len() + 1;
    let prefix = read_prefix(prefix, limit, prefix_at)?;
    // `read_prefix` kept the length within the family's limit.
    Ok(Network::new(address, prefix).unwrap_or_else(|| Network::host(address)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        Record::parse(text).map_or_else(|errors| format!("{errors:?}"), |record| record.to_string())
    }

    /// Each error with the text that it points at.
    fn errors(text: &str) -> String {
        let errors = Record::parse(text).expect_err(text);
        let lines = errors.iter().map(|e| {
            let found = String::from_utf8_lossy(&text.as_bytes()[e.span.clone()]).into_owned();
            format!("[{}] {} ({})\n", found.escape_debug(), e.message, e.remedy)
        });
        lines.collect()
    }

    #[test]
    fn selects_as_receivers_do() {
        for text in ["v=spf1", "V=SPF1", "v=spf1 ", "v=spf1 -all", "v=Spf1  mx"] {
            assert!(is_candidate(text.as_bytes()) && !is_near_miss(text.as_bytes()), "{text}");
        }
        let near =
            ["v=spf10", "v=spf1;", "v=spf1\t-all", " v=spf1 -all", "\"v=spf1 -all\"", "v=spf1-all", "v = spf1 a"];
        for text in near.iter().chain(&["\u{201c}v=spf1 mx\u{201d}", "v=spf2.0/pra", "\\\"v=spf1 -all\\\"", "V=SPF 1"])
        {
            assert!(!is_candidate(text.as_bytes()) && is_near_miss(text.as_bytes()), "{text}");
        }
        for text in ["", "v", "v=DMARC1", "spf2.0/pra -all", "google-site-verification=v=spf1", "spf"] {
            assert!(!is_candidate(text.as_bytes()) && !is_near_miss(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn prints_canonically() {
        for (text, expected) in [
            ("V=SPF1   +MX  A:Mail.Example.COM. ~ALL  ", "v=spf1 mx a:mail.example.com ~all"),
            ("v=spf1 ip4:192.0.2.9/24 ip4:192.0.2.1/32 -all", "v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.1 -all"),
            ("v=spf1 ip6:2001:DB8:0::1/128 a/32//128 mx/24//64", "v=spf1 ip6:2001:db8::1 a mx/24//64"),
            ("v=spf1 a//64 mx:example.com//0 a:x.example/0", "v=spf1 a//64 mx:example.com//0 a:x.example/0"),
            ("v=spf1 Exists:%{I}._SPF.%{d2} -include:X.example", "v=spf1 exists:%{I}._spf.%{d2} -include:x.example"),
            ("v=spf1 redirect=_SPF.example.com EXP=%{d}", "v=spf1 redirect=_spf.example.com exp=%{d}"),
            ("v=spf1 Foo.Bar=Baz%{c} ?ptr ptr:example.com", "v=spf1 foo.bar=Baz%{c} ?ptr ptr:example.com"),
        ] {
            assert_eq!(canonical(text), expected);
        }
    }

    #[test]
    fn spans_are_places() {
        let record = Record::parse("v=spf1  mx ~all").unwrap();
        assert_eq!(record.terms.iter().map(|t| t.span.clone()).collect::<Vec<_>>(), [8..10, 11..15]);
    }

    #[test]
    fn explains_errors() {
        insta::assert_snapshot!(errors("v=spf1 redirect:_spf.example.com ipv4:192.0.2.1 ip4: ip4 ip4:192.0.2.256"), @"
        [redirect:_spf.example.com] `redirect` is a modifier: it takes `=`, not `:` (write `redirect=_spf.example.com`)
        [ipv4] no mechanism is called `ipv4` (write `ip4:192.0.2.1`)
        [ip4:] `ip4` without an address (write `ip4:192.0.2.1`)
        [ip4] `ip4` without an address (write `ip4:192.0.2.1`)
        [192.0.2.256] `192.0.2.256` is not an IPv4 address: `256` is over 255 (each of the four numbers is 0 to 255)
        ");
        insta::assert_snapshot!(errors("v=spf1 a:foo-bar a:192.0.2.1 a: include include: mail.example.com 192.0.2.0/24"), @"
        [foo-bar] `foo-bar` is not a domain: there is no dot before its last label (write the whole name, such as `mail.example.com`)
        [1] `192.0.2.1` is not a domain: `1` cannot be its last label (for an address write `ip4:192.0.2.1`)
        [:] `:` without a domain (name one, or leave the `:` out for the domain itself)
        [include] `include` without a domain (write `include:_spf.example.com`)
        [include:] `include` without a domain (write `include:_spf.example.com`)
        [mail.example.com] no mechanism is called `mail.example.com` (write `a:mail.example.com` for a host, `include:mail.example.com` for another domain's record)
        [192.0.2.0/24] an address without its mechanism: `192.0.2.0/24` (write `ip4:192.0.2.0/24`)
        ");
        insta::assert_snapshot!(errors("v=spf1\u{20}mx\t-all \u{201c}a\u{201d} \u{2013}all"), @r"
        [\t] a tab (separate terms by blanks (spaces))
        [“] a typographic quote `“` (leave the quotes out)
        [–] a typographic dash `–` (write the hyphen `-`)
        ");
        insta::assert_snapshot!(errors("v=spf1 ip4:192.0.2.0/33 ip4:192.0.2.0/08 ip4:192.0.2 ip4:192.0.02.1 ip4:2001:db8::1 ip6:x"), @"
        [33] `/33` is no prefix length (a number from 0 to 32)
        [08] the prefix length `/08` has a leading zero (write `/8`)
        [192.0.2] `192.0.2` is not an IPv4 address: 3 numbers instead of 4 (write all four numbers)
        [192.0.02.1] `192.0.02.1` is not an IPv4 address: a number has a leading zero (write the numbers without leading zeros)
        [2001:db8::1] `2001:db8::1` is not an IPv4 address (write `ip6:2001:db8::1`)
        [x] `x` is not an IPv6 address (write it as in `2001:db8::1`, without brackets)
        ");
        insta::assert_snapshot!(errors("v=spf1 inclde:x.example rediret:x.example ip:192.0.2.1 foo - -redirect=a.b all:x ptr/24"), @"
        [inclde] no mechanism is called `inclde` (write `include:x.example`)
        [rediret] no mechanism is called `rediret` (write `redirect=x.example`)
        [ip] no mechanism is called `ip` (write `ip4:192.0.2.1`)
        [foo] no mechanism is called `foo` (the mechanisms are all, include, a, mx, ip4, ip6, exists and ptr)
        [-] a qualifier without a mechanism (write the qualifier directly before a mechanism, as in `-all`)
        [-] a qualifier before the modifier `redirect=` (write `redirect=a.b`)
        [:x] `all` takes no argument (write `all` alone)
        [/24] `ptr` takes no prefix length (write `ptr` or, better, the addresses with `ip4:` and `ip6:`)
        ");
        insta::assert_snapshot!(errors("v=spf1 ip4:192.0.2.1-all ip4:192.0.2.1,ip4:192.0.2.2 -all; \"mx\" include:a.example/24"), @r#"
        [-all] no blank before `-all` (write `ip4:192.0.2.1 -all`)
        [,] `,` instead of a blank (separate terms by blanks)
        [;] `;` instead of a blank (separate terms by blanks)
        [\"] a quote inside the record (leave the quotes out)
        [example/24] `a.example/24` is not a domain: `example/24` cannot be its last label (`include` takes no prefix length)
        "#);
        insta::assert_snapshot!(errors("v=spf1 exp=a.b exp=c.d redirect= exists:%x.a mx/ a/24/64 aaaa"), @"
        [exp=c.d] `exp` stands twice (keep one `exp=`)
        [] `redirect=` without a domain (name one, such as `redirect=_spf.example.com`)
        [%] a `%` that starts no macro (macros are `%{d}` with one of the letters s l o d i p v h, and `%%`, `%_`, `%-`)
        [] `/` without a prefix length (a number from 0 to 32)
        [64] `/64` is no prefix length (a number from 0 to 32; for IPv6 write `//64`)
        [aaaa] no mechanism is called `aaaa` (write `a`: it covers IPv6 too)
        ");
        insta::assert_snapshot!(errors("v=spf1;mx"), @"[v=spf1;mx] `;` after `v=spf1`: receivers do not select this (separate terms by blanks)");
        insta::assert_snapshot!(errors("\"v=spf1 mx\""), @r#"[\"v=spf1 mx\"] something stands before or within `v=spf1`: receivers do not select this (start with exactly `v=spf1`: no quotes, no blank in front)"#);
    }

    #[test]
    fn reads_lists() {
        let record = Record::from_terms(&["mx", "include:_spf.example.net", "~all"]).unwrap();
        assert_eq!(record.to_string(), "v=spf1 mx include:_spf.example.net ~all");
        assert_eq!(record.own_lookups(), 2);
        let found = Record::from_terms(&["v=spf1", "mx -all", "redirect:x.example", "exp=a.b", "exp=a.b"]).unwrap_err();
        assert_eq!(found.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2, 4]);
    }

    #[test]
    fn counts_what_a_client_can_reach() {
        let lookups = |text: &str| Record::parse(text).unwrap().own_lookups();
        assert_eq!(lookups("v=spf1 a mx ptr exists:a.b include:a.b redirect=a.b exp=a.b ip4:192.0.2.1"), 6);
        assert_eq!(lookups("v=spf1 a -all mx redirect=a.b"), 1);
    }

    /// Terms as people write them, right or nearly right.
    pub(crate) fn term() -> impl Strategy<Value = String> {
        let domain = || {
            prop_oneof![
                Just("example.com".to_owned()),
                Just("_spf.Example.net.".to_owned()),
                Just("%{i}._spf.%{d2}".to_owned()),
                Just("%{L1r+-}.x.example".to_owned()),
                "[a-z]{1,3}\\.[a-z]{2,3}",
            ]
        };
        let cidr = prop_oneof![
            Just(String::new()),
            (0u8..=32).prop_map(|n| format!("/{n}")),
            (0u8..=32, 0u8..=128).prop_map(|(n, m)| format!("/{n}//{m}")),
            (0u8..=128).prop_map(|m| format!("//{m}")),
        ];
        let name = || prop_oneof![Just("include"), Just("exists"), Just("ptr"), Just("A"), Just("mx")];
        let mechanism = prop_oneof![
            Just("all".to_owned()),
            Just("a".to_owned()),
            (name(), domain()).prop_map(|(name, domain)| format!("{name}:{domain}")),
            (prop_oneof![Just("a"), Just("mx"), Just("mx:example.com")], cidr).prop_map(|(a, b)| format!("{a}{b}")),
            (any::<u32>(), 0u8..=32).prop_map(|(a, n)| format!("ip4:{}/{n}", Ipv4Addr::from_bits(a))),
            (any::<u128>(), 0u8..=128).prop_map(|(a, n)| format!("ip6:{}/{n}", Ipv6Addr::from_bits(a))),
        ];
        prop_oneof![
            8 => (prop_oneof![Just(""), Just("+"), Just("-"), Just("~"), Just("?")], mechanism)
                .prop_map(|(qualifier, mechanism)| format!("{qualifier}{mechanism}")),
            1 => "x[a-z]{0,3}=[a-z]{0,3}",
        ]
    }

    /// Correct records; `redirect` and `exp` at most once.
    pub(crate) fn record() -> impl Strategy<Value = String> {
        let modifier = |name| prop_oneof![Just(String::new()), Just(format!(" {name}=_Spf.example.org"))];
        let terms = proptest::collection::vec(term(), 0..8);
        (terms, modifier("redirect"), modifier("exp")).prop_map(|(terms, redirect, exp)| {
            let terms: String = terms.iter().map(|t| format!(" {t}")).collect();
            format!("v=spf1{redirect}{terms}{exp}")
        })
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(text in record()) {
            let read = Record::parse(&text);
            prop_assert!(read.is_ok(), "{}: {:?}", text, read);
            let read = read.unwrap();
            prop_assert_eq!(Record::parse(read.to_string()), Ok(read.clone()));
            prop_assert_eq!(Record::new(read.terms.clone()), read);
        }

        #[test]
        fn never_panics(octets in proptest::collection::vec(any::<u8>(), 0..80), text in "v=spf1 [ -~\u{201c}\u{e9}\t]{0,60}") {
            for input in [octets.as_slice(), text.as_bytes(), &[b"v=spf1 ".as_slice(), &octets].concat()] {
                if let Err(errors) = Record::parse(input) {
                    prop_assert!(!errors.is_empty());
                    for error in errors {
                        prop_assert!(error.span.start <= error.span.end && error.span.end <= input.len(), "{:?}", error);
                    }
                }
                let _ = is_near_miss(input);
            }
        }
    }
}
