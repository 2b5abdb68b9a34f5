use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mailzone_record::zonefile::{SetChange, ZoneFile, write};
use mailzone_record::{Name, RRset, Rdata, RecordType, Ttl, parse_rdata_text};
use proptest::prelude::*;

use crate::strategies;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/zones")
}

pub(crate) fn zone_files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "zone") {
            files.push((path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()));
        }
    }
    assert!(files.len() >= 10);
    files.sort();
    files
}

/// The zone's name: the first `$ORIGIN` that is not the root.
pub(crate) fn zone_of(text: &[u8]) -> Name {
    let text = String::from_utf8_lossy(text);
    let origin = text.lines().filter_map(|l| l.strip_prefix("$ORIGIN ")).find(|o| o.trim() != ".");
    name(origin.unwrap_or("example.com.").trim())
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn zone(text: &str) -> ZoneFile {
    ZoneFile::parse(text.as_bytes(), &name("example.com")).unwrap()
}

/// The records as lines: owner, TTL, type, data.
pub(crate) fn lines(file: &ZoneFile) -> String {
    file.records().iter().map(|r| format!("{} {} {} {}\n", r.owner, r.ttl, r.rdata.rtype(), r.rdata)).collect()
}

fn errors(text: &str) -> String {
    let errors = ZoneFile::parse(text.as_bytes(), &name("example.com")).unwrap_err();
    let line = |e: &mailzone_record::zonefile::ZoneFileError| {
        let marked = String::from_utf8_lossy(&text.as_bytes()[e.span.clone()]).into_owned();
        format!("{e} [{marked}]\n  | {}\n  = {}\n", e.text, e.remedy)
    };
    errors.as_slice().iter().map(line).collect()
}

#[test]
fn every_fixture_is_read_and_written_again() {
    for (file_name, text) in zone_files() {
        let zone = zone_of(&text);
        let file = ZoneFile::parse(&text, &zone).unwrap_or_else(|e| panic!("{file_name}: {e}"));
        assert!(!file.records().is_empty(), "{file_name}");
        assert_eq!(file.edit(&[], (2026, 1, 1)).unwrap(), text);
        let sets = file.rrsets();
        let written = write(&zone, file.default_ttl(), &sets);
        let again =
            ZoneFile::parse(written.as_bytes(), &zone).unwrap_or_else(|e| panic!("{file_name}: {e}\n{written}"));
        let sets_again = again.rrsets();
        assert_eq!(sets.len(), sets_again.len());
        assert!(sets.iter().zip(&sets_again).all(|(a, b)| a.same_records(b)), "{file_name}");
    }
}

#[test]
fn odd_txt() {
    let text = std::fs::read(fixtures().join("odd-txt.zone")).unwrap();
    let file = ZoneFile::parse(&text, &zone_of(&text)).unwrap();
    let mut found: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for record in file.records() {
        if let Some(txt) = record.rdata.as_txt() {
            let owner = record.owner.without_suffix(file.zone()).unwrap().to_text_without_dot();
            let hex = |s: &[u8]| s.iter().map(|b| format!("{b:02x}")).collect::<String>();
            found.entry(owner).or_default().push(txt.strings().iter().map(|s| hex(s)).collect());
        }
    }
    let expected = std::fs::read_to_string(fixtures().join("odd-txt.expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(serde_json::json!(found), expected["txt"]);
}

#[test]
fn dnspython_example_keeps_every_record() {
    let text = std::fs::read(fixtures().join("dnspython-example.zone")).unwrap();
    let origin = name("example");
    let file = ZoneFile::parse(&text, &origin).unwrap();
    let normalised = std::fs::read_to_string(fixtures().join("dnspython-example.normalised")).unwrap();
    let mut expected = Vec::new();
    for line in normalised.lines() {
        let mut parts = line.splitn(5, ' ');
        let [owner, ttl, _class, rtype, data] = std::array::from_fn(|_| parts.next().unwrap());
        let owner = Name::parse_in(owner, Some(&origin)).unwrap();
        let rtype: RecordType = rtype.parse().unwrap();
        expected.push((owner, ttl.to_owned(), rtype, parse_rdata_text(rtype, data, Some(&origin)).unwrap()));
    }
    assert_eq!(file.records().len(), expected.len());
    let mut text_only = Vec::new();
    for (owner, ttl, rtype, data) in &expected {
        let same = |r: &&mailzone_record::zonefile::Record| {
            r.owner == *owner && r.ttl.to_string() == *ttl && r.rdata.rtype() == *rtype
        };
        let candidates: Vec<_> = file.records().iter().filter(same).collect();
        assert!(!candidates.is_empty(), "{owner} {rtype}");
        // What is kept as text is spelled in dnspython's own way there.
        if data.to_wire().is_some() {
            assert!(candidates.iter().any(|r| r.rdata == *data), "{owner} {rtype} {data}: {candidates:?}");
        } else {
            text_only.push(*rtype);
        }
    }
    text_only.dedup();
    assert_eq!(text_only, [RecordType::HIP, RecordType::WKS]);
}

#[test]
fn owners_ttls_and_origins() {
    let file = zone(
        "\u{feff}$TTL 1h30m ; as BIND writes it\r\n\
         @ IN SOA ns1 host ( 2026112101 ; serial\r\n\
         \t1h 15m\r\n 2w 300 )\r\n\
         \tNS ns1\r\n\
         ; a comment\r\n\
         \r\n\
         \t300 IN NS ns2\r\n\
         www in 60 a 192.0.2.1\r\n\
         $ORIGIN sub\r\n\
         $TTL 7200\r\n\
         \tAAAA 2001:db8::1\r\n\
         www A 192.0.2.2\r\n\
         a\\.b\\@ CLASS1 TXT x\r\n\
         MX MX 10 MX\r\n\
         example.com. TXT ( \"a\" ; (\"\r\n\"b\" )c\r\n\
         *.xn--bcher-kva CNAME @",
    );
    insta::assert_snapshot!(lines(&file), @r#"
    example.com. 5400 SOA ns1.example.com. host.example.com. 2026112101 3600 900 1209600 300
    example.com. 5400 NS ns1.example.com.
    example.com. 300 NS ns2.example.com.
    www.example.com. 60 A 192.0.2.1
    www.example.com. 7200 AAAA 2001:db8::1
    www.sub.example.com. 7200 A 192.0.2.2
    a\.b\@.sub.example.com. 7200 TXT "x"
    MX.sub.example.com. 7200 MX 10 MX.sub.example.com.
    example.com. 7200 TXT "a" "b" "c"
    *.xn--bcher-kva.sub.example.com. 7200 CNAME sub.example.com.
    "#);
    assert_eq!(file.default_ttl(), Ttl::from_secs(7200));
    assert_eq!(file.soa().unwrap().serial, 2026112101);
    assert_eq!(file.ttl_conflicts().iter().map(ToString::to_string).collect::<Vec<_>>(), ["example.com. NS"]);
    assert!(file.records()[2].ttl_explicit && !file.records()[1].ttl_explicit);
    assert!(file.text()[file.records()[0].span()].ends_with(b"2w 300 )\r\n"));
}

#[test]
fn ttls_without_a_directive() {
    let file = zone("a A 192.0.2.1\n@ SOA ns host 1 2 3 4 900\nb A 192.0.2.1\nc 60 A 192.0.2.1\nd A 192.0.2.1\n");
    let ttls: Vec<_> = file.records().iter().map(|r| r.ttl.as_secs()).collect();
    assert_eq!(ttls, [900, 900, 900, 60, 60]);
    assert_eq!(file.default_ttl(), None);
    assert_eq!(zone("a A 192.0.2.1\n").records()[0].ttl.as_secs(), 3600);
    assert!(zone("").records().is_empty() && zone("; nothing\n\n").rrsets().is_empty());
}

#[test]
fn octets_survive() {
    let text = b"$TTL 60\na TXT \"caf\xe9\" ; \xff\nb TXT \"caf\xc3\xa9\"\nb\xfc TXT x\\\xc3\xa9\nc LOC 1 N \xe9\n";
    let file = ZoneFile::parse(text, &name("example.com")).unwrap();
    insta::assert_snapshot!(lines(&file), @r#"
    a.example.com. 60 TXT "caf\233"
    b.example.com. 60 TXT "caf\195\169"
    b\252.example.com. 60 TXT "x\195\169"
    c.example.com. 60 LOC 1 N \233
    "#);
}

#[test]
fn mail_records_in_odd_spellings() {
    let file = zone(
        "$TTL 60\n\
         s1._domainkey TXT \"v=DKIM1; k=rsa; \" \"p=MIGf\"\n\
         s2._domainkey TXT v=DKIM1\\;p=MIGf\n\
         s3._domainkey TXT (\n\tv=DKIM1\\;\t; the key\n\tp=MIGf\tMA0G )\n\
         t TXT \"a\\\"b\" \"c\\\\d;e\"\n",
    );
    insta::assert_snapshot!(lines(&file), @r#"
    s1._domainkey.example.com. 60 TXT "v=DKIM1; k=rsa; " "p=MIGf"
    s2._domainkey.example.com. 60 TXT "v=DKIM1;p=MIGf"
    s3._domainkey.example.com. 60 TXT "v=DKIM1;" "p=MIGf" "MA0G"
    t.example.com. 60 TXT "a\"b" "c\\d;e"
    "#);
    let spellings: Vec<_> = file
        .rrsets()
        .iter()
        .map(|s| s.values[0].origin.as_ref().and_then(|o| o.spelling.clone()).unwrap_or_default())
        .collect();
    assert_eq!(
        spellings.iter().map(|s| &**s).collect::<Vec<_>>(),
        ["", r"v=DKIM1\;p=MIGf", "v=DKIM1\\; p=MIGf MA0G", "",]
    );
}

#[test]
fn rrsets_are_sorted_and_hold_each_value_once() {
    let file = zone("b 9 A 192.0.2.1\na 9 TXT b\nB 7 A 192.0.2.2\na 9 A 192.0.2.9\nb 9 A 192.0.2.1\n");
    let show = |s: &RRset| format!("{} {:?} {:?}", s.key(), s.ttl, s.values);
    assert_eq!(
        file.rrsets().iter().map(show).collect::<Vec<_>>(),
        [
            "a.example.com. A Some(Ttl(9)) [192.0.2.9]",
            "a.example.com. TXT Some(Ttl(9)) [\"b\"]",
            "b.example.com. A Some(Ttl(9)) [192.0.2.1, 192.0.2.2]",
        ]
    );
}

#[test]
fn all_errors_at_once() {
    insta::assert_snapshot!(errors(
        "\tA 192.0.2.1\n$INCLUDE other.zone\n$GENERATE 1-2 a$ A 192.0.2.$\n$FOO 1\n$TTL\n$TTL 1x\n$ORIGIN a..b\n\
         a CH TXT x\nwww.example.org. A 192.0.2.1\nb A 192.0.2.256 ; no\n\u{e9}\u{e9} MX 10\nc 3600\nc BOGUS x\nd..e A 192.0.2.1\n\
         f 99999999999 A 192.0.2.1\ng TXT \"open\ng A 192.0.2.1 )\ng ANY x\n@ SOA a b 1 2 3 4 5\n@ SOA a b 1 2 3 4 5\n\
         g \"A\" 192.0.2.1\nh TXT ( x\n"
    ));
}

#[test]
fn many_records() {
    use std::fmt::Write;
    let mut text = String::from("$TTL 300\n@ SOA ns host 1 2 3 4 5\n");
    for i in 0..20_000 {
        writeln!(text, "h{i} A 10.0.{}.{}\n\tTXT \"n{i}\"", i / 256 % 256, i % 256).unwrap();
    }
    let file = zone(&text);
    assert_eq!(file.records().len(), 40_001);
    assert_eq!(file.rrsets().len(), 40_001);
}

#[test]
fn a_new_file_in_columns() {
    let file = zone(
        "$TTL 300\n@ 60 TXT \"v=spf1 -all\"\n@ MX 10 mail\n_dmarc CNAME x.example.net.\n@ SOA ns host 1 2 3 4 5\n\
         @ NS ns.example.net.\nm TYPE999 \\# 1 00\n",
    );
    insta::assert_snapshot!(write(file.zone(), file.default_ttl(), &file.rrsets()), @r#"
    $ORIGIN example.com.
    $TTL 300
    @         IN SOA     ns.example.com. host.example.com. 1 2 3 4 5
    @         IN NS      ns.example.net.
    @         IN MX      10 mail.example.com.
    @      60 IN TXT     "v=spf1 -all"
    _dmarc    IN CNAME   x.example.net.
    m         IN TYPE999 \# 1 00
    "#);
}

/// RRsets at and below `example.com.`, each once.
fn rrsets() -> impl Strategy<Value = Vec<RRset>> {
    let set = (strategies::name(), strategies::rdata(), 0u32..100_000);
    prop::collection::vec(set, 0..8).prop_map(|sets| {
        let mut zone: Vec<RRset> = Vec::new();
        for (below, rdata, ttl) in sets {
            let wire = [&below.as_wire()[..below.as_wire().len() - 1], name("example.com").as_wire()].concat();
            let owner = Name::from_wire(&wire).unwrap();
            let is_zone_data = !matches!(rdata.rtype(), RecordType(0 | 6 | 41 | 249..=255));
            if is_zone_data && zone.iter().all(|s| s.name != owner || s.rtype != rdata.rtype()) {
                zone.push(RRset::new(owner, rdata.rtype(), Ttl::from_secs(ttl), vec![rdata.into()]));
            }
        }
        zone.sort_by_key(RRset::key);
        zone
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(sets in rrsets(), default in prop::option::of(0u32..9)) {
        let zone = name("example.com");
        let text = write(&zone, default.and_then(Ttl::from_secs), &sets);
        let file = ZoneFile::parse(text.as_bytes(), &zone).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(file.rrsets(), sets.clone(), "{}", text);
        // The same records, put into an empty file one by one.
        let changes: Vec<_> = sets.iter().filter_map(|s| SetChange::between(None, Some(s))).collect();
        let text = ZoneFile::parse(b"", &zone).unwrap().edit(&changes, (2026, 1, 1)).unwrap();
        prop_assert_eq!(ZoneFile::parse(&text, &zone).unwrap().rrsets(), sets);
    }

    #[test]
    fn any_octets_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
        check_any(&text)?;
    }

    #[test]
    fn any_words_are_read_without_a_panic(
        words in prop::collection::vec(prop_oneof![
            Just("a"), Just("@"), Just(" "), Just("\t"), Just("\n"), Just("\r\n"), Just("("), Just(")"), Just("\""),
            Just(";"), Just("\\"), Just("IN"), Just("A"), Just("192.0.2.1"), Just("TXT"), Just("60"), Just("$TTL 5\n"),
            Just("$ORIGIN "), Just("MX 1 "), Just("\\# 1 "), Just("TYPE1"), Just("\u{e9}"), Just(". "),
        ], 0..60)
    ) {
        check_any(words.concat().as_bytes())?;
    }
}

fn check_any(text: &[u8]) -> Result<(), TestCaseError> {
    match ZoneFile::parse(text, &name("example.com")) {
        Ok(file) => {
            prop_assert_eq!(file.edit(&[], (2026, 1, 1)).unwrap(), text);
            let count: usize = file.rrsets().iter().map(|s| s.values.len()).sum();
            prop_assert!(count <= file.records().len());
            prop_assert!(file.records().iter().all(|r| !matches!(r.rdata, Rdata::Soa(_)) || r.owner == *file.zone()));
        }
        Err(errors) => {
            for error in &errors {
                prop_assert!(error.line >= 1 && error.column >= 1 && error.span.end <= text.len(), "{:?}", error);
            }
            prop_assert!(!errors.as_slice().is_empty());
        }
    }
    Ok(())
}
