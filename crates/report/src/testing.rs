//! Documents for tests.

use mailzone_mailauth::{Effect, Finding, Severity};
use mailzone_plan::Document;
use mailzone_plan::document::{
    ChangeDoc, DetailDoc, ErrorDoc, Exit, SetDoc, SideEffectDoc, Summary, UnmanagedDoc, ZoneDoc,
};
use proptest::prelude::*;

/// A plan; create, update and delete are counted.
pub(crate) fn document(zones: Vec<ZoneDoc>) -> Document {
    let changes = || zones.iter().flat_map(|zone| &zone.changes);
    let of = |action: &str| changes().filter(|change| change.action == action).count() as u64;
    let summary = Summary {
        create: of("create"),
        update: of("update"),
        delete: of("delete"),
        unmanaged: zones.iter().map(|zone| zone.unmanaged.len() as u64).sum(),
        ..Summary::default()
    };
    Document {
        format_version: 1,
        tool_version: "0.1.0".into(),
        created: "2026-01-02T03:04:05Z".into(),
        zones,
        findings: Vec::new(),
        summary,
        exit: Exit::default(),
        normalize: false,
        digest: None,
    }
}

pub(crate) fn zone(name: &str, changes: Vec<ChangeDoc>) -> ZoneDoc {
    ZoneDoc {
        zone: Some(name.into()),
        zone_id: Some(name.into()),
        domains: vec![name.into()],
        provider: "files".into(),
        source: "provider".into(),
        config_digest: String::new(),
        fingerprint: String::new(),
        error: None,
        changes,
        findings: Vec::new(),
        unmanaged: Vec::new(),
        allowed: Vec::new(),
        expected_visible: 120,
        side_effects: Vec::new(),
    }
}

/// `sign` is `+`, `~` or `-`; `id` is owner name and type; details are `(term, before, after)`, empty for none.
pub(crate) fn change(sign: &str, id: &str, details: &[(&str, &str, &str)]) -> ChangeDoc {
    let (name, rtype) = id.split_once(' ').unwrap();
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let set = |value: &str| Some(SetDoc { ttl: Some(3600), values: vec![value.to_owned()] });
    ChangeDoc {
        id: id.into(),
        action: match sign {
            "+" => "create",
            "-" => "delete",
            _ => "update",
        }
        .into(),
        name: name.into(),
        rtype: rtype.into(),
        slots: Vec::new(),
        stage: 1,
        needs: Vec::new(),
        before: if sign == "+" { None } else { set("\"old\"") },
        after: if sign == "-" { None } else { set("\"new\"") },
        kept: Vec::new(),
        class: "neutral".into(),
        details: details
            .iter()
            .map(|&(term, before, after)| DetailDoc { term: term.into(), before: some(before), after: some(after) })
            .collect(),
        reason: String::new(),
        outcome: None,
        note: None,
    }
}

/// With the slot and the class.
pub(crate) fn of(slot: &str, class: &str, change: ChangeDoc) -> ChangeDoc {
    ChangeDoc { slots: vec![slot.into()], class: class.to_owned().into(), ..change }
}

pub(crate) fn warning(code: &str, subject: &str, message: &str, remedy: &str) -> Finding {
    Finding::new(code, Severity::Warning, subject, message, remedy, "RFC 9989 section 4.7")
}

pub(crate) fn info(code: &str, subject: &str, message: &str) -> Finding {
    Finding::new(code, Severity::Info, subject, message, "", "")
}

pub(crate) fn guard(code: &str, subject: &str, message: &str) -> Finding {
    let remedy = format!("if this is meant: --allow {code}:{}", subject.trim_end_matches('.'));
    Finding { remedy, effect: Effect::Caused, ..Finding::guard(code, subject, message, "RFC 7208 section 5") }
}

pub(crate) fn refusal(message: &str, remedy: &str) -> ErrorDoc {
    ErrorDoc { kind: "refused".into(), message: message.into(), remedy: remedy.into() }
}

pub(crate) fn unmanaged(name: &str, slot: &str, removal: &str) -> UnmanagedDoc {
    UnmanagedDoc {
        name: name.into(),
        rtype: "TXT".into(),
        domain: String::new(),
        slot: slot.into(),
        removal: removal.into(),
        formerly: false,
    }
}

/// A zone in which everything needs explaining.
pub(crate) fn messy() -> ZoneDoc {
    let spf = ChangeDoc {
        kept: vec!["\"google-site-verification=abc\"".into(), "\"ms=123\"".into()],
        before: Some(SetDoc {
            ttl: Some(3600),
            values: vec![
                "\"google-site-verification=abc\"".into(),
                "\"ms=123\"".into(),
                "\"v=spf1 include:_spf.old.example ~all\"".into(),
            ],
        }),
        after: Some(SetDoc {
            ttl: Some(3600),
            values: vec![
                "\"google-site-verification=abc\"".into(),
                "\"ms=123\"".into(),
                "\"v=spf1 ip4:192.0.2.0/24 -all\"".into(),
            ],
        }),
        ..change(
            "~",
            "example.com. TXT",
            &[("include", "include:_spf.old.example", ""), ("all", "~all", "-all"), ("ip4", "", "ip4:192.0.2.0/24")],
        )
    };
    let dkim = change("+", "s2026._domainkey.example.com. TXT", &[("key", "", "RSA 2048 bits, SHA256:ab12cd34ef56")]);
    let mut zone = zone("example.com", vec![of("spf", "mixed", spf), of("dkim.s2026", "neutral", dkim)]);
    zone.findings = vec![
        Finding {
            effect: Effect::Cured,
            ..warning("SPF-07", "example.com.", "the record ends in softfail", "use -all")
        },
        warning("DMARC-09", "_dmarc.example.com.", "`rua` is missing: nobody reports", "add rua to dmarc"),
        info("UNCHECKED", "_spf.old.example.", "the include was not looked up"),
    ];
    zone.unmanaged = vec![unmanaged(
        "default._domainkey.example.com.",
        "dkim.default",
        "[domains.\"example.com\".dkim] default = \"absent\"",
    )];
    zone
}

/// Parked domains, alike but for the name; the messages of their findings differ.
pub(crate) fn parked(count: usize) -> Document {
    let zones = (0..count).map(|at| {
        let name = format!("parked{at}.example");
        let mx = of("mx", "tightens", change("+", &format!("{name}. MX"), &[("exchange", "", "null MX")]));
        let spf = of("spf", "tightens", change("+", &format!("{name}. TXT"), &[("all", "", "-all")]));
        let dmarc = of("dmarc", "tightens", change("+", &format!("_dmarc.{name}. TXT"), &[("p", "", "reject")]));
        let dmarc = ChangeDoc { stage: 2, needs: vec![format!("{name}. TXT")], ..dmarc };
        let mut zone = zone(&name, vec![mx, spf, dmarc]);
        zone.findings.push(warning("CAA-01", &format!("{name}."), &format!("nothing is said of {name}"), "add caa"));
        zone.findings.push(warning("PTR-04", &format!("{name}."), &format!("its name is h{at}.isp.example"), "ask"));
        zone.findings.push(info("UNCHECKED", "", "not looked up"));
        zone.unmanaged.push(unmanaged(&format!("k{at}._domainkey.{name}."), &format!("dkim.k{at}"), "remove it"));
        zone
    });
    document(zones.collect())
}

/// Text that tries to get out: of a line, a table, a code span, a log.
pub(crate) fn hostile() -> BoxedStrategy<String> {
    let nasty = proptest::sample::select(vec![
        "::error::x",
        "::",
        "\n::stop-commands::",
        "##[error]",
        "#",
        "```",
        "`",
        "|",
        "\n",
        "\r\n",
        "<br>",
        "</details>",
        "<script>",
        "\u{202e}",
        "\u{200b}",
        "\u{2028}",
        "\x1b[31m",
        "\u{9b}",
        "\0",
        "example.com",
        "a0.example",
        " ",
        "\\",
        "\"",
        "**",
        "[x](y)",
        "@someone",
        "(",
        ")",
        "v=spf1 -all",
        "{zone}",
        "\u{1}",
    ]);
    let piece = prop_oneof![4 => nasty.prop_map(str::to_owned), 1 => any::<String>()];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat()).boxed()
}

/// A plan in which every text is hostile.
pub(crate) fn hostile_document() -> impl Strategy<Value = Document> {
    let texts = || proptest::collection::vec(hostile(), 0..3);
    let detail = (hostile(), proptest::option::of(hostile()), proptest::option::of(hostile()))
        .prop_map(|(term, before, after)| DetailDoc { term, before, after });
    let set = || proptest::option::of(texts().prop_map(|values| SetDoc { ttl: None, values }));
    let action = proptest::sample::select(vec!["create", "update", "delete", "\n::x"]);
    let details = proptest::collection::vec(detail, 0..3);
    let change = (action, hostile(), hostile(), texts(), 1..3u32, texts(), (set(), set(), texts(), details), hostile())
        .prop_map(|(action, name, rtype, slots, stage, needs, (before, after, kept, details), class)| ChangeDoc {
            id: String::new(),
            action: action.into(),
            name,
            rtype,
            slots,
            stage,
            needs,
            before,
            after,
            kept,
            outcome: Some(class.clone().into()),
            note: Some(class.clone()),
            class: class.into(),
            details,
            reason: String::new(),
        });
    let severity = proptest::sample::select(vec![Severity::Error, Severity::Warning, Severity::Info]);
    let finding = (hostile(), severity, hostile(), hostile(), hostile(), hostile())
        .prop_map(|(code, severity, subject, message, remedy, reference)| {
            Finding::new(&code, severity, subject, message, remedy, reference)
        })
        .boxed();
    let findings = || proptest::collection::vec(finding.clone(), 0..3);
    let error = proptest::option::of((hostile(), hostile(), hostile()).prop_map(|(kind, message, remedy)| ErrorDoc {
        kind,
        message,
        remedy,
    }));
    let unmanaged =
        proptest::collection::vec((hostile(), hostile(), hostile()).prop_map(|(a, b, c)| unmanaged(&a, &b, &c)), 0..2);
    let effect = (hostile(), hostile(), set(), set(), hostile(), hostile()).prop_map(
        |(name, rtype, before, after, message, remedy)| SideEffectDoc { name, rtype, before, after, message, remedy },
    );
    let effects = proptest::collection::vec(effect, 0..2);
    let one = (
        hostile(),
        any::<bool>(),
        hostile(),
        error,
        proptest::collection::vec(change, 0..3),
        (findings(), findings()),
        unmanaged,
        effects,
    )
        .prop_map(|(name, found, provider, error, changes, (findings, allowed), unmanaged, side_effects)| {
            let base = zone(&name, changes);
            let zone = found.then(|| name.clone());
            ZoneDoc { zone, provider, error, findings, allowed, unmanaged, side_effects, ..base }
        });
    // The same zone several times, so that zones are put together.
    let zones = proptest::collection::vec((one, 1..6usize), 0..3)
        .prop_map(|zones| zones.into_iter().flat_map(|(zone, times)| vec![zone; times]).collect());
    (zones, findings()).prop_map(|(zones, findings)| Document { findings, ..document(zones) })
}
