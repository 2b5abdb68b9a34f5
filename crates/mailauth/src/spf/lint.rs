//! The rule book's section 2.5, as far as the record alone decides.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailzone_record::{Name, Rdata, RecordType, Txt};

use super::compare::{End, Meaning, covers};
use super::network::{Coverage, Network};
use super::parse::{is_candidate, is_near_miss};
use super::record::{Mechanism, Modifier, Qualifier, Record, TermKind};
use super::{Side, SpfError, SpfErrorKind};
use crate::finding::{Finding, Severity};
use crate::txt;

/// Blocks that no client on the Internet has (IANA special-purpose registries).
const SPECIAL: &[(IpAddr, u8, &str)] = &[
    (IpAddr::V4(Ipv4Addr::new(0, 0, 0, 0)), 8, "\"this network\""),
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8, "private"),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10, "carrier-internal"),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8, "loopback"),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16, "link-local"),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12, "private"),
    (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0)), 24, "documentation"),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16, "private"),
    (IpAddr::V4(Ipv4Addr::new(198, 18, 0, 0)), 15, "benchmarking"),
    (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0)), 24, "documentation"),
    (IpAddr::V4(Ipv4Addr::new(203, 0, 113, 0)), 24, "documentation"),
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 3, "multicast or reserved"),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 127, "unspecified or loopback"),
    (IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)), 96, "IPv4-mapped"),
    (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0)), 32, "documentation"),
    (IpAddr::V6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0)), 20, "documentation"),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7, "private"),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10, "link-local"),
    (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8, "multicast"),
];

pub(super) fn lint(owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
    let mut found = Findings { subject: owner.to_lowercase().to_string(), list: Vec::new() };
    let side = Side::of(values);
    if side.records.len() > 1 {
        let message = format!("{} SPF records at one name: receivers answer permerror", side.records.len());
        found.error("SPF-01", message, "keep one and merge the terms into it", "RFC 7208 section 4.5");
    }
    for value in values {
        match value {
            Rdata::Txt(txt) if is_candidate(&txt.joined()) => strings(txt, &mut found),
            Rdata::Txt(txt) if is_near_miss(&txt.joined()) => {
                let reason = Record::parse(txt.joined()).err().and_then(|errors| errors.into_iter().next());
                if let Some(reason) = reason {
                    let (reason, remedy) = near_miss(txt, &reason);
                    let message = format!("a text like SPF that is none: {reason}");
                    found.error("SPF-26", message, remedy, "RFC 7208 section 4.5");
                }
            }
            other if other.rtype() == RecordType::SPF => found.warning(
                "SPF-19",
                "a record of type SPF (99), which nobody asks for",
                "publish the text as TXT and delete this record",
                "RFC 7208 section 3.1",
            ),
            _ => {}
        }
    }
    answer_size(values, &mut found);
    for (record, errors) in &side.records {
        for error in errors {
            let column = error.span.start + 1;
            let message = format!("syntax error at octet {column}: {error}; receivers answer permerror");
            found.error("SPF-02", message, &error.remedy, "RFC 7208 section 4.6");
        }
        if errors.iter().any(|error| error.kind == SpfErrorKind::BadCharacter) {
            let message = "characters that are not printable ASCII, or quotes";
            found.warning(
                "SPF-21",
                message,
                "write the record anew, without copying it from a page",
                "RFC 7208 section 4.6",
            );
        }
        one(owner, record, errors.is_empty(), &mut found);
    }
    found.list
}

/// Why receivers do not select a text, and what to do: mistakes that are known by their traces, before what the
/// grammar missed.
fn near_miss<'a>(txt: &Txt, error: &'a SpfError) -> (String, &'a str) {
    if let Some(quote) = txt::typographic_quote(&String::from_utf8_lossy(&txt.joined())) {
        let reason = format!("the quotes of a word processor (`{quote}`) are a part of it");
        return (reason, "write the text without them; in a zone file put plain quotes (`\"`) around it");
    }
    if txt::is_split_at_blanks(txt) {
        let reason = "it was written without quotes, cut at each blank, and is read without any blank";
        return (reason.to_owned(), "put the whole text into plain quotes (`\"`)");
    }
    (error.to_string(), &error.remedy)
}

/// `SPF-03`. The message has no count: a record that was over the limit and stays there is found with
/// the same words before and after.
pub(super) fn over_limit(subject: &str) -> Finding {
    Finding::new(
        "SPF-03",
        Severity::Error,
        subject,
        "more than 10 terms query the DNS: receivers answer permerror",
        "drop includes that no sender uses, or name addresses with `ip4` and `ip6`",
        "RFC 7208 section 4.6.4",
    )
}

fn one(owner: &Name, record: &Record, whole: bool, found: &mut Findings) {
    let lookups = record.own_lookups();
    match lookups {
        0..=7 => {}
        8..=10 => found.warning(
            "SPF-04",
            format!("{lookups} terms query the DNS, without those of included records; 10 are allowed"),
            "drop includes that no sender uses, or name addresses with `ip4` and `ip6`",
            "RFC 7208 section 4.6.4",
        ),
        _ => found.list.push(over_limit(&found.subject)),
    }
    let meaning = Meaning::of(record, owner);
    end(record, &meaning, whole, found);
    networks(&meaning, found);
    repeated(&meaning, found);
    for mechanism in record.directives().map(|(_, mechanism)| mechanism) {
        let p_macro = mechanism.domain().is_some_and(super::DomainSpec::has_p_macro);
        if matches!(mechanism, Mechanism::Ptr(_)) || p_macro {
            let message = format!("`{mechanism}` asks for reverse names: slow, unreliable, deprecated");
            found.warning("SPF-12", message, "name the addresses with `ip4` and `ip6`", "RFC 7208 section 5.5");
        }
        if matches!(mechanism, Mechanism::Exists(domain) if domain.has_macros()) {
            let message = format!("`{mechanism}` depends on each mail: what it authorises cannot be told from here");
            found.add("SPF-27", Severity::Info, message, "ask its publisher for the senders", "RFC 7208 section 5.7");
        }
        if let Some(domain) = mechanism.domain()
            && ["-all", "~all", "?all", "+all"].iter().any(|all| domain.as_str().ends_with(all))
        {
            let message = format!("`{mechanism}`: a blank was lost before `all`");
            found.error("SPF-18", message, "write a blank before it", "RFC 7208 section 3.3");
        }
    }
    for domain in record.directives().filter_map(|(_, mechanism)| mechanism.domain()).chain(record.redirect()) {
        if let (false, Err(error)) = (domain.has_macros(), Name::parse(domain.as_str())) {
            let message = format!("`{domain}` is no DNS name ({error}): it never matches, or is an error");
            found.warning("SPF-02", message, "correct the name", "RFC 7208 section 4.3");
        }
    }
    for modifier in record.modifiers() {
        if let Modifier::Unknown(name, value) = modifier {
            let known = ["include", "a", "mx", "ip4", "ip6", "exists", "ptr", "all"].contains(&name.as_ref());
            if known {
                let message = format!("`{modifier}` is read as an unknown modifier and ignored");
                found.warning("SPF-02", message, &format!("write `{name}:{value}`"), "RFC 7208 section 6");
            } else if modifier.to_string() == "v=spf1" {
                let remedy = "keep `v=spf1` at the start only, and one `all` at the end";
                found.warning("SPF-02", "`v=spf1` stands again inside the record", remedy, "RFC 7208 section 4.5");
            }
        }
    }
}

fn end(record: &Record, meaning: &Meaning, whole: bool, found: &mut Findings) {
    let has_redirect = record.modifiers().any(|modifier| matches!(modifier, Modifier::Redirect(_)));
    match record.all() {
        Some(Qualifier::Pass) => {
            found.error("SPF-07", "`all` lets everybody send", "end in `~all` or `-all`", "RFC 7208 section 5.1");
        }
        Some(Qualifier::Neutral) => {
            let message = "`?all` is neutral, no fail: unknown senders are treated as if there were no SPF";
            let remedy = "end in `~all` (softfail) or `-all` (fail)";
            found.warning("SPF-10", message, remedy, "RFC 7208 section 2.6.2");
        }
        Some(_) => {}
        // A term that could not be read may be the end.
        None if !has_redirect && whole => found.warning(
            "SPF-09",
            "neither `all` nor `redirect`: unknown senders are neutral",
            "end in `~all` or `-all`",
            "RFC 7208 section 4.7",
        ),
        None => {}
    }
    if record.all().is_none() {
        return;
    }
    let reached = record.directives().count();
    let dead: Vec<String> = record
        .terms
        .iter()
        .filter(|term| matches!(term.kind, TermKind::Directive(..)))
        .skip(reached)
        .map(ToString::to_string)
        .collect();
    if !dead.is_empty() {
        let message = format!("after `all`, never reached: {}", dead.join(" "));
        found.warning("SPF-13", message, "move them before `all`, or drop them", "RFC 7208 section 5.1");
    }
    if has_redirect && matches!(meaning.end(), End::Result(_)) {
        found.warning("SPF-13", "`redirect` beside `all` is ignored", "keep one of them", "RFC 7208 section 6.1");
    }
}

fn networks(meaning: &Meaning, found: &mut Findings) {
    let mut passed: Vec<&Network> = Vec::new();
    for (qualifier, mechanism) in meaning.effective() {
        let Mechanism::Ip(network) = mechanism else { continue };
        let special = SPECIAL
            .iter()
            .find(|(address, prefix, _)| Network::new(*address, *prefix).is_some_and(|block| block.contains(network)));
        if let Some((_, _, what)) = special {
            let message = format!("`{mechanism}` is {what}: no client on the Internet has it");
            found.warning("SPF-20", message, "name the public address", "RFC 6890");
        }
        if qualifier != Qualifier::Pass {
            continue;
        }
        passed.push(network);
        let widest = if network.address().is_ipv4() { 16 } else { 32 };
        if network.prefix() < widest && network.prefix() > 0 {
            let message = format!("`{mechanism}` is wider than /{widest}");
            found.warning("SPF-08", message, "name the networks that really send", "RFC 7208 section 5.6");
        }
    }
    if Coverage::of(passed).more_than_half() {
        found.error(
            "SPF-07",
            "more than half of all addresses may send",
            "name the networks that really send",
            "RFC 7208 section 5.6",
        );
    }
}

fn repeated(meaning: &Meaning, found: &mut Findings) {
    let reached = meaning.directives().iter().take_while(|(_, mechanism)| *mechanism != Mechanism::All);
    let mut seen = HashSet::new();
    for (_, mechanism) in reached {
        if !seen.insert(mechanism) {
            let message = format!("`{mechanism}` stands twice");
            found.warning("SPF-16", message, "keep one", "RFC 7208 section 4.6.4");
        }
    }
    // Neighbours in the order of addresses: a network inside another directly follows its first cover.
    let effective = meaning.effective();
    let mut ips: Vec<(Qualifier, &Network)> = effective
        .iter()
        .filter_map(|(qualifier, m)| if let Mechanism::Ip(network) = m { Some((*qualifier, network)) } else { None })
        .collect();
    ips.sort_by_key(|(qualifier, network)| (*qualifier, network.address(), network.prefix()));
    let mut cover: Option<(Qualifier, &Network)> = None;
    for (qualifier, network) in ips {
        match cover {
            Some((same, wide)) if same == qualifier && covers(&Mechanism::Ip(*wide), &Mechanism::Ip(*network)) => {
                let message = format!("`{}:{network}` is inside `{wide}`", network.mechanism());
                found.warning("SPF-16", message, "keep the wider network", "RFC 7208 section 5.6");
            }
            _ => cover = Some((qualifier, network)),
        }
    }
}

/// Lengths, and blanks that were lost between character-strings.
fn strings(txt: &Txt, found: &mut Findings) {
    let length = txt.joined().len();
    if length > 450 {
        let message = format!("the record has {length} octets; beyond 450 answers may not fit one packet");
        found.add("SPF-17", Severity::Info, message, "shorten it", "RFC 7208 section 3.4");
    }
    for pair in txt.strings().windows(2) {
        let [left, right] = pair else { continue };
        if left.last().is_none_or(|&b| b == b' ') || !starts_a_term(right) {
            continue;
        }
        let head: String = String::from_utf8_lossy(right).chars().take_while(|c| *c != ' ').collect();
        let message = format!("no blank between two character-strings: `{head}` is glued to the term before it");
        let remedy = "end the first string with a blank: strings are joined without one";
        found.error("SPF-18", message, remedy, "RFC 7208 section 3.3");
    }
}

/// Whether these octets begin with what can only be the start of a term.
fn starts_a_term(octets: &[u8]) -> bool {
    let head = octets.split(|&b| b == b' ').next().unwrap_or_default().to_ascii_lowercase();
    let body = match head.first() {
        Some(b'-' | b'~' | b'?' | b'+') => head.get(1..).unwrap_or_default(),
        _ => &head,
    };
    let named: [&[u8]; 7] = [b"include:", b"ip4:", b"ip6:", b"exists:", b"redirect=", b"mx:", b"ptr:"];
    named.iter().any(|name| body.starts_with(name)) || (body == b"all" && body.len() < head.len())
}

/// The TXT answer at the name, if all of its values were given (rule book 1.3).
fn answer_size(values: &[&Rdata], found: &mut Findings) {
    let rdata = |txt: &Txt| txt.strings().iter().map(|s| s.len() + 1).sum::<usize>() + 12;
    let size = 60 + values.iter().filter_map(|value| value.as_txt()).map(rdata).sum::<usize>();
    let message = |effect: &str| format!("the TXT answer has about {size} octets: {effect}");
    let remedy = "delete verification tokens that are done, or shorten the record";
    match size {
        0..=512 => {}
        513..=1232 => found.warning("SPF-17", message("over 512, it needs EDNS"), remedy, "RFC 7208 section 3.4"),
        1233..=4096 => {
            found.warning(
                "SPF-17",
                message("over 1232, it is truncated and needs TCP"),
                remedy,
                "RFC 7208 section 3.4",
            );
        }
        _ => {
            found.error("SPF-17", message("over 4096, many receivers fail to read it"), remedy, "RFC 7208 section 3.4");
        }
    }
}

struct Findings {
    subject: String,
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, code: &str, severity: Severity, message: impl Into<String>, remedy: &str, reference: &str) {
        self.list.push(Finding::new(code, severity, self.subject.as_str(), message, remedy, reference));
    }

    fn error(&mut self, code: &str, message: impl Into<String>, remedy: &str, reference: &str) {
        self.add(code, Severity::Error, message, remedy, reference);
    }

    fn warning(&mut self, code: &str, message: impl Into<String>, remedy: &str, reference: &str) {
        self.add(code, Severity::Warning, message, remedy, reference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(values: &[Rdata]) -> String {
        let owner = Name::parse("example.com").unwrap();
        let found = lint(&owner, &values.iter().collect::<Vec<_>>());
        found.iter().map(|f| f.code.trim_start_matches("SPF-").to_owned()).collect::<Vec<_>>().join(" ")
    }

    fn of(text: &str) -> String {
        codes(&[Rdata::Txt(Txt::from_text(text))])
    }

    #[test]
    fn rules() {
        let many = |n: usize| (0..n).map(|n| format!(" include:s{n}.example")).collect::<String>();
        for (text, expected) in [
            ("v=spf1 mx ip4:8.8.8.8 -all", ""),
            ("v=spf1 mx foo", "02"),
            ("v=spf1 mx foo ip5:x -all", "02 02"),
            ("v=spf1 mx\t-all", "02 21"),
            (&format!("v=spf1{} -all", many(11)), "03"),
            (&format!("v=spf1{} -all", many(8)), "04"),
            (&format!("v=spf1{} -all", many(7)), ""),
            ("v=spf1 +all", "07"),
            ("v=spf1 ip4:0.0.0.0/0 -all", "07"),
            ("v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/2 -all", "08 08 07"),
            ("v=spf1 ip6:2a00::/12 -all", "08"),
            ("v=spf1 -ip6:2a00::/12 -all", ""),
            ("v=spf1 mx", "09"),
            ("v=spf1 mx redirect=a.b", ""),
            ("v=spf1 mx ?all", "10"),
            ("v=spf1 ptr -all", "12"),
            ("v=spf1 exists:%{p}.a.b -all", "12 27"),
            ("v=spf1 -all mx include:a.b", "13"),
            ("v=spf1 -all redirect=a.b", "13"),
            ("v=spf1 include:a.b INCLUDE:A.B. -all", "16"),
            ("v=spf1 a a:example.com -all", "16"),
            ("v=spf1 ip4:8.8.8.0/24 ip4:9.9.9.9 ip4:8.8.8.8 -all", "16"),
            ("v=spf1 include:a.b-all", "09 18"),
            ("v=spf1 ip4:192.168.1.1 ip6:fe80::1 -all", "20 20"),
            ("v=spf1;mx -all", "26"),
            ("v=spf2.0/pra -all", "26"),
            ("\u{201c}v=spf1 -all\u{201d}", "26"),
            ("v=spf1 include=a.b -all", "02"),
            ("v=spf1 mx v=spf1 -all", "02"),
            ("v=spf1 a:mail.example...com -all", "02"),
            ("hello", ""),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        let long: String = (0..30).map(|n| format!(" ip4:8.8.{n}.1")).collect();
        assert_eq!(of(&format!("v=spf1{long} -all")), "");
        let long: String = (0..40).map(|n| format!(" ip4:8.8.{n}.1")).collect();
        assert_eq!(of(&format!("v=spf1{long} -all")), "17 17");
        let glued = Txt::from_strings(vec![b"v=spf1 mx"[..].into(), b"-all"[..].into()]).unwrap();
        assert_eq!(codes(&[Rdata::Txt(glued)]), "18 02");
        let two = ["v=spf1 mx -all", "v=spf1 a -all"].map(|t| Rdata::Txt(Txt::from_text(t)));
        assert_eq!(codes(&two), "01");
        let old = mailzone_record::Opaque::Wire { rtype: RecordType::SPF, data: Box::default() };
        assert_eq!(codes(&[Rdata::Opaque(old)]), "19");
    }

    /// What people copy from tutorials: each is found, and called by its name.
    #[test]
    fn mistakes_of_tutorials() {
        let owner = Name::parse("example.com").unwrap();
        let said = |txt: Txt| {
            let found = lint(&owner, &[&Rdata::Txt(txt)]);
            found.into_iter().map(|f| format!("{} {} [{}]\n", f.code, f.message, f.remedy)).collect::<String>()
        };
        let text = |text: &str| said(Txt::from_text(text));
        let unquoted = ["v=spf1", "mx", "-all"].map(|word| word.as_bytes().into()).to_vec();
        insta::assert_snapshot!([
            text("v=spf1 mx redirect:_spf.example.net"),
            text("v=spf1 ipv4:192.0.3.1 -all"),
            text("v=spf1 ip4:192.0.3.256 -all"),
            text("v=spf1 mx ?all"),
            text("\u{201c}v=spf1 mx -all\u{201d}"),
            text("v=spf1 mx \u{2013}all"),
            said(Txt::from_strings(unquoted).unwrap()),
        ].concat(), @r#"
        SPF-02 syntax error at octet 11: `redirect` is a modifier: it takes `=`, not `:`; receivers answer permerror [write `redirect=_spf.example.net`]
        SPF-02 syntax error at octet 8: no mechanism is called `ipv4`; receivers answer permerror [write `ip4:192.0.3.1`]
        SPF-02 syntax error at octet 12: `192.0.3.256` is not an IPv4 address: `256` is over 255; receivers answer permerror [each of the four numbers is 0 to 255]
        SPF-10 `?all` is neutral, no fail: unknown senders are treated as if there were no SPF [end in `~all` (softfail) or `-all` (fail)]
        SPF-26 a text like SPF that is none: the quotes of a word processor (`“`) are a part of it [write the text without them; in a zone file put plain quotes (`"`) around it]
        SPF-02 syntax error at octet 11: a typographic dash `–`; receivers answer permerror [write the hyphen `-`]
        SPF-21 characters that are not printable ASCII, or quotes [write the record anew, without copying it from a page]
        SPF-26 a text like SPF that is none: it was written without quotes, cut at each blank, and is read without any blank [put the whole text into plain quotes (`"`)]
        "#);
        assert_eq!(text("v=spf1 mx -all"), "");
    }

    proptest! {
        #[test]
        fn never_panics(text in "v=spf1[ -~]{0,80}") {
            let _ = of(&text);
        }
    }
}
