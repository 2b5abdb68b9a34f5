use mailzone_record::zonefile::{EditError, SetChange, ZoneFile, write};
use mailzone_record::{Name, Opaque, RRset, Rdata, RecordType, Ttl, parse_rdata_text};

use super::{fixed, halves, text};

pub(super) const NAME_WORDS: &[&str] = &[
    "example",
    "com",
    "_dmarc",
    "*",
    "\\.",
    "\\046",
    "\\\\",
    "xn--bcher-kva",
    "b\u{fc}cher",
    "\u{df}",
    "_domainkey",
    "@",
    "a123456789a123456789a123456789a123456789a123456789a123456789abc",
    ".",
    "\u{3002}",
];

pub(super) const RDATA_WORDS: &[&str] = &[
    "A",
    "AAAA",
    "MX",
    "TXT",
    "SRV",
    "TLSA",
    "CAA",
    "SOA",
    "NS",
    "CNAME",
    "PTR",
    "SVCB",
    "HTTPS",
    "LOC",
    "APL",
    "NAPTR",
    "DS",
    "DNSKEY",
    "NSEC",
    "NSEC3",
    "IPSECKEY",
    "AMTRELAY",
    "RRSIG",
    "CERT",
    "HIP",
    "SSHFP",
    "CSYNC",
    "URI",
    "TYPE65280",
    "WKS",
    "NSAP",
    "EUI48",
    "EUI64",
    "GPOS",
    "\\#",
    "\\# 4 00000000",
    "192.0.2.1",
    "2001:db8::1",
    "::ffff:192.0.2.1",
    "example.com.",
    "mail",
    "@",
    ".",
    "10",
    "\"text\"",
    "\"",
    "\\\"",
    "alpn=h2,h3",
    "ipv4hint=192.0.2.1",
    "key65535=\"a\\,b\"",
    "mandatory=alpn",
    "no-default-alpn",
    "1:10.0.0.0/8",
    "!2:2001:db8::/32",
    "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m",
    "20260101000000",
    "20260131235959",
    "deadbeef",
    "A MX TYPE1234",
    "issue",
    "ce-ab-cd-ef-00-11",
];

pub(super) const ZONE_WORDS: &[&str] = &[
    "$TTL 3600\n",
    "$ORIGIN example.com.\n",
    "$ORIGIN sub\n",
    "$ORIGIN .\n",
    "$INCLUDE file\n",
    "$GENERATE 1-3 a$ A 192.0.2.$\n",
    "@",
    "IN",
    "CH",
    "3600",
    "1h",
    "(",
    ")",
    ";",
    "; comment",
    "\n",
    "\n ",
    "\n\t",
    "\r\n",
    "SOA",
    "MX 10 mail",
    "TXT",
    "TXT \"v=spf1 -all\"",
    "A 192.0.2.1",
    "CNAME x",
    "NS ns1",
    "www",
    "*",
    "example.com.",
    "\"",
    "\\",
    "\\032",
    "\"a\" \"b\"",
    "@ IN SOA ns1 hostmaster 2026010101 7200 3600 1209600 300\n",
    "TYPE65280 \\# 2 abcd",
    "\\# 1 00",
];

pub(super) fn name(input: &[u8]) {
    let text = text(input);
    let origin = fixed("Sub.Example.COM");
    let read = [
        Name::parse(&text).ok(),
        Name::parse_in(&text, Some(&origin)).ok(),
        Name::parse_idn(&text).ok(),
        origin.prepend(&text).ok(),
    ];
    for name in read.into_iter().flatten() {
        well_formed(&name);
    }
    assert!(Name::parse_in(&text, None).is_err() || Name::parse(&text).is_ok(), "absolute in a zone file alone");
}

pub(super) fn name_wire(input: &[u8]) {
    if let Ok(name) = Name::from_wire(input) {
        assert_eq!(name.as_wire(), input);
        well_formed(&name);
    }
}

fn well_formed(name: &Name) {
    assert!((1..=255).contains(&name.as_wire().len()));
    assert!(Name::from_wire(name.as_wire()).is_ok_and(|again| again.eq_case(name)), "{name} in wire form");
    let printed = name.to_string();
    assert!(Name::parse(&printed).is_ok_and(|again| again.eq_case(name)), "{printed} is another name");
    assert_eq!(Name::parse_in(&printed, None).as_ref(), Ok(name), "{printed} is not absolute");
    assert_eq!(name.labels().count(), name.label_count());
    assert_eq!(name.to_lowercase(), *name);
    let mut above = Some(name.clone());
    while let Some(ancestor) = above {
        assert!(name.is_at_or_below(&ancestor));
        assert!(name.without_suffix(&ancestor).is_some());
        above = ancestor.parent();
    }
}

pub(super) fn record_type(input: &[u8]) {
    if let Ok(rtype) = text(input).parse::<RecordType>() {
        assert_eq!(rtype.to_string().parse(), Ok(rtype));
    }
}

pub(super) fn ttl(input: &[u8]) {
    if let Ok(ttl) = Ttl::parse(&text(input)) {
        assert!(ttl <= Ttl::MAX);
        assert_eq!(Ttl::parse(&ttl.to_string()), Ok(ttl));
    }
}

pub(super) fn rdata_text(input: &[u8]) {
    let text = text(input);
    let (rtype, data) = text.split_once(' ').unwrap_or((&text, ""));
    let Ok(rtype) = rtype.parse::<RecordType>() else { return };
    let origin = fixed("example.com");
    for origin in [None, Some(&origin)] {
        let Ok(rdata) = parse_rdata_text(rtype, data, origin) else { continue };
        assert_eq!(rdata.rtype(), rtype);
        if is_text(&rdata) {
            // It was not understood: with another origin it might be.
            assert_eq!(parse_rdata_text(rtype, &rdata.to_string(), origin).as_ref(), Ok(&rdata));
        } else {
            printed(&rdata);
        }
        if let Some(wire) = rdata.to_wire() {
            assert_eq!(Rdata::from_wire(rtype, &wire), rdata, "{rdata}");
        }
    }
}

pub(super) fn rdata_wire(input: &[u8]) {
    let Some((&number, data)) = input.split_first_chunk::<2>() else { return };
    let rtype = RecordType(u16::from_be_bytes(number));
    let rdata = Rdata::from_wire(rtype, data);
    assert_eq!(rdata.rtype(), rtype);
    assert_eq!(rdata.to_wire().as_deref(), (data.len() <= 65_535).then_some(data), "{rdata}");
    printed(&rdata);
}

/// What is printed is read, with and without an origin.
fn printed(rdata: &Rdata) {
    let text = rdata.to_string();
    let origin = fixed("elsewhere.example");
    for origin in [None, Some(&origin)] {
        assert_eq!(parse_rdata_text(rdata.rtype(), &text, origin).as_ref(), Ok(rdata), "{text}");
    }
}

/// The zone that the octets are a file of.
fn read(input: &[u8]) -> Option<ZoneFile> {
    let mut last = None;
    // In the root's zone nothing is out of zone.
    for zone in ["example.com", "."] {
        match ZoneFile::parse(input, &fixed(zone)) {
            Ok(file) => return Some(file),
            Err(errors) => last = Some(errors),
        }
    }
    let errors = last?;
    assert!(!errors.as_slice().is_empty());
    for error in errors.as_slice() {
        let inside = error.span.start <= error.span.end && error.span.end <= input.len();
        assert!(inside && error.line >= 1 && error.column >= 1, "{error:?}");
    }
    None
}

const TODAY: (i32, u8, u8) = (2026, 1, 1);

pub(super) fn zone_text(input: &[u8]) {
    let Some(file) = read(input) else { return };
    assert_eq!(file.edit(&[], TODAY).as_deref(), Ok(input));
    let mut end = 0;
    for record in file.records() {
        let span = record.span();
        assert!(end <= span.start && span.start < span.end && span.end <= input.len(), "{record:?}");
        end = span.end;
        assert!(record.owner.is_at_or_below(file.zone()));
    }
    let sets = file.rrsets();
    assert!(sets.iter().map(|set| set.values.len()).sum::<usize>() <= file.records().len());
    if sets.iter().any(text_only) {
        return;
    }
    let written = write(file.zone(), file.default_ttl(), &sets);
    let again = ZoneFile::parse(written.as_bytes(), file.zone()).map(|file| file.rrsets());
    let again = again.unwrap_or_else(|error| panic!("{error} in what was written:\n{written}"));
    assert_same(&again, &sets);
    assert!(again.iter().zip(&sets).all(|(a, b)| a.ttl == b.ttl), "other TTLs:\n{written}");
}

pub(super) fn zone_edit(input: &[u8]) {
    let (before, after) = halves(input);
    let Some(file) = read(before) else { return };
    let Ok(wanted) = ZoneFile::parse(after, file.zone()) else { return };
    let without_soa =
        |file: &ZoneFile| file.rrsets().into_iter().filter(|set| set.rtype != RecordType::SOA).collect::<Vec<_>>();
    let (old, new) = (without_soa(&file), without_soa(&wanted));
    let find = |sets: &[RRset], set: &RRset| sets.iter().find(|other| other.key() == set.key()).cloned();
    let mut changes: Vec<SetChange> =
        old.iter().filter_map(|set| SetChange::between(Some(set), find(&new, set).as_ref())).collect();
    let added = new.iter().filter(|set| find(&old, set).is_none());
    changes.extend(added.filter_map(|set| SetChange::between(None, Some(set))));
    match file.edit(&changes, TODAY) {
        Ok(text) => {
            let edited = ZoneFile::parse(&text, file.zone());
            let edited = edited.unwrap_or_else(|error| panic!("{error} in:\n{}", String::from_utf8_lossy(&text)));
            assert_same(&without_soa(&edited), &new);
        }
        Err(EditError::AmbiguousTtl { .. }) => assert!(file.ambiguous_ttl().is_some()),
        // A zone file holds no text that its own lexer would take for something else.
        Err(EditError::Mismatch { reason }) => assert!(old.iter().chain(&new).any(text_only), "{reason}"),
        Err(error) => panic!("{error}"),
    }
}

fn assert_same(a: &[RRset], b: &[RRset]) {
    assert_eq!(a.len(), b.len(), "sets");
    for (a, b) in a.iter().zip(b) {
        assert!(a.same_data(b), "{a:?}\n{b:?}");
    }
}

fn text_only(set: &RRset) -> bool {
    set.values.iter().any(|value| is_text(&value.rdata))
}

fn is_text(rdata: &Rdata) -> bool {
    matches!(rdata, Rdata::Opaque(Opaque::Text { .. }))
}
