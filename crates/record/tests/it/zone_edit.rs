use mailzone_record::zonefile::{EditError, Record, SetChange, ZoneFile};
use mailzone_record::{Name, RRset, Rdata, RecordType, Ttl, Txt, Value, parse_rdata_text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::zonefile::{lines, name, zone_files, zone_of};

const TODAY: (i32, u8, u8) = (2026, 11, 21);

fn zone(text: &str) -> ZoneFile {
    ZoneFile::parse(text.as_bytes(), &name("example.com")).unwrap()
}

fn data(rtype: RecordType, texts: &[&str]) -> Vec<Rdata> {
    texts.iter().map(|text| parse_rdata_text(rtype, text, None).unwrap()).collect()
}

fn change(owner: &str, rtype: RecordType, remove: &[&str], add: &[&str]) -> SetChange {
    let name = Name::parse_in(owner, Some(&name("example.com"))).unwrap();
    SetChange { name, rtype, remove: data(rtype, remove), add: data(rtype, add), ttl: None, retime: false }
}

/// The lines that differ, as `-` and `+`.
fn edited(text: &str, changes: &[SetChange]) -> String {
    let new = String::from_utf8(zone(text).edit(changes, TODAY).unwrap()).unwrap();
    let (old, new): (Vec<_>, Vec<_>) = (text.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    // The longest common subsequence; the texts are short.
    let mut length = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let longest = length[i + 1][j].max(length[i][j + 1]);
            length[i][j] = if old[i] == new[j] { length[i + 1][j + 1] + 1 } else { longest };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    let show = |line: &str| line.replace('\t', "→").replace("\r\n", "␍\n").trim_end_matches('\n').to_owned();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || length[i + 1][j] >= length[i][j + 1]) {
            out.push_str(&format!("-{}\n", show(old[i])));
            i += 1;
        } else {
            out.push_str(&format!("+{}\n", show(new[j])));
            j += 1;
        }
    }
    out
}

const BIND_STYLE: &str = "\
$TTL 3600
@       IN SOA  ns1 host ( 2026112007 ; serial
                           7200 3600 1209600 300 )
        IN NS   ns1
        IN TXT  \"v=spf1 mx -all\" ; who sends
        IN TXT  \"token=1\"
        IN MX   10 mail
; the mail host
mail    IN A    192.0.2.25
        IN AAAA 2001:db8::25 ; first
www 300 IN A    192.0.2.80
k1._domainkey IN TXT ( \"v=DKIM1; k=rsa; \"   ; the key
                       \"p=MIGf\" )
";

#[test]
fn an_update_takes_the_place_and_the_look_of_its_line() {
    let changes = [change("@", RecordType::TXT, &["\"v=spf1 mx -all\""], &["\"v=spf1 mx a ~all\""])];
    insta::assert_snapshot!(edited(BIND_STYLE, &changes), @r#"
    -@       IN SOA  ns1 host ( 2026112007 ; serial
    +@       IN SOA  ns1 host ( 2026112100 ; serial
    -        IN TXT  "v=spf1 mx -all" ; who sends
    +        IN TXT  "v=spf1 mx a ~all" ; who sends
    "#);
    let changes = [
        change("@", RecordType::MX, &["10 mail.example.com."], &["20 mx.example.com."]),
        change("www", RecordType::A, &["192.0.2.80"], &["192.0.2.81"]),
        change(
            "k1._domainkey",
            RecordType::TXT,
            &["\"v=DKIM1; k=rsa; \" \"p=MIGf\""],
            &["\"v=DKIM1; \" \"p=A\" \"BC\""],
        ),
    ];
    insta::assert_snapshot!(edited(BIND_STYLE, &changes), @r#"
    -@       IN SOA  ns1 host ( 2026112007 ; serial
    +@       IN SOA  ns1 host ( 2026112100 ; serial
    -        IN MX   10 mail
    +        IN MX   20 mx
    -www 300 IN A    192.0.2.80
    -k1._domainkey IN TXT ( "v=DKIM1; k=rsa; "   ; the key
    -                       "p=MIGf" )
    +www 300 IN A    192.0.2.81
    +k1._domainkey IN TXT ( "v=DKIM1; "
    +                       "p=A"
    +                       "BC" )
    "#);
}

#[test]
fn additions_stand_behind_their_set_or_name_or_at_the_end() {
    let changes = [
        change("@", RecordType::TXT, &[], &["\"token=2\""]),
        change("mail", RecordType::TXT, &[], &["\"v=spf1 a -all\""]),
        change("www", RecordType::AAAA, &[], &["2001:db8::80"]),
        change("_dmarc", RecordType::TXT, &[], &["\"v=DMARC1; p=none\""]),
        change("x", RecordType::CNAME, &[], &["example.net."]),
    ];
    insta::assert_snapshot!(edited(BIND_STYLE, &changes), @r#"
    -@       IN SOA  ns1 host ( 2026112007 ; serial
    +@       IN SOA  ns1 host ( 2026112100 ; serial
    +        IN TXT  "token=2"
    +        IN TXT "v=spf1 a -all"
    +www 3600 IN AAAA 2001:db8::80
    +_dmarc IN TXT "v=DMARC1; p=none"
    +x IN CNAME example.net.
    "#);
}

#[test]
fn a_line_keeps_the_owner_that_it_inherited() {
    let changes = [change("mail", RecordType::A, &["192.0.2.25"], &[])];
    insta::assert_snapshot!(edited(BIND_STYLE, &changes), @r#"
    -@       IN SOA  ns1 host ( 2026112007 ; serial
    +@       IN SOA  ns1 host ( 2026112100 ; serial
    -mail    IN A    192.0.2.25
    -        IN AAAA 2001:db8::25 ; first
    +mail    IN AAAA 2001:db8::25 ; first
    "#);
    let cases = "$TTL 60\na TXT x\nA TXT y\n  TXT z\n";
    insta::assert_snapshot!(edited(cases, &[change("a", RecordType::TXT, &["y"], &[])]), @r#"
    -A TXT y
    -  TXT z
    +A TXT z
    "#);
    let tabs = "$TTL 60\na.b\tA\t192.0.2.1\n; comment\n$ORIGIN sub.example.com.\n\t\tTXT\tx\n\t\tTXT\ty\n";
    insta::assert_snapshot!(edited(tabs, &[change("a.b", RecordType::A, &["192.0.2.1"], &[])]), @r#"
    -a.b→A→192.0.2.1
    -→→TXT→x
    +a.b.example.com.→TXT→x
    "#);
}

#[test]
fn a_line_keeps_the_ttl_that_it_inherited() {
    let text = "@ 900 IN SOA ns host 1 2 3 4 5\na 60 IN A 192.0.2.1\nb IN A 192.0.2.2\n  IN TXT x\nc\tA\t192.0.2.3\n";
    insta::assert_snapshot!(edited(text, &[change("a", RecordType::A, &["192.0.2.1"], &[])]), @r#"
    -@ 900 IN SOA ns host 1 2 3 4 5
    -a 60 IN A 192.0.2.1
    -b IN A 192.0.2.2
    +@ 900 IN SOA ns host 2 2 3 4 5
    +b 60 IN A 192.0.2.2
    "#);
    let mut slower = change("b", RecordType::A, &[], &[]);
    (slower.ttl, slower.retime) = (Ttl::from_secs(300), true);
    insta::assert_snapshot!(edited(text, &[slower]), @r#"
    -@ 900 IN SOA ns host 1 2 3 4 5
    +@ 900 IN SOA ns host 2 2 3 4 5
    -b IN A 192.0.2.2
    -  IN TXT x
    +b 300 IN A 192.0.2.2
    +  60 IN TXT x
    "#);
}

#[test]
fn a_ttl_that_servers_read_differently_is_not_written_down() {
    let spf = [change("@", RecordType::TXT, &["\"v=spf1 -all\""], &[])];
    let refused = |text: &str| match zone(text).edit(&spf, TODAY) {
        Err(EditError::AmbiguousTtl { name }) => name.to_string(),
        other => panic!("{other:?}"),
    };
    // BIND serves www with 3600, the set's first TTL; RFC 1035 lets it have 86400.
    let mixed = "@ 3600 IN SOA ns1 h 1 2 3 4 5\n NS ns1\n TXT \"other\"\n 86400 TXT \"v=spf1 -all\"\n\
        www A 192.0.2.9\nns1 3600 A 192.0.2.1\n";
    assert_eq!(refused(mixed), "www.example.com.");
    // BIND gives b the SOA minimum; RFC 1035 lets it have 60.
    let minimum = "@ IN SOA ns1 h 1 2 3 4 5\n TXT \"v=spf1 -all\"\nns1 60 A 192.0.2.1\nb A 192.0.2.2\n";
    assert_eq!(refused(minimum), "b.example.com.");
    for clear in [
        format!("$TTL 300\n{mixed}"),
        mixed.replace("www A", "www 3600 A"),
        mixed.replace(" 86400 TXT", " 3600 TXT"),
        minimum.replace("60 A", "A"),
        minimum.replace("@ IN", "@ 5 IN"),
    ] {
        assert_eq!(zone(&clear).ambiguous_ttl(), None, "{clear}");
        assert!(zone(&clear).edit(&spf, TODAY).is_ok(), "{clear}");
    }
    assert_eq!(zone(mixed).edit(&[], TODAY).unwrap(), mixed.as_bytes());
}

#[test]
fn records_that_stand_apart_have_no_ttl_in_common() {
    let ambiguous = |text: &str| {
        let file = zone(&format!("@ 9 SOA ns h 1 2 3 4 5\n{text}"));
        file.ambiguous_ttl().map(|record| record.owner.to_string())
    };
    assert_eq!(ambiguous("a 5 A 192.0.2.1\nb 3 A 192.0.2.1\na A 192.0.2.2\n"), None);
    let second = "a 5 A 192.0.2.1\nb 3 A 192.0.2.1\na 3 A 192.0.2.2\n 5 A 192.0.2.3\nc A 192.0.2.1\n";
    assert_eq!(ambiguous(second).as_deref(), Some("c.example.com."));
    // Nor have names in upper and lower case.
    assert_eq!(ambiguous("a 5 A 192.0.2.1\nA 3 A 192.0.2.2\nc A 192.0.2.1\n"), None);
    // A name server's addresses are not between the NS records, another host's are.
    let glue = "s 5 NS n.s\nn.s 3 A 192.0.2.1\ns 3 NS n2.s\nc A 192.0.2.1\n";
    assert_eq!(ambiguous(glue).as_deref(), Some("c.example.com."));
    assert_eq!(ambiguous(&glue.replace("\ns 3", "\nx 4 A 192.0.2.1\ns 3")), None);
    assert_eq!(ambiguous(&glue.replace("s 3 NS n2.s", "n.s 3 NS n2.s")), None);
}

#[test]
fn a_ttl_is_written_in_where_servers_would_come_to_differ() {
    // Without c, BIND would hand the TTL of a's first LOC record down, RFC 1035 that of the second.
    let text = "a A 192.0.2.7\n LOC 1 N 2 E  3m\n 3 LOC 1 N 2 E  3m\nc.example.com. 3 A 192.0.2.1\n@ A 192.0.2.1";
    let without_c = [change("c", RecordType::A, &["192.0.2.1"], &[])];
    insta::assert_snapshot!(edited(text, &without_c), @r"
    -c.example.com. 3 A 192.0.2.1
    -@ A 192.0.2.1
    +@ 3 A 192.0.2.1
    ");
    // Without its first record, BIND would give the last A record of a the TTL of the second, and c too.
    let text = "@ 9 SOA ns h 1 2 3 4 5\na 5 A 192.0.2.1\n  3 A 192.0.2.2\n  5 TXT x\n  A 192.0.2.3\nc A 192.0.2.4\n";
    insta::assert_snapshot!(edited(text, &[change("a", RecordType::A, &["192.0.2.1"], &[])]), @r#"
    -@ 9 SOA ns h 1 2 3 4 5
    -a 5 A 192.0.2.1
    -  3 A 192.0.2.2
    +@ 9 SOA ns h 2 2 3 4 5
    +a 3 A 192.0.2.2
    -  A 192.0.2.3
    -c A 192.0.2.4
    +  5 A 192.0.2.3
    +c 5 A 192.0.2.4
    "#);
    // Without b, records of a stand together that did not, and BIND would give them the first one's TTL.
    let text = "@ 9 SOA ns h 1 2 3 4 5\na A 192.0.2.1\nb 1 A 192.0.2.1\na A 192.0.2.2\n A 192.0.2.3\n TXT x\n";
    insta::assert_snapshot!(edited(text, &[change("b", RecordType::A, &["192.0.2.1"], &[])]), @r#"
    -@ 9 SOA ns h 1 2 3 4 5
    +@ 9 SOA ns h 2 2 3 4 5
    -b 1 A 192.0.2.1
    -a A 192.0.2.2
    - A 192.0.2.3
    - TXT x
    +a 1 A 192.0.2.2
    + 1 A 192.0.2.3
    + 1 TXT x
    "#);
    // Between records that all have the SOA minimum, RFC 1035 would let b inherit the new TTL.
    let text = "@ SOA ns h 1 2 3 4 5\na A 192.0.2.1\nb A 192.0.2.2\n";
    let mut slower = change("a", RecordType::A, &[], &[]);
    (slower.ttl, slower.retime) = (Ttl::from_secs(300), true);
    insta::assert_snapshot!(edited(text, &[slower]), @r"
    -@ SOA ns h 1 2 3 4 5
    -a A 192.0.2.1
    -b A 192.0.2.2
    +@ SOA ns h 2 2 3 4 5
    +a 300 A 192.0.2.1
    +b 5 A 192.0.2.2
    ");
}

#[test]
fn a_new_line_passes_no_ttl_on() {
    let text = "@ 3600 IN SOA ns1 h 1 2 3 4 5\n NS ns1\nwww A 192.0.2.9\n";
    let mut new = change("@", RecordType::TXT, &[], &["\"v=spf1 -all\""]);
    insta::assert_snapshot!(edited(text, std::slice::from_ref(&new)), @r#"
    -@ 3600 IN SOA ns1 h 1 2 3 4 5
    +@ 3600 IN SOA ns1 h 2 2 3 4 5
    + TXT "v=spf1 -all"
    "#);
    new.ttl = Ttl::from_secs(300);
    insta::assert_snapshot!(edited(text, &[new]), @r#"
    -@ 3600 IN SOA ns1 h 1 2 3 4 5
    +@ 3600 IN SOA ns1 h 2 2 3 4 5
    +@ 300 TXT "v=spf1 -all"
    "#);
}

#[test]
fn the_ttl_of_a_set() {
    let text = "$TTL 60\na 1h A 192.0.2.1\n  A 192.0.2.2\nb\tA\t192.0.2.2\n";
    let mut all = change("a", RecordType::A, &["192.0.2.1"], &["192.0.2.3", "192.0.2.4"]);
    (all.ttl, all.retime) = (Ttl::from_secs(300), true);
    let mut new = change("b", RecordType::TXT, &[], &["x"]);
    new.ttl = Ttl::from_secs(300);
    insta::assert_snapshot!(edited(text, &[all, new]), @r#"
    -a 1h A 192.0.2.1
    -  A 192.0.2.2
    +a 300 A 192.0.2.3
    +  300 A 192.0.2.2
    +  300 A 192.0.2.4
    +b→300→TXT→"x"
    "#);
}

#[test]
fn cnames_and_other_types_change_places() {
    let text = "$TTL 60\na\tIN\tA\t192.0.2.1\n_dmarc\tIN\tCNAME\tx.example.net. ; hoster\nb\tIN\tA\t192.0.2.2\n";
    let changes = [
        change("_dmarc", RecordType::CNAME, &["x.example.net."], &[]),
        change("_dmarc", RecordType::TXT, &[], &["\"v=DMARC1; p=none\""]),
    ];
    insta::assert_snapshot!(edited(text, &changes), @r#"
    -_dmarc→IN→CNAME→x.example.net. ; hoster
    +_dmarc→IN→TXT→"v=DMARC1; p=none"
    "#);
}

#[test]
fn odd_files() {
    let add = [change("_dmarc", RecordType::TXT, &[], &["x"])];
    insta::assert_snapshot!(edited("", &add), @r#"+_dmarc→IN→TXT→"x""#);
    insta::assert_snapshot!(edited("; no newline", &add), @r#"
    -; no newline
    +; no newline
    +_dmarc→IN→TXT→"x"
    "#);
    insta::assert_snapshot!(edited("$TTL 60\r\na\tA 192.0.2.1", &add), @r#"
    -a→A 192.0.2.1
    +a→A 192.0.2.1␍
    +_dmarc→TXT "x"␍
    "#);
    insta::assert_snapshot!(edited("$ORIGIN other.example.com.\na A ( 192.0.2.1\n)\n$ORIGIN com.\n$TTL 5\n", &add), @r#"+_dmarc.example TXT "x""#);
    insta::assert_snapshot!(edited("a TXT a ( b\n ; c )\n c ) ; d\n( b\n TXT ( e ) f )\n", &[
        change("a", RecordType::TXT, &["a b c"], &["\"new text\""]),
        change("b", RecordType::TXT, &["e f"], &["g"]),
    ]), @r#"
    -a TXT a ( b
    - ; c )
    - c ) ; d
    +a TXT "new text" ; d
    - TXT ( e ) f )
    + TXT ( "g" ) )
    "#);
    insta::assert_snapshot!(edited("@ SOA \\# 22 0000 ( fffffffF 00000001 00000001\n 00000001 00000001 )\na A 192.0.2.1\n", &[
        change("a", RecordType::A, &["192.0.2.1"], &[]),
    ]), @r#"
    -@ SOA \# 22 0000 ( fffffffF 00000001 00000001
    - 00000001 00000001 )
    -a A 192.0.2.1
    +@ SOA \# 22 00000000000000000001000000010000000100000001
    "#);
}

#[test]
fn texts_of_more_than_255_octets() {
    let long = Rdata::Txt(Txt::from_text("v=DKIM1; p=".to_owned() + &"A".repeat(400)));
    let set = RRset::new(name("k._domainkey.example.com"), RecordType::TXT, None, vec![long.into()]);
    let text = zone(BIND_STYLE).edit(&[SetChange::between(None, Some(&set)).unwrap()], TODAY).unwrap();
    let again = ZoneFile::parse(&text, &name("example.com")).unwrap();
    assert_eq!(again.records().last().unwrap().rdata.as_txt().unwrap().strings().len(), 2);
}

#[test]
fn serials() {
    let serial = |before: &str, today| {
        let text = format!("@ SOA ns host {before} 2 3 4 5\na A 192.0.2.1\n");
        let text = zone(&text).edit(&[change("a", RecordType::A, &["192.0.2.1"], &[])], today).unwrap();
        String::from_utf8(text).unwrap().split(' ').nth(4).unwrap().to_owned()
    };
    assert_eq!(serial("2026112007", TODAY), "2026112100");
    assert_eq!(serial("2026112107", TODAY), "2026112108");
    assert_eq!(serial("000009", TODAY), "000010");
    assert_eq!(serial("4294967295", TODAY), "0000000000");
}

#[test]
fn refusals() {
    let file = zone(BIND_STYLE);
    let refuse = |changes: &[SetChange]| file.edit(changes, TODAY).unwrap_err().to_string();
    insta::assert_snapshot!(refuse(&[change("www", RecordType::A, &["192.0.2.1"], &[])]), @"www.example.com. A has no record `192.0.2.1`");
    insta::assert_snapshot!(refuse(&[change("www.", RecordType::A, &[], &["192.0.2.1"])]), @"www. A cannot hold `192.0.2.1`");
    let twice = change("www", RecordType::A, &[], &["192.0.2.1"]);
    insta::assert_snapshot!(refuse(&[twice.clone(), twice]), @"two changes of www.example.com. A");
    assert_eq!(file.edit(&[change("@", RecordType::SOA, &[], &["a. b. 1 2 3 4 5"])], TODAY), Err(EditError::Soa));
    insta::assert_snapshot!(refuse(&[change("x", RecordType::LOC, &[], &["1 2 ; 3"])]), @"the changed zone file would not hold the records wanted: `x.example.com. 3600 1 2` where `x.example.com. 3600 1 2 ; 3` should be");
}

#[test]
fn no_effect_gives_the_same_text() {
    let mut same = change("www", RecordType::A, &[], &["192.0.2.80"]);
    (same.ttl, same.retime) = (Ttl::from_secs(300), true);
    let both = change("mail", RecordType::A, &["192.0.2.25"], &["192.0.2.25"]);
    assert_eq!(edited(BIND_STYLE, &[same, both]), "");
    let sets = zone(BIND_STYLE).rrsets();
    assert_eq!(SetChange::between(sets.first(), sets.first()), None);
    assert_eq!(SetChange::between(None, None), None);
}

// Generated zones.

#[derive(Debug, Clone)]
struct Line {
    owner: Option<&'static str>,
    ttl: Option<u32>,
    class: Option<bool>,
    gap: &'static str,
    data: (&'static str, &'static str),
    end: &'static str,
}

fn line() -> impl Strategy<Value = String> {
    let owner = prop_oneof![
        3 => Just(None),
        3 => prop_oneof![Just("@"), Just("a"), Just("b"), Just("A"), Just("c.example.com."), Just("x\\.y")].prop_map(Some),
    ];
    let gap = prop_oneof![Just(" "), Just("\t"), Just("    "), Just("\t\t"), Just(" \t ")];
    let data = prop_oneof![
        Just(("A", "192.0.2.1")),
        Just(("A", "192.0.2.2")),
        Just(("a", "( 192.0.2.3 )")),
        Just(("A", "(192.0.2.1\n)")),
        Just(("TXT", "\"v=spf1 -all\"")),
        Just(("TXT", "x y")),
        Just(("TXT", "(\n \"a;\" ; c )\n  \"b\"\n )")),
        Just(("txt", "a ( b\n\tc\n) d")),
        Just(("TXT", "\"caf\u{e9}\"")),
        Just(("MX", "10 a")),
        Just(("MX", "10 m.net.")),
        Just(("CNAME", "@")),
        Just(("NS", "b")),
        Just(("TYPE999", "\\# 1 00")),
        Just(("LOC", "1 N 2 E  3m")),
        Just(("CAA", "0 issue \";\"")),
    ];
    let end = prop_oneof![3 => Just(""), 1 => Just("  "), 1 => Just(" ; note"), 1 => Just(";(\"")];
    let class = prop_oneof![Just(None), any::<bool>().prop_map(Some)];
    (owner, prop::option::weighted(0.3, 1u32..5), class, gap, data, end).prop_map(
        |(owner, ttl, class, gap, data, end)| {
            let line = Line { owner, ttl, class, gap, data, end };
            let ttl = line.ttl.map(|ttl| format!("{ttl}{}", line.gap)).unwrap_or_default();
            let class_first = line.class == Some(true);
            let class = line.class.map(|_| format!("IN{}", line.gap)).unwrap_or_default();
            let (first, second) = if class_first { (class, ttl) } else { (ttl, class) };
            let (rtype, data) = line.data;
            format!("{}{}{first}{second}{rtype}{}{data}{}\n", line.owner.unwrap_or(""), line.gap, line.gap, line.end)
        },
    )
}

fn zone_text() -> impl Strategy<Value = String> {
    let other = prop_oneof![
        Just("\n".to_owned()),
        Just("; comment (\n".to_owned()),
        Just("   ;\n".to_owned()),
        Just("$TTL 7 ; x\n".to_owned()),
        Just("$ORIGIN sub.example.com.\n".to_owned()),
        Just("$ORIGIN example.com.\n".to_owned()),
        Just("$ORIGIN com.\nexample A 192.0.2.9\n$ORIGIN example.com.\n".to_owned()),
        Just("$ttl 3\n".to_owned()),
    ];
    let head = prop_oneof![
        Just("@ SOA ns host 1 2 3 4 5\n"),
        Just("$TTL 2\n@ 9 IN SOA ns host (\n 2026112099 ; serial\n 2 3 4 5 )\n"),
        Just("a A 192.0.2.7\n"),
        Just("$TTL 1h\n@ IN\tSOA\tns host 7 2 3 4 5 ; x\n"),
    ];
    (head, vec(prop_oneof![5 => line(), 1 => other], 0..14), any::<bool>(), any::<bool>()).prop_map(
        |(head, lines, carriage_returns, newline_at_end)| {
            let mut text = head.to_owned() + &lines.concat();
            if !newline_at_end {
                text.pop();
            }
            if carriage_returns { text.replace('\n', "\r\n") } else { text }
        },
    )
}

#[derive(Debug, Clone)]
struct Wish {
    set: Index,
    keep: [bool; 4],
    new: Vec<u8>,
    ttl: Option<u32>,
    new_name: Option<&'static str>,
}

fn wish() -> impl Strategy<Value = Wish> {
    let names = prop_oneof![Just("a"), Just("new"), Just("deep.sub"), Just("@"), Just("q\\.q")];
    (
        any::<Index>(),
        any::<[bool; 4]>(),
        vec(any::<u8>(), 0..3),
        prop::option::weighted(0.3, 1u32..9),
        prop::option::weighted(0.3, names),
    )
        .prop_map(|(set, keep, new, ttl, new_name)| Wish { set, keep, new, ttl, new_name })
}

/// Before and after of the sets that the wishes change.
fn wanted(file: &ZoneFile, wishes: &[Wish]) -> Vec<(Option<RRset>, Option<RRset>)> {
    let sets = file.rrsets();
    let mut pairs: Vec<(Option<RRset>, Option<RRset>)> = Vec::new();
    for wish in wishes {
        let before = match wish.new_name {
            Some(new) => {
                let name = Name::parse_in(new, Some(file.zone())).unwrap();
                sets.iter().find(|s| s.name == name && s.rtype == RecordType::TXT).cloned().ok_or(name)
            }
            None => Ok(wish.set.get(&sets).clone()),
        };
        let (name, rtype) = match &before {
            Ok(set) => (set.name.clone(), set.rtype),
            Err(name) => (name.clone(), RecordType::TXT),
        };
        let repeated = pairs.iter().any(|(b, a)| b.iter().chain(a).any(|s| s.name == name && s.rtype == rtype));
        if rtype == RecordType::SOA || repeated {
            continue;
        }
        let before = before.ok();
        let mut after = before.clone().unwrap_or_else(|| RRset::new(name, rtype, None, Vec::new()));
        let mut keep = wish.keep.iter().cycle();
        after.values.retain(|_| *keep.next().unwrap());
        for n in &wish.new {
            let data = match rtype {
                RecordType::A => Rdata::A([198, 51, 100, *n].into()),
                RecordType::TXT => Rdata::Txt(Txt::from_text("n".repeat(usize::from(*n) * 2))),
                _ => Rdata::from_wire(rtype, &[0, *n, 1, b'z', 0]),
            };
            if after.values.iter().all(|v| v.rdata != data) {
                after.values.push(Value::from(data));
            }
        }
        after.ttl = wish.ttl.and_then(Ttl::from_secs).or(after.ttl);
        let after = (!after.values.is_empty()).then_some(after);
        pairs.push((before, after));
    }
    pairs
}

fn raw<'f>(file: &'f ZoneFile, record: &Record) -> &'f str {
    std::str::from_utf8(&file.text()[record.span()]).unwrap()
}

/// All octets that belong to no record.
fn gaps(file: &ZoneFile) -> String {
    let mut at = 0;
    let mut text = Vec::new();
    for record in file.records() {
        text.extend_from_slice(&file.text()[at..record.span().start]);
        at = record.span().end;
    }
    text.extend_from_slice(&file.text()[at..]);
    String::from_utf8(text).unwrap()
}

fn check(file: &ZoneFile, pairs: &[(Option<RRset>, Option<RRset>)]) -> Result<(), TestCaseError> {
    let changes: Vec<SetChange> =
        pairs.iter().filter_map(|(b, a)| SetChange::between(b.as_ref(), a.as_ref())).collect();
    let text = match file.edit(&changes, TODAY) {
        Err(EditError::AmbiguousTtl { .. }) if file.ambiguous_ttl().is_some() => return Ok(()),
        result => result.map_err(|e| TestCaseError::fail(e.to_string()))?,
    };
    if changes.is_empty() {
        prop_assert_eq!(&text, file.text());
    }
    let new = ZoneFile::parse(&text, file.zone()).unwrap();

    // The zone is what was wanted, and no other set has changed.
    let mut expected: Vec<RRset> = file.rrsets();
    for (before, after) in pairs {
        let key = before.as_ref().or(after.as_ref()).map(RRset::key);
        expected.retain(|s| Some(s.key()) != key);
        expected.extend(after.clone());
    }
    let sets = new.rrsets();
    prop_assert_eq!(sets.len(), expected.len());
    for set in sets.iter().filter(|s| s.rtype != RecordType::SOA) {
        let same = |e: &&RRset| e.same_data(set) && (e.ttl.is_none() || e.ttl == set.ttl);
        // Sets with different TTLs may begin with another record than before.
        let mixed = file.ttl_conflicts().contains(&set.key());
        prop_assert!(expected.iter().any(|e| same(&e) || (mixed && e.same_data(set))), "{:?} {:?}", set, expected);
    }

    // One record written twice cannot be told apart below.
    let twice = |(i, r): (usize, &Record)| file.records()[..i].iter().any(|o| o.owner == r.owner && o.rdata == r.rdata);
    if file.records().iter().enumerate().any(twice) {
        return Ok(());
    }

    // What stays stays as it is: an owner or a TTL may be written in, once for each line that changed.
    let concerned = |r: &Record, list: fn(&SetChange) -> &Vec<Rdata>| {
        changes.iter().any(|c| {
            c.name == r.owner
                && c.rtype == r.rdata.rtype()
                && (list(c).contains(&r.rdata) || (c.retime && c.ttl != Some(r.ttl)))
        }) || r.rdata.rtype() == RecordType::SOA
    };
    let stays: Vec<_> = file.records().iter().filter(|r| !concerned(r, |c| &c.remove)).collect();
    let budget = file.records().len() - stays.len() + changes.iter().map(|c| c.add.len()).sum::<usize>();
    let mut touched = 0;
    let mut rest = new.records().iter();
    for old in &stays {
        let Some(now) = rest.find(|n| n.owner == old.owner && n.rdata == old.rdata && n.ttl == old.ttl) else {
            return Err(TestCaseError::fail(format!("lost {old:?}")));
        };
        let (before, after) = (raw(file, old), raw(&new, now));
        if before != after && before != after.trim_end_matches(['\r', '\n']) {
            touched += 1;
            prop_assert!(before.starts_with([' ', '\t']) || !old.ttl_explicit, "{:?} {:?}", before, after);
            let kept = |text: &str| {
                text.trim_end_matches(['\r', '\n']).rsplit_once(char::is_whitespace).map(|t| t.1.to_owned())
            };
            prop_assert_eq!(kept(before), kept(after));
            prop_assert!(after.len() <= before.len() + 40);
        }
    }
    // Below records of one set with different TTLs, BIND and RFC 1035 differ for more than one line.
    if new.ttl_conflicts().is_empty() {
        prop_assert!(touched <= 2 * budget, "{} lines touched for {} changes", touched, budget);
    }
    let newline_added = |text: String| text.trim_end_matches(['\r', '\n']).to_owned();
    prop_assert_eq!(newline_added(gaps(&new)), newline_added(gaps(file)));
    match (file.soa(), new.soa()) {
        (Some(old), Some(now)) => prop_assert_eq!(old.serial != now.serial, text != file.text()),
        (old, now) => prop_assert_eq!(old, now),
    }
    Ok(())
}

proptest! {
    #[test]
    fn only_what_changes_changes(text in zone_text(), wishes in vec(wish(), 0..4)) {
        let file = ZoneFile::parse(text.as_bytes(), &name("example.com"));
        let Ok(file) = file else { return Err(TestCaseError::reject("no zone file")) };
        check(&file, &wanted(&file, &wishes))?;
    }

    #[test]
    fn the_difference_of_two_zones_turns_one_into_the_other(a in zone_text(), b in zone_text()) {
        let zone = name("example.com");
        let (a, b) = (ZoneFile::parse(a.as_bytes(), &zone), ZoneFile::parse(b.as_bytes(), &zone));
        let (Ok(a), Ok(b)) = (a, b) else { return Err(TestCaseError::reject("no zone file")) };
        let (before, after) = (a.rrsets(), b.rrsets());
        let find = |sets: &[RRset], set: &RRset| sets.iter().find(|s| s.key() == set.key()).cloned();
        let new = after.iter().filter(|s| find(&before, s).is_none()).map(|s| (None, Some(s.clone())));
        let pairs: Vec<_> = before
            .iter()
            .map(|s| (Some(s.clone()), find(&after, s)))
            .chain(new)
            .filter(|(x, y)| x.iter().chain(y).all(|s| s.rtype != RecordType::SOA))
            .collect();
        check(&a, &pairs)?;
    }

    #[test]
    fn fixtures_change_like_any_zone(which in any::<Index>(), wishes in vec(wish(), 1..4)) {
        let files = zone_files();
        let (_, text) = which.get(&files);
        let file = ZoneFile::parse(text, &zone_of(text)).unwrap();
        let before = lines(&file);
        check(&file, &wanted(&file, &wishes))?;
        prop_assert_eq!(lines(&file), before);
    }
}
