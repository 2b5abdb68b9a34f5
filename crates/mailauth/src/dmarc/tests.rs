use mailzone_record::Txt;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::kind::Class;
use crate::report_uri::ReportUri;
use crate::txt::tests::{name, rdata};

const VECTORS: &str = include_str!("../../../../tests/fixtures/dmarc/records.json");

fn vectors(key: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    all[key].as_array().unwrap().clone()
}

fn owner() -> Name {
    name("_dmarc.example.com")
}

fn equality(a: &str, b: &str) -> Equality {
    Dmarc.equal(&owner(), &[&rdata(a)], &[&rdata(b)])
}

fn values(texts: &[&str]) -> Vec<Rdata> {
    texts
        .iter()
        .map(|text| if let Some(t) = text.strip_prefix("CNAME ") { Rdata::Cname(name(t)) } else { rdata(text) })
        .collect()
}

/// Class, details and guards of a change, one line each.
fn change(before: &[&str], after: &[&str]) -> String {
    let (before, after) = (values(before), values(after));
    let (before, after): (Vec<_>, Vec<_>) = (before.iter().collect(), after.iter().collect());
    let difference = Dmarc.difference(&owner(), &before, &after);
    let mut lines = vec![format!("{:?}", difference.class)];
    for detail in difference.details {
        let side = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        lines.push(format!("{}: {} -> {}", detail.term, side(detail.before), side(detail.after)));
    }
    for guard in Dmarc.guards(&owner(), &before, &after) {
        lines.push(format!("{}: {}", guard.code, guard.message));
    }
    lines.join("\n")
}

fn codes(owner: &str, texts: &[&str]) -> Vec<String> {
    let values = values(texts);
    Dmarc.lint(&name(owner), &values.iter().collect::<Vec<_>>()).into_iter().map(|finding| finding.code).collect()
}

#[test]
fn readings_of_others_strings() {
    for vector in vectors("parse_opendmarc") {
        let (text, expected) = (vector["record"].as_str().unwrap(), vector["rfc9989_reading"].as_str().unwrap());
        let Ok((record, problems)) = Record::parse_with_problems(text) else {
            assert_eq!(expected, "not a DMARC record", "{text}");
            continue;
        };
        let problem = |tag: &str| problems.iter().any(|p| p.to_string().contains(&format!("`{tag}")));
        match expected {
            "valid" => assert_eq!(record.reading(), Reading::Valid, "{text}"),
            "p invalid, no rua: no DMARC processing" => {
                assert_eq!(record.reading(), Reading::NoDmarc(Fault::InvalidPolicy("p")), "{text}");
            }
            "sp invalid, no rua: no DMARC processing" => {
                assert_eq!(record.reading(), Reading::NoDmarc(Fault::InvalidPolicy("sp")), "{text}");
            }
            "p missing and no rua: no DMARC processing (with a valid rua: p=none)" => {
                assert_eq!(record.reading(), Reading::NoDmarc(Fault::MissingPolicy), "{text}");
                let reported = Record::parse(&format!("{text} rua=mailto:a@example.com")).unwrap();
                assert_eq!(reported.reading(), Reading::Monitoring(Fault::MissingPolicy));
            }
            other => {
                // "adkim falls back to r", "rf ignored", ...
                let tag = other.split(' ').next().unwrap();
                assert_eq!(record.reading(), Reading::Valid, "{text}");
                assert!(problem(tag), "{text}: {problems:?}");
            }
        }
    }
}

#[test]
fn tags_of_others_strings() {
    for vector in vectors("parse_mail_auth") {
        let record = Record::parse(vector["record"].as_str().unwrap()).unwrap();
        let expect = &vector["expect"];
        let texts = |uris: &[ReportUri]| -> Value {
            let pair = |uri: &ReportUri| {
                serde_json::json!([uri.uri, uri.size.as_ref().map_or(0, |size| size.octets.unwrap())])
            };
            uris.iter().map(pair).collect()
        };
        assert_eq!(record.effective_policy().as_str(), expect["p"]);
        assert_eq!(record.effective_subdomain_policy().as_str(), expect["sp"]);
        assert_eq!(record.effective_nonexistent_policy().as_str(), expect["np"]);
        assert_eq!(record.adkim.given().unwrap_or(&Alignment::Relaxed).as_str(), expect["adkim"]);
        assert_eq!(record.aspf.given().unwrap_or(&Alignment::Relaxed).as_str(), expect["aspf"]);
        assert_eq!(record.psd.given().unwrap_or(&Psd::Unknown).as_str(), expect["psd"]);
        assert_eq!(if record.is_testing() { "y" } else { "n" }, expect["t"]);
        let fo: Vec<_> = match record.fo.given() {
            Some(set) => set.iter().map(|option| option.as_str()).collect(),
            None => vec!["0"],
        };
        assert_eq!(serde_json::json!(fo), expect["fo"]);
        assert_eq!(texts(&record.rua), expect["rua"]);
        assert_eq!(texts(&record.ruf), expect["ruf"]);
    }
}

#[test]
fn equality_of_pairs() {
    for vector in vectors("equality") {
        let (a, b) = (vector["a"].as_str().unwrap(), vector["b"].as_str().unwrap());
        let alike = equality(a, b) <= Equality::Equivalent;
        assert_eq!(Value::Bool(alike), vector["equal"], "{a} | {b}: {}", vector["why"]);
        assert_eq!(equality(a, b), equality(b, a));
    }
}

#[test]
fn what_receivers_can_tell_apart_is_not_equal() {
    for (a, b) in [
        ("v=DMARC1; rua=mailto:a@x.example", "v=DMARC1; p=none; rua=mailto:a@x.example"),
        ("v=DMARC1; p=reject; pct=50", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; P=none", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; junk", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; p=none", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=none; rua=mailto:a@x.example!5m", "v=DMARC1; p=none; rua=mailto:a@x.example"),
        ("v=DMARC1; p=none; ruf=mailto:a@x.example; fo=1", "v=DMARC1; p=none; ruf=mailto:a@x.example"),
    ] {
        assert_eq!(equality(a, b), Equality::Different, "{a} | {b}");
        assert_ne!(change(&[a], &[b]).lines().count(), 1, "{a} | {b}: no details");
    }
    assert_eq!(equality("v=DMARC1; p=none; rf=AFRF; ri=86400; x=y", "v=DMARC1;p=none"), Equality::Same);
}

#[test]
fn candidates_and_near_misses() {
    use Recognition::{Candidate, Foreign, NearMiss};
    for (text, expected) in [
        ("v=DMARC1", Candidate),
        ("v = DMARC1 ; p = none", Candidate),
        ("v=DMARC1; nonsense", Candidate),
        ("v=dmarc1; p=none", NearMiss),
        ("V=DMARC1; p=none", NearMiss),
        ("\"v=DMARC1; p=none\"", NearMiss),
        ("\u{201c}v=DMARC1; p=none", NearMiss),
        ("v=DMARC1 p=none", NearMiss),
        ("v=DMARC12", NearMiss),
        ("p=none; v=DMARC1", Foreign),
        ("v=spf1 -all", Foreign),
        ("", Foreign),
    ] {
        assert_eq!(Dmarc.recognise(&rdata(text)), expected, "{text}");
    }
    assert_eq!(Dmarc.recognise(&Rdata::Ns(name("ns.example"))), Foreign);
}

#[test]
fn a_record_prints_in_the_conventional_order() {
    let record = Record {
        sp: Some(Policy::Reject).into(),
        adkim: Some(Alignment::Strict).into(),
        t: Some(true).into(),
        rua: vec![ReportUri::new("mailto:a@example.com"), ReportUri::new("mailto:b@example.com")],
        ..Record::new(Policy::Quarantine)
    };
    let text = "v=DMARC1; p=quarantine; sp=reject; adkim=s; t=y; rua=mailto:a@example.com,mailto:b@example.com";
    assert_eq!(record.to_string(), text);
    assert!(record.is_above_none());
    assert!(Record::parse("v=DMARC1; p=none; np=reject").unwrap().is_above_none());
    assert!(!Record::parse("v=DMARC1; p=reject; sp=bad").unwrap().is_above_none());
}

#[test]
fn changes() {
    let report = "rua=mailto:d@example.com";
    let none = format!("v=DMARC1; p=none; {report}");
    let quarantine = format!("v=DMARC1; p=quarantine; {report}");
    let reject = format!("v=DMARC1; p=reject; {report}");
    let strict = format!("v=DMARC1; p=reject; adkim=s; {report}");
    let testing = format!("v=DMARC1; p=reject; t=y; {report}");
    let cases: [(&[&str], &[&str]); 14] = [
        (&[], &[&none]),
        (&[], &[&quarantine]),
        (&[], &[&reject]),
        (&[&none], &[&quarantine]),
        (&[&none], &[&reject]),
        (&[&reject], &[&none]),
        (&[&reject], &[]),
        (&[&reject], &[&strict]),
        (&[&strict], &[&testing]),
        (&[&none], &["v=DMARC1; p=none"]),
        (&[&quarantine], &["v=DMARC1; p=reject; sp=none; rua=mailto:d@example.com"]),
        (&[&none, &reject], &[&reject]),
        (&["CNAME dmarc.hoster.example"], &[&reject]),
        (&[&reject], &["v=DMARC1; p=rejct; rua=mailto:d@example.com"]),
    ];
    let shown = cases.map(|(before, after)| change(before, after));
    insta::assert_snapshot!(shown.join("\n\n"), @"
    Neutral
    p: - -> none
    rua: - -> mailto:d@example.com

    Tightens
    p: - -> quarantine
    rua: - -> mailto:d@example.com

    Tightens
    p: - -> reject
    rua: - -> mailto:d@example.com
    GUARD-DMARC-JUMP: `p` goes from none to reject in one step: mail that fails unseen is lost at once

    Tightens
    p: none -> quarantine

    Tightens
    p: none -> reject
    GUARD-DMARC-JUMP: `p` goes from none to reject in one step: mail that fails unseen is lost at once

    Loosens
    p: reject -> none
    GUARD-DMARC-DOWN: DMARC is loosened: `p` reject -> none

    Loosens
    p: reject -> -
    rua: mailto:d@example.com -> -
    GUARD-DMARC-DOWN: the DMARC record goes: `p` reject -> none
    GUARD-DMARC-BLIND: the last `rua` goes: nobody reports any more what fails

    Tightens
    adkim: - -> s

    Loosens
    adkim: s -> -
    t: - -> y
    GUARD-DMARC-DOWN: DMARC is loosened: `adkim` s -> r, test mode (`t=y`)

    Breaks
    rua: mailto:d@example.com -> -
    GUARD-DMARC-BLIND: the last `rua` goes: nobody reports any more what fails

    Mixed
    p: quarantine -> reject
    sp: - -> none
    GUARD-DMARC-DOWN: DMARC is loosened: `sp` quarantine -> none, `np` quarantine -> none

    Tightens
    record: v=DMARC1; p=none; rua=mailto:d@example.com -> -
    GUARD-DMARC-JUMP: `p` goes from none to reject in one step: mail that fails unseen is lost at once

    Unknown
    cname: dmarc.hoster.example. -> -
    record: - -> v=DMARC1; p=reject; rua=mailto:d@example.com

    Breaks
    p: reject -> rejct
    GUARD-DMARC-DOWN: DMARC is loosened: `p` reject -> none
    ");
}

#[test]
fn unchanged_values_trip_nothing() {
    let values = values(&["v=DMARC1; p=reject; t=y; pct=3", "CNAME x.example"]);
    for value in &values {
        assert_eq!(Dmarc.guards(&owner(), &[value], &[value]), []);
        assert_eq!(Dmarc.difference(&owner(), &[value], &[value]), Difference::NONE);
    }
    assert_eq!(Dmarc.guards(&owner(), &[], &[]), []);
    assert_eq!(change(&["v=DMARC1;p=none"], &["v=DMARC1; p=none"]), "Cosmetic");
}

#[test]
fn lints() {
    let at = "_dmarc.example.com";
    for (texts, expected) in [
        (&["v=DMARC1; p=reject; rua=mailto:a@example.com"][..], &[][..]),
        (&["v=DMARC1; p=none", "v=DMARC1; p=none; rua=mailto:a@example.com"], &["DMARC-06", "DMARC-01"]),
        (&["p=none; v=DMARC1"], &["DMARC-02"]),
        (&["v=dmarc1; p=none"], &["DMARC-02"]),
        (&["v=DMARC1; p=nope; rua=mailto:a@example.com"], &["DMARC-03"]),
        (&["v=DMARC1; rua=mailto:a@example.com"], &["DMARC-04"]),
        (&["v=DMARC1; rua=mailto:a@example.com; p=none"], &["DMARC-05"]),
        (&["v=DMARC1; p=none; rua=a@example.com"], &["DMARC-08"]),
        (&["v=DMARC1; p=none; rua=mailto:a@example.com mailto:b@example.com"], &["DMARC-08"]),
        (&["v=DMARC1; p=reject; sp=none; rua=mailto:a@example.com"], &["DMARC-10"]),
        (&["v=DMARC1; p=none; pct=5; rua=mailto:a@example.com!5m"], &["DMARC-12", "DMARC-12"]),
        (&["v=DMARC1; p=reject; t=y; rua=mailto:a@example.com"], &["DMARC-13"]),
        (&["v=DMARC1; p=none; psd=y; rua=mailto:a@example.com"], &["DMARC-14"]),
        (&["v=DMARC1; p=none; fo=0:1; rua=mailto:a@example.com"], &["DMARC-16", "DMARC-16"]),
        (&["v=DMARC1; p=none; ruf=mailto:a@example.com; rua=mailto:a@example.com"], &["DMARC-17"]),
        (&["v=DMARC1; p=none; rau=x; rua=mailto:a@example.com"], &["DMARC-20"]),
        (&["v=DMARC1; p=none; P=none; rua=mailto:a@example.com"], &["DMARC-20"]),
        (&["v=DMARC1; p=none; rua=mailto:a@x.example,mailto:b@x.example,mailto:c@x.example"], &["DMARC-22"]),
        (&["CNAME x.example"], &[]),
        (&["CNAME dmarc.IONOS.de"], &["DMARC-24"]),
        (&["other"], &[]),
    ] {
        assert_eq!(codes(at, texts), expected, "{texts:?}");
    }
    assert_eq!(codes("example.com", &["v=DMARC1; p=none; rua=mailto:a@example.com"]), ["DMARC-02"]);
}

/// What people copy from tutorials: each is found, and called by its name.
#[test]
fn mistakes_of_tutorials() {
    let said = |text: &str| {
        let found = Dmarc.lint(&owner(), &[&rdata(text)]);
        found.into_iter().map(|f| format!("{} {} [{}]\n", f.code, f.message, f.remedy)).collect::<String>()
    };
    insta::assert_snapshot!([said("\u{201e}v=DMARC1; p=reject\u{201c}"), said("v=DMARC1")].concat(), @r#"
    DMARC-02 the quotes of a word processor (`„`) are a part of the record [put the whole text into plain quotes (`"`)]
    DMARC-04 nothing follows `v=DMARC1`: a zone file takes what stands behind a `;` without quotes for a comment [put the whole text into plain quotes (`"`)]
    DMARC-06 no `rua`: nobody reports what fails [add `rua=mailto:…`]
    "#);
}

#[test]
fn messages() {
    let text = "v=DMARC1; sp=bad; p=none; adkim=x; junk; rua=me@example.com,mailto:a@b.example c; RUF=x; rau=y; ri=5; fo=0:1; ruf=";
    let (_, problems) = Record::parse_with_problems(text).unwrap();
    let shown: Vec<_> = problems
        .iter()
        .map(|p| format!("{} {:?} {}\n    {p}", p.code(), p.severity(), &text[p.span.clone()]))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    DMARC-20 Warning junk
        `junk` has no `=`
    DMARC-03 Error sp=bad
        `sp=bad` is no policy: with it the record protects nothing
    DMARC-05 Warning p=none
        `p` is not the second tag: old receivers may drop the record
    DMARC-20 Warning adkim=x
        `adkim=x` is not valid: receivers take `adkim=r`
    DMARC-08 Error me@example.com
        `rua`: `me@example.com` has no scheme: write `mailto:me@example.com`
    DMARC-08 Error mailto:a@b.example c
        `rua`: `mailto:a@b.example c` has a blank inside: addresses are separated by commas
    DMARC-20 Warning RUF=x
        tag `RUF` is known in lower case only: many receivers ignore it
    DMARC-20 Warning rau=y
        unknown tag `rau`: receivers ignore it
    DMARC-12 Warning ri=5
        `ri` was removed in RFC 9989
    DMARC-08 Error ruf=
        `ruf` has no address
    DMARC-16 Warning fo=0:1
        `fo` has `0` and `1`, which exclude each other
    DMARC-16 Warning fo=0:1
        `fo` is read only together with `ruf`
    ");
    let not = ["", "p=none; v=DMARC1", "v=dmarc1", "v=spf1"].map(|text| Record::parse(text).unwrap_err().to_string());
    insta::assert_snapshot!(not.join("\n"), @"
    empty: a DMARC record begins with `v=DMARC1`
    `v=DMARC1` must come first, or receivers ignore the record
    the version must be exactly `v=DMARC1` and end in `;`, or receivers ignore the record
    no DMARC record: it must begin with `v=DMARC1;`
    ");
}

#[test]
fn descriptions_and_slots() {
    let shown = |text: &str| Dmarc.describe(&rdata(text));
    assert_eq!(shown("v=DMARC1; p=reject; sp=none; t=y"), "p=reject sp=none, test mode, no reports");
    assert_eq!(shown("v=DMARC1; p=rejct"), "no DMARC: `p` is not valid");
    assert_eq!(shown("v=DMARC1; rua=mailto:a@example.com"), "as p=none: `p` is missing");
    assert_eq!(Dmarc.describe(&Rdata::Cname(name("x.example"))), "CNAME to x.example.");
    let record = rdata("v=DMARC1; p=none");
    let slot = Dmarc.slot_at(&owner(), RecordType::TXT, &[&record]).unwrap();
    assert_eq!(slot, LiveSlot { domain: name("example.com"), key: None });
    assert_eq!(Dmarc.slot_at(&name("example.com"), RecordType::TXT, &[&record]), None);
    assert_eq!(Dmarc.slot_at(&owner(), RecordType::TXT, &[&rdata("other")]), None);
}

#[test]
fn report_hosts_other_than_the_domain() {
    let record = Record::parse("v=DMARC1; p=none; rua=mailto:a@Example.com,mailto:b@r.example; ruf=mailto:c@R.example");
    let record = record.unwrap();
    assert_eq!(record.external_hosts(&owner()), [name("r.example")]);
    assert_eq!(record.external_hosts(&name("example.com")), [name("r.example")]);
    assert_eq!(record.external_hosts(&name("other.example")), [name("example.com"), name("r.example")]);
}

fn policies() -> impl Strategy<Value = Field<Policy>> {
    prop::option::of(prop::sample::select(&Policy::ALL[..])).prop_map(Field::from)
}

fn uris() -> impl Strategy<Value = Vec<ReportUri>> {
    prop::collection::vec("mailto:[a-z]{1,3}@[a-z]{1,3}\\.example(![1-9][km]?)?", 0..3)
        .prop_map(|uris| uris.iter().map(|uri| ReportUri::parse(uri)).collect())
}

fn records() -> impl Strategy<Value = Record> {
    let alignment = || prop::option::of(prop::sample::select(&[Alignment::Relaxed, Alignment::Strict][..]));
    let options = [FailureOption::All, FailureOption::Any, FailureOption::Dkim, FailureOption::Spf];
    let fo = prop::option::of(prop::collection::btree_set(prop::sample::select(options.to_vec()), 1..3));
    let psd = prop::option::of(prop::sample::select(&[Psd::Yes, Psd::No, Psd::Unknown][..]));
    let old = (prop::option::of(0..=100u8), prop::option::of("[a-z]{1,4}"), prop::option::of("[0-9]{1,5}"));
    let unknown = prop::collection::btree_map("x[a-z]{0,3}", "[a-z0-9=]{0,4}", 0..2);
    let policies = (policies(), policies(), policies());
    let reports = (uris(), uris(), fo);
    (policies, alignment(), alignment(), any::<Option<bool>>(), psd, reports, old, unknown).prop_map(
        |((p, sp, np), adkim, aspf, t, psd, (rua, ruf, fo), (pct, rf, ri), unknown)| Record {
            p,
            sp,
            np,
            adkim: adkim.into(),
            aspf: aspf.into(),
            t: t.into(),
            psd: psd.into(),
            fo: fo.into(),
            rua,
            ruf,
            pct: pct.into(),
            rf,
            ri,
            unknown: unknown.into_iter().collect(),
            repeated: Vec::new(),
        },
    )
}

proptest! {
    #[test]
    fn printing_and_reading_are_inverse(record in records()) {
        prop_assert_eq!(Record::parse(&record.to_string()).unwrap(), record);
    }

    #[test]
    fn spacing_order_and_chunks_do_not_matter(
        (record, order) in records().prop_flat_map(|r| { let tags = r.tags()[1..].to_vec(); (Just(r), Just(tags).prop_shuffle()) }),
        blanks in prop::collection::vec("[ \t]{0,2}", 4),
        cut in 1..30usize,
    ) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| blanks[i].as_str());
        let mut text = format!("v{a}={b}DMARC1{c};");
        for (tag, value) in order {
            text.push_str(&format!("{d}{tag}{a}={b}{value}{c};"));
        }
        let strings = text.as_bytes().chunks(cut).map(Box::from).collect();
        let (printed, other) = (rdata(&record.to_string()), Rdata::Txt(Txt::from_strings(strings).unwrap()));
        prop_assert!(Dmarc.equal(&owner(), &[&printed], &[&other]) <= Equality::Same, "{}", text);
        let difference = Dmarc.difference(&owner(), &[&printed], &[&other]);
        prop_assert_eq!(difference.details, vec![]);
        prop_assert_eq!(Dmarc.guards(&owner(), &[&printed], &[&other]), vec![]);
    }

    #[test]
    fn differences_are_shown(a in records(), b in records()) {
        let (x, y) = (rdata(&a.to_string()), rdata(&b.to_string()));
        let equality = Dmarc.equal(&owner(), &[&x], &[&y]);
        prop_assert_eq!(equality, Dmarc.equal(&owner(), &[&y], &[&x]));
        let difference = Dmarc.difference(&owner(), &[&x], &[&y]);
        prop_assert_eq!(difference.details.is_empty(), equality != Equality::Different);
        let down = Dmarc.guards(&owner(), &[&x], &[&y]).iter().any(|guard| guard.code == "GUARD-DMARC-DOWN");
        if down {
            prop_assert!(matches!(difference.class, Class::Loosens | Class::Mixed | Class::Breaks | Class::Unknown));
        }
    }

    #[test]
    fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..80), version in any::<bool>()) {
        let mut data = if version { b"v=DMARC1;".to_vec() } else { Vec::new() };
        data.extend(octets);
        let value = Rdata::Txt(Txt::from_text(data));
        Dmarc.recognise(&value);
        Dmarc.describe(&value);
        Dmarc.lint(&owner(), &[&value]);
        Dmarc.guards(&owner(), &[&value], &[]);
        Dmarc.difference(&owner(), &[], &[&value]);
        prop_assert_eq!(Dmarc.equal(&owner(), &[&value], &[&value]), Equality::Identical);
    }
}
