//! TXT as IONOS writes it: bare (`v=spf1 -all`), or as character-strings in quotes (`"v=DKIM1; p=" "MIIB"`).

use mailzone_provider::{Batch, Freshness, Snapshot};
use mailzone_record::{RRset, Rdata, RecordType, Txt};

/// Whether the text is character-strings in quotes.
pub(crate) fn is_quoted(content: &str) -> bool {
    quoted(content).is_some()
}

/// Reads either form. Never fails: what is no proper sequence of quoted strings is one bare text.
pub(crate) fn read(content: &str) -> Txt {
    let Some(strings) = quoted(content) else { return Txt::from_text(content) };
    if strings.iter().all(|string| string.len() <= 255) {
        let strings = strings.into_iter().map(Vec::into_boxed_slice).collect();
        return Txt::from_strings(strings).unwrap_or_else(|| Txt::from_text(""));
    }
    // One string longer than the DNS has: its borders are the service's secret.
    Txt::from_text(strings.concat())
}

/// The text that is sent. Bare, which is what IONOS documents, unless `quote` asks for quotes or only quotes can say
/// it: several strings, a quote, a backslash, what is not printable ASCII, blanks at an end, nothing at all.
pub(crate) fn write(txt: &Txt, quote: bool) -> String {
    let plain = |octets: &[u8]| {
        let odd = |octet: &u8| matches!(octet, b'"' | b'\\') || !(0x20..=0x7e).contains(octet);
        !octets.iter().any(odd) && octets.first().is_some_and(|b| *b != b' ') && octets.last() != Some(&b' ')
    };
    match txt.strings() {
        [one] if !quote && plain(one) => one.iter().map(|&octet| char::from(octet)).collect(),
        _ => txt.to_string(),
    }
}

/// How the live sets relate to the changes before a write. What was sent earlier is recognised whatever became of its
/// borders; what was read is not taken for anything else.
pub(crate) fn compare(batch: &Batch, live: Snapshot) -> Vec<Freshness> {
    let exact = batch.compare(&live);
    let sent = batch.compare(&align(batch, live));
    let either = |(exact, sent)| if sent == Freshness::Already { sent } else { exact };
    exact.into_iter().zip(sent).map(either).collect()
}

/// The snapshot with the borders of character-strings that the batch asks for, where a value differs in them alone:
/// whether IONOS keeps the borders of long texts is not known, and nobody who reads mail records sees them.
/// Values that are exactly as before or as wanted stay.
pub(crate) fn align(batch: &Batch, snapshot: Snapshot) -> Snapshot {
    let wanted = |set: &RRset| {
        let mut changes = batch.changes.iter().filter(|change| change.rtype() == RecordType::TXT);
        changes.find(|change| *change.name() == set.name).map(|change| (change.before(), change.after()))
    };
    let differs = |set: &RRset| matches!(wanted(set), Some((_, Some(after))) if !after.same_data(set));
    if !snapshot.rrsets().iter().any(|set| set.rtype == RecordType::TXT && differs(set)) {
        return snapshot;
    }
    let mut sets = snapshot.rrsets().to_vec();
    for set in sets.iter_mut().filter(|set| set.rtype == RecordType::TXT) {
        let Some((before, Some(after))) = wanted(set) else { continue };
        // Each value that is wanted stands for one that is there: one more of the same text is somebody else's.
        let mut open: Vec<&Txt> = after
            .values
            .iter()
            .filter(|after| !set.values.iter().any(|live| live.rdata == after.rdata))
            .filter_map(|after| after.rdata.as_txt())
            .collect();
        for value in &mut set.values {
            let is_known = |set: &RRset| set.values.iter().any(|known| known.rdata == value.rdata);
            let Some(live) = value.rdata.as_txt().filter(|_| !is_known(after) && !before.is_some_and(is_known)) else {
                continue;
            };
            if let Some(at) = open.iter().position(|open| open.joined() == live.joined()) {
                value.rdata = Rdata::Txt(open.swap_remove(at).clone());
            }
        }
    }
    Snapshot::new(sets, snapshot.default_ttl())
}

/// The character-strings of `"…" "…"`, unescaped (RFC 1035 section 5.1); `None` for anything else.
fn quoted(content: &str) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    let mut octets = content.bytes().peekable();
    loop {
        while octets.next_if(u8::is_ascii_whitespace).is_some() {}
        match octets.next() {
            None => return (!strings.is_empty()).then_some(strings),
            Some(b'"') => strings.push(string(&mut octets)?),
            Some(_) => return None,
        }
    }
}

/// One string up to its closing quote.
fn string(octets: &mut impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    let mut string = Vec::new();
    loop {
        match octets.next()? {
            b'"' => return Some(string),
            b'\\' => string.push(match octets.next()? {
                digit @ b'0'..=b'9' => {
                    let mut number = u16::from(digit - b'0');
                    for _ in 0..2 {
                        number = number * 10 + u16::from(octets.next()?.checked_sub(b'0').filter(|d| *d < 10)?);
                    }
                    u8::try_from(number).ok()?
                }
                other => other,
            }),
            octet => string.push(octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_provider::RRsetChange;
    use mailzone_record::{Name, Ttl};
    use proptest::prelude::*;

    use super::*;

    fn strings(content: &str) -> Vec<String> {
        read(content).strings().iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
    }

    /// The sets, each of TXT values in presentation format, as `align` leaves `live`.
    fn aligned(before: &[&str], after: &[&str], live: &[&str]) -> Vec<String> {
        let set = |texts: &[&str]| {
            let values = texts.iter().map(|text| Rdata::Txt(read(text)).into()).collect();
            RRset::new(Name::root(), RecordType::TXT, Ttl::from_secs(60), values)
        };
        let some = |texts: &[&str]| Some(set(texts)).filter(|set| !set.values.is_empty());
        let change = RRsetChange::new(some(before), some(after)).unwrap();
        let snapshot = align(&Batch { changes: vec![change] }, Snapshot::new(vec![set(live)], None));
        snapshot.rrsets()[0].values.iter().map(|value| value.rdata.to_string()).collect()
    }

    #[test]
    fn borders_that_the_service_moves_are_those_that_were_sent() {
        assert_eq!(aligned(&[], &[r#""a" "b""#], &[r#""ab""#]), [r#""a" "b""#]);
        assert_eq!(aligned(&[], &[r#""a" "bc""#, r#""ab" "c""#], &[r#""abc""#, r#""abc""#]).len(), 2);
        assert_eq!(aligned(&[r#""ab""#], &[r#""a" "b""#, r#""c""#], &[r#""ab""#]), [r#""ab""#]);
    }

    /// A value that somebody added meanwhile, of the same text with other borders, is none of ours.
    #[test]
    fn a_second_value_of_the_same_text_is_not_taken_for_the_first() {
        let live = [r#""a" "b""#, r#""ab""#];
        assert_eq!(aligned(&live[..1], &[live[0], r#""c""#], &live), live);
        assert_eq!(aligned(&[], &live[..1], &live), live);
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(strings(r#""v=spf1 -all""#), ["v=spf1 -all"]);
        assert_eq!(strings("v=spf1 -all"), ["v=spf1 -all"]);
        assert_eq!(strings(r#""a;b" "c\"d\\e\009""#), ["a;b", "c\"d\\e\t"]);
        assert_eq!(strings(r#"""#), [r#"""#]);
        assert_eq!(strings(r#""open"#), [r#""open"#]);
        assert_eq!(strings(r#""a" b"#), [r#""a" b"#]);
        assert_eq!(strings(r#""\999""#), [r#""\999""#]);
        assert_eq!(strings(""), [""]);
        let long = format!("\"{}\"", "x".repeat(400));
        assert_eq!(read(&long).joined().len(), 400);
        assert_eq!(read(&long).strings().len(), 2);
    }

    #[test]
    fn quotes_where_they_are_needed() {
        let one = |text: &str| Txt::from_text(text);
        assert_eq!(write(&one("v=spf1 -all; x"), false), "v=spf1 -all; x");
        assert_eq!(write(&one("v=spf1 -all"), true), r#""v=spf1 -all""#);
        assert_eq!(write(&one("a\"b"), false), r#""a\"b""#);
        assert_eq!(write(&one(" a"), false), r#"" a""#);
        assert_eq!(write(&one(""), false), r#""""#);
        assert_eq!(write(&one("ü"), false), r#""\195\188""#);
    }

    #[test]
    fn only_borders_are_aligned() {
        let set = |texts: &[&str]| {
            let value = |text: &&str| Rdata::Txt(read(text)).into();
            let values = texts.iter().map(value).collect();
            RRset::new(Name::parse("k.example").unwrap(), RecordType::TXT, Ttl::from_secs(60), values)
        };
        let batch = |before: &[&str], after: &[&str]| Batch {
            changes: vec![RRsetChange::new(Some(set(before)), Some(set(after))).unwrap()],
        };
        let live = |texts: &[&str]| Snapshot::new(vec![set(texts)], None);
        let aligned = align(&batch(&["x"], &[r#""a" "b""#]), live(&["ab", "c"]));
        assert!(aligned.rrsets()[0].same_data(&set(&[r#""a" "b""#, "c"])));
        let kept = align(&batch(&["ab"], &[r#""a" "b""#]), live(&["ab"]));
        assert!(kept.rrsets()[0].same_data(&set(&["ab"])));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(strings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..255), 1..4), quote in any::<bool>()) {
            let txt = Txt::from_strings(strings.into_iter().map(Vec::into_boxed_slice).collect()).unwrap();
            prop_assert_eq!(read(&write(&txt, quote)), txt);
        }

        #[test]
        fn any_text_is_read(content in "\\PC*|[\"\\\\0-9a ]*") {
            let txt = read(&content);
            prop_assert!(is_quoted(&content) || txt.joined() == content.as_bytes());
        }
    }
}
