//! What a person sees of a plan.

use insta::assert_snapshot;
use mailzone_plan::document::{ChangeDoc, SetDoc};
use proptest::prelude::*;

use super::*;
use crate::testing::*;
use crate::view::ApplyView;
use crate::{escape, text};

fn show(zones: Vec<ZoneDoc>) -> String {
    plan(&document(zones), &TextOptions::default())
}

#[test]
fn a_messy_zone() {
    assert_snapshot!(show(vec![messy()]), @r#"
    Zone example.com (files): 1 to create, 1 to update
      ~ example.com. TXT  spf, tightens and loosens
          - include:_spf.old.example
          ~ all: ~all -> -all
          + ip4:192.0.2.0/24
          keeps 2 foreign values
      + s2026._domainkey.example.com. TXT  dkim.s2026
          + key: RSA 2048 bits, SHA256:ab12cd34ef56
      warning DMARC-09 at _dmarc.example.com.: `rua` is missing: nobody reports (RFC 9989 section 4.7)
          help: add rua to dmarc
      cures SPF-07 at example.com.: the record ends in softfail (RFC 9989 section 4.7)
      unmanaged: default._domainkey.example.com. TXT  dkim.default
          to remove it: [domains."example.com".dkim] default = "absent"

    Plan: 1 to create, 1 to update, 0 to delete. 0 unchanged, 0 foreign, 1 unmanaged.
    1 note not shown (-v).
    To do this: mailzone apply
    "#);
}

#[test]
fn a_messy_zone_in_full() {
    let options = TextOptions { verbose: true, full: true, hints: false, ..TextOptions::default() };
    assert_snapshot!(plan(&document(vec![messy()]), &options), @r#"
    Zone example.com (files): 1 to create, 1 to update
      ~ example.com. TXT  spf, tightens and loosens
          - include:_spf.old.example
          ~ all: ~all -> -all
          + ip4:192.0.2.0/24
          keeps 2 foreign values
            - 3600 "v=spf1 include:_spf.old.example ~all"
            = 3600 "google-site-verification=abc"
            = 3600 "ms=123"
            + 3600 "v=spf1 ip4:192.0.2.0/24 -all"
      + s2026._domainkey.example.com. TXT  dkim.s2026
          + key: RSA 2048 bits, SHA256:ab12cd34ef56
            + 3600 "new"
      warning DMARC-09 at _dmarc.example.com.: `rua` is missing: nobody reports (RFC 9989 section 4.7)
          help: add rua to dmarc
      cures SPF-07 at example.com.: the record ends in softfail (RFC 9989 section 4.7)
      note UNCHECKED at _spf.old.example.: the include was not looked up
      unmanaged: default._domainkey.example.com. TXT  dkim.default
          to remove it: [domains."example.com".dkim] default = "absent"

    Plan: 1 to create, 1 to update, 0 to delete. 0 unchanged, 0 foreign, 1 unmanaged.
    "#);
}

#[test]
fn two_stages() {
    let spf = of("spf", "tightens", change("+", "example.com. TXT", &[("mx", "", "mx"), ("all", "", "-all")]));
    let dmarc = of("dmarc", "tightens", change("~", "_dmarc.example.com. TXT", &[("p", "none", "quarantine")]));
    let needs = vec!["example.com. TXT".into(), "s2026._domainkey.example.com. TXT".into()];
    assert_snapshot!(show(vec![zone("example.com", vec![spf, ChangeDoc { stage: 2, needs, ..dmarc }])]), @r#"
    Zone example.com (files): 1 to create, 1 to update
      + example.com. TXT  spf, tightens
          + mx
          + -all
      then, once example.com. TXT and s2026._domainkey.example.com. TXT are visible at every
          authoritative server:
      ~ _dmarc.example.com. TXT  dmarc, tightens
          ~ p: none -> quarantine

    Plan: 1 to create, 1 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    To do this: mailzone apply
    "#);
}

#[test]
fn a_guard_stops() {
    let spf = change("~", "example.com. TXT", &[("ip4", "ip4:198.51.100.7", "")]);
    let mut stopped = zone("example.com", vec![of("spf", "tightens", spf)]);
    stopped.findings = vec![
        warning("SPF-07", "example.com.", "the record ends in softfail", "use -all"),
        guard("GUARD-SPF-NET", "example.com.", "SPF no longer authorises 198.51.100.7"),
    ];
    let mut passed = zone("example.net", Vec::new());
    passed.allowed = vec![guard("GUARD-MX", "example.net.", "the last MX goes")];
    assert_snapshot!(show(vec![stopped, passed]), @r#"
    Zone example.com (files): 1 to update
      ~ example.com. TXT  spf, tightens
          - ip4:198.51.100.7
      stopped by GUARD-SPF-NET at example.com.: SPF no longer authorises 198.51.100.7 (RFC 7208 section
          5)
          help: if this is meant: --allow GUARD-SPF-NET:example.com
      warning SPF-07 at example.com.: the record ends in softfail (RFC 9989 section 4.7)
          help: use -all

    Zone example.net (files): no changes
      allowed GUARD-MX at example.net.: the last MX goes

    Plan: 0 to create, 1 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone is stopped by a guard: allow it with the line given there, or change the plan.
    "#);
}

#[test]
fn a_refusal_and_a_domain_without_a_zone() {
    let mut refused = zone("example.com", Vec::new());
    refused.error = Some(refusal(
        "example.com. is a CNAME (host.example.net.): no other record can stand there",
        "remove the CNAME, or move the records to the name it points to",
    ));
    let mut missing = zone("example.org", Vec::new());
    missing.zone = None;
    missing.error = Some(mailzone_plan::document::ErrorDoc {
        kind: "no_zone".into(),
        message: "files holds no zone for example.org".into(),
        remedy: "create example.org.zone, or name the zone".into(),
    });
    assert_snapshot!(show(vec![refused, missing]), @r#"
    Zone example.com (files)
      refused: example.com. is a CNAME (host.example.net.): no other record can stand there
          help: remove the CNAME, or move the records to the name it points to

    Domain example.org (files)
      no zone: files holds no zone for example.org
          help: create example.org.zone, or name the zone

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    2 zones cannot be applied; see the reason above.
    "#);
}

/// Domains whose provider failed.
fn failed(count: usize) -> Vec<ZoneDoc> {
    let failed = |at: usize| {
        let mut domain = zone(&format!("d{at}.example"), Vec::new());
        domain.zone = None;
        domain.provider = "aws".into();
        domain.error = Some(mailzone_plan::document::ErrorDoc {
            kind: "credentials".into(),
            message: "listing the zones: the token of d0.example is not known".into(),
            remedy: "make a new token".into(),
        });
        domain
    };
    (0..count).map(failed).collect()
}

#[test]
fn one_failing_provider_is_said_once() {
    let with = |count| [failed(count), vec![zone("good.example", Vec::new())]].concat();
    assert_snapshot!(show(with(2)), @"
    2 domains (aws): d0.example, d1.example
      error with the credentials: listing the zones: the token of d0.example is not known
          help: make a new token

    Zone good.example: no changes

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    2 zones cannot be applied; see the reason above.
    ");
    assert_snapshot!(show(with(300)), @"
    300 domains (aws): d0.example, d1.example, d2.example, … (--full)
      error with the credentials: listing the zones: the token of d0.example is not known
          help: make a new token

    Zone good.example: no changes

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    300 zones cannot be applied; see the reason above.
    ");
    let full = plan(&document(with(5)), &TextOptions { full: true, ..TextOptions::default() });
    assert_snapshot!(full, @"
    5 domains (aws): d0.example, d1.example, d2.example, d3.example, d4.example
      error with the credentials: listing the zones: the token of d0.example is not known
          help: make a new token

    Zone good.example: no changes

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    5 zones cannot be applied; see the reason above.
    ");
    // Another provider's failure is another one, however alike.
    let mut two = failed(2);
    two[1].provider = "cf".into();
    assert_eq!(show(two).matches("error with the credentials").count(), 2);
}

#[test]
fn a_text_to_be_sent_stands_in_lines_of_its_own() {
    let mut host = zone("example.com", Vec::new());
    (host.zone, host.provider) = (None, String::new());
    host.error = Some(mailzone_plan::document::ErrorDoc {
        kind: "no_zone".into(),
        message: "no configured provider can hold the PTR of 192.0.2.25".into(),
        remedy: "ask for it. The text:\nPlease set the reverse DNS (PTR) as follows:\n192.0.2.25 -> mail.example.com"
            .into(),
    });
    let of_none = ZoneDoc { domains: Vec::new(), ..host.clone() };
    assert!(show(vec![of_none]).starts_with("Without a zone\n  no zone: "));
    assert_snapshot!(show(vec![host]), @"
    Domain example.com
      no zone: no configured provider can hold the PTR of 192.0.2.25
          help: ask for it. The text:
              | Please set the reverse DNS (PTR) as follows:
              | 192.0.2.25 -> mail.example.com

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    1 zone cannot be applied; see the reason above.
    ");
}

#[test]
fn ttl_only() {
    let mx = of("mx", "neutral", change("~", "example.com. MX", &[("ttl", "3600", "300")]));
    let txt = of(
        "dmarc",
        "loosens",
        change("~", "_dmarc.example.com. TXT", &[("p", "reject", "none"), ("ttl", "3600", "300")]),
    );
    assert_snapshot!(show(vec![zone("example.com", vec![mx, txt])]), @r#"
    Zone example.com (files): 2 to update
      ~ _dmarc.example.com. TXT  dmarc, loosens
          ~ p: reject -> none
          ~ ttl 3600 -> 300
      TTL only:
      ~ example.com. MX  ttl 3600 -> 300

    Plan: 0 to create, 2 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    To do this: mailzone apply
    "#);
}

#[test]
fn literal_text_word_by_word() {
    let set = |text: &str| Some(SetDoc { ttl: Some(60), values: vec![format!("\"{text}\"")] });
    let (old, new) = ("a b c d e f g h i j k old m", "a b c d e f g h i j k new m");
    let listed = of("records.www", "unknown", change("~", "www.example.com. TXT", &[("value", old, new)]));
    let listed = ChangeDoc { before: set(old), after: set(new), ..listed };
    let plain = of("records.ftp", "neutral", change("-", "ftp.example.com. A", &[]));
    assert_snapshot!(show(vec![zone("example.com", vec![listed, plain])]), @r#"
    Zone example.com (files): 1 to update, 1 to delete
      ~ www.example.com. TXT  records.www, effect unknown
          ~ value: … i j k [-old-]{+new+} m
      - ftp.example.com. A  records.ftp
          - "old"

    Plan: 0 to create, 1 to update, 1 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    To do this: mailzone apply
    "#);
}

#[test]
fn nothing_to_do() {
    assert_snapshot!(show(vec![zone("example.com", Vec::new())]), @r#"
    Zone example.com: no changes

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    Nothing to do: all is as the configuration says.
    "#);
    let many = (0..9).map(|at| zone(&format!("z{at}.example"), Vec::new())).collect();
    assert_snapshot!(show(many), @r#"
    9 zones without changes: z0.example, z1.example, z2.example and 6 more

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    Nothing to do: all is as the configuration says.
    "#);
    assert_snapshot!(show(Vec::new()), @r#"
    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    Nothing to do: all is as the configuration says.
    "#);
}

#[test]
fn parked_domains_are_shown_once() {
    let text = plan(&parked(5000), &TextOptions::default());
    assert_snapshot!(text, @r#"
    5000 zones (files): parked0.example, parked1.example, parked2.example, …: 3 to create in each
        (--full)
      + {zone}. MX  mx, tightens
          + exchange: null MX
      + {zone}. TXT  spf, tightens
          + -all
      then, once {zone}. TXT is visible at every authoritative server:
      + _dmarc.{zone}. TXT  dmarc, tightens
          + p: reject
      warning CAA-01 at {zone}.: nothing is said of {zone} (RFC 9989 section 4.7)
          help: add caa
      warning PTR-04 at {zone}.: its name is h0.isp.example (RFC 9989 section 4.7)
          help: ask
          so in the first; in the others alike (--full)
      unmanaged: k0._domainkey.{zone}. TXT  dkim.k0
          to remove it: remove it
          so in the first; in the others alike (--full)

    Plan: 15000 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 5000 unmanaged.
    5000 notes not shown (-v).
    To do this: mailzone apply
    "#);
    assert!(text.lines().count() < 60);
}

#[test]
fn parked_domains_are_short_however_the_findings_look() {
    let mut document = parked(5000);
    for (at, zone) in document.zones.iter_mut().enumerate() {
        zone.findings =
            (0..at % 7).map(|n| warning(&format!("X-{}", (at * n) % 41), "", &format!("{at}"), "do")).collect();
        if at % 3 == 0 {
            zone.unmanaged.clear();
        }
        if at == 17 {
            zone.findings.push(guard("GUARD-MX", "parked17.example.", "the last MX goes"));
        }
        if at > 4000 {
            zone.error = Some(refusal(&format!("{at} is in the way"), "remove it"));
        }
    }
    document.zones.iter_mut().skip(100).take(60).for_each(|zone| {
        let code = format!("ONCE-{}", zone.label());
        zone.findings.push(warning(&code, "", "seen once", ""));
    });
    let text = plan(&document, &TextOptions::default());
    assert!(text.lines().count() < 60, "{text}");
    assert!(
        text.contains("GUARD-MX") && text.contains("refused: ") && text.contains("further remarks (--full)"),
        "{text}"
    );
    let full = plan(&document, &TextOptions { full: true, ..TextOptions::default() });
    assert!(full.matches("ONCE-").count() == 60 && full.matches("refused: ").count() == 999);
}

#[test]
fn what_differs_is_shown_apart() {
    let mut document = parked(6);
    let other = change("-", "old.parked3.example. A", &[]);
    document.zones[3].changes.push(other);
    document.zones.iter_mut().for_each(|zone| {
        zone.findings.clear();
        zone.unmanaged.clear();
    });
    assert_snapshot!(plan(&document, &TextOptions::default()), @r#"
    6 zones (files): parked0.example, parked1.example, parked2.example, …: 3 to create in each (--full)
      + {zone}. MX  mx, tightens
          + exchange: null MX
      + {zone}. TXT  spf, tightens
          + -all
      then, once {zone}. TXT is visible at every authoritative server:
      + _dmarc.{zone}. TXT  dmarc, tightens
          + p: reject

    Zone parked3.example (files): 1 to delete
      - old.parked3.example. A
          - "old"

    Plan: 18 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 6 unmanaged.
    To do this: mailzone apply
    "#);
}

#[test]
fn few_of_many_alike_remarks() {
    let mut one = zone("example.com", Vec::new());
    one.findings = (0..7).map(|at| warning("A-01", &format!("h{at}.example.com."), "is old", "")).collect();
    one.findings.push(warning("B-01", "example.com.", "is new", ""));
    let mut document = document(vec![one]);
    document.findings = (0..7).map(|at| warning("C-01", "", &format!("said {at} times"), "say it less")).collect();
    assert_snapshot!(plan(&document, &TextOptions::default()), @r#"
    Zone example.com (files): no changes
      warning A-01 at h0.example.com.: is old (RFC 9989 section 4.7)
      warning A-01 at h1.example.com.: is old (RFC 9989 section 4.7)
      warning A-01 at h2.example.com.: is old (RFC 9989 section 4.7)
      and 4 more of these (--full)
      warning B-01 at example.com.: is new (RFC 9989 section 4.7)

    Of no zone:
      warning C-01: said 0 times (RFC 9989 section 4.7)
          help: say it less
      warning C-01: said 1 times (RFC 9989 section 4.7)
          help: say it less
      warning C-01: said 2 times (RFC 9989 section 4.7)
          help: say it less
      and 4 more C-01 (--full)

    Plan: 0 to create, 0 to update, 0 to delete. 0 unchanged, 0 foreign, 0 unmanaged.
    Nothing to do: all is as the configuration says.
    "#);
}

/// How a line of a plan or of an apply may begin.
const BEGINNINGS: &[&str] = &[
    "|",
    "+ ",
    "- ",
    "~ ",
    "= ",
    "Zone ",
    "Domain ",
    "Without a zone",
    "Plan:",
    "Apply:",
    "TTL only:",
    "Of no zone:",
    "To do this",
    "Nothing to do",
    "help: ",
    "then, once ",
    "once ",
    "keeps ",
    "and ",
    "so in ",
    "stopped by ",
    "to remove it: ",
    "error ",
    "error:",
    "warning ",
    "note ",
    "allowed ",
    "unmanaged: ",
    "unknown ",
    "because: ",
    "side effect",
    "before: ",
    "now: ",
];

fn without_color(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    out + rest
}

proptest! {
    #[test]
    fn data_stays_data(document in hostile_document(), full: bool, verbose: bool, width in 0..120usize) {
        let options = TextOptions { full, verbose, ..TextOptions::default() };
        let view = ApplyView { document: &document, rolled_back: None, journal: None, verification: None, latency: None, unverified: None };
        let show = |options: &TextOptions| plan(&document, options) + &text::apply(&view, options);
        for line in show(&TextOptions { width: 0, ..options.clone() }).lines() {
            let begin = line.trim_start();
            let counted = begin.starts_with(|c: char| c.is_ascii_digit());
            prop_assert!(begin.is_empty() || counted || BEGINNINGS.iter().any(|word| begin.starts_with(word.trim_end())), "{line}");
        }
        let text = show(&TextOptions { width, ..options.clone() });
        prop_assert!(text.chars().all(|c| c == '\n' || escape::is_harmless(c)));
        prop_assert!(!text.contains("##"));
        prop_assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
        let colored = show(&TextOptions { width, color: true, ..options });
        prop_assert_eq!(without_color(&colored), text);
    }
}
