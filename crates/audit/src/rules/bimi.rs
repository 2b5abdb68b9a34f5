//! BIMI (rule book 7).

use mailzone_mailauth::bimi::{Bimi, Record};
use mailzone_mailauth::dmarc::{Discovery, Place, Policy, Reader, discover};
use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{Kind, Recognition, Severity};
use mailzone_record::{Caa, Name, Rdata, RecordType};

use crate::rules::common::text;
use crate::{Document, Failure, Inquiry};

/// The largest logo that receivers take (rule book 7).
const LOGO: usize = 32 * 1024;

/// Issuers of mark certificates: the domain that they have in CAA, and a word of their name that no other has.
const ISSUERS: [(&str, &[u8]); 4] = [
    ("digicert.com", b"DigiCert"),
    ("entrust.net", b"Entrust"),
    ("globalsign.com", b"GlobalSign"),
    ("ssl.com", b"SSL Corp"),
];

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let mut selectors = vec!["default"];
    for selector in &inquiry.subject().bimi_selectors {
        if !selectors.contains(&selector.as_str()) {
            selectors.push(selector);
        }
    }
    let mut shown = false;
    for selector in selectors {
        shown |= one(inquiry, selector);
    }
    if shown {
        enforcing(inquiry);
    }
}

/// Whether a logo is to be shown by this selector.
fn one(inquiry: &mut Inquiry<'_>, selector: &str) -> bool {
    let Ok(owner) = inquiry.domain().prepend(&format!("{selector}._bimi")) else { return false };
    inquiry.topic("");
    let Some(values) = inquiry.records(&owner, RecordType::TXT) else { return false };
    for finding in Bimi.lint(&owner, &values.iter().collect::<Vec<_>>()) {
        inquiry.add(finding);
    }
    let ours: Vec<&Rdata> = values.iter().filter(|value| Bimi.recognise(value) == Recognition::Candidate).collect();
    let subject = owner.to_text_without_dot();
    for value in &ours {
        inquiry.note(subject.clone(), Bimi.describe(value));
    }
    let [only] = ours.as_slice() else { return false };
    let Some(record) = Record::parse(&text(only)).ok().filter(|record| !record.logo.is_empty()) else { return false };
    if inquiry.subject().scope.web {
        logo(inquiry, &subject, &record.logo);
    }
    issuer(inquiry, &subject, &record.evidence);
    true
}

/// BIMI-02: what receivers ask of the DMARC records of the domain and of its organizational domain.
fn enforcing(inquiry: &mut Inquiry<'_>) {
    let (domain, lookup) = (inquiry.domain(), inquiry.lookup());
    let name = domain.to_text_without_dot();
    inquiry.topic(format!("which DMARC policy holds for {name}"));
    let Some(found) = inquiry.take(discover(lookup, domain, Reader::Rfc9989)) else { return };
    if found.is_temp_error() {
        return;
    }
    if let Some(reason) = too_weak(&found) {
        inquiry.find("BIMI-02", name, format!("no logo is shown: {reason}"));
    }
}

fn too_weak(found: &Discovery) -> Option<String> {
    let (Some(applied), Some(effective)) = (&found.applied, found.effective) else {
        return Some("no DMARC policy holds".to_owned());
    };
    let at = applied.domain.to_text_without_dot();
    if effective.policy == Policy::None {
        return Some(format!("the DMARC policy is none (`{}` of _dmarc.{at})", effective.tag));
    }
    if applied.record.is_testing() {
        return Some(format!("DMARC is in test mode (`t=y` of _dmarc.{at})"));
    }
    let percent = applied.record.pct.given().copied().unwrap_or(100);
    if percent < 100 {
        return Some(format!("DMARC is asked for {percent} % of the mail only (`pct` of _dmarc.{at})"));
    }
    let whole = applied.place == Place::AuthorDomain && found.organizational.domain() == Some(&applied.domain);
    if whole && applied.record.effective_subdomain_policy() == Policy::None {
        return Some(format!("the DMARC policy for sub-domains is none (`sp` of _dmarc.{at})"));
    }
    None
}

/// BIMI-05.
fn logo(inquiry: &mut Inquiry<'_>, subject: &str, url: &str) {
    inquiry.topic(format!("whether the logo at {url} can be used"));
    match inquiry.document(url) {
        None | Some(Err(Failure { here: true, .. })) => {}
        Some(Err(failure)) => {
            let message = format!("the logo at {url} is not to be had: {}", failure.message);
            inquiry.find("BIMI-05", subject, message);
        }
        Some(Ok(document)) => {
            if let Some(problem) = unusable(document) {
                inquiry.find("BIMI-05", subject, format!("the logo at {url} {problem}"));
            }
        }
    }
}

fn unusable(document: &Document) -> Option<String> {
    let has = |words: &[u8]| document.body.windows(words.len()).any(|window| window == words);
    if document.status != 200 {
        Some(format!("is answered with the status {}", document.status))
    } else if document.body.len() > LOGO {
        Some(format!("has {} octets, over 32 KiB", document.body.len()))
    } else if !has(b"<svg") {
        // Compressed SVG is allowed; what is in it is not looked at.
        (!document.body.starts_with(&[0x1f, 0x8b])).then(|| "is no SVG".to_owned())
    } else if !has(b"tiny-ps") {
        Some("is no SVG Tiny PS: `baseProfile=\"tiny-ps\"` is missing".to_owned())
    } else {
        None
    }
}

/// BIMI-06.
fn issuer(inquiry: &mut Inquiry<'_>, subject: &str, evidence: &str) {
    if evidence.is_empty() {
        return;
    }
    let Some((at, allowed)) = mark_issuers(inquiry) else { return };
    if allowed.is_empty() {
        let message = format!("a mark certificate is named, and CAA at {at} allows no authority to issue one");
        inquiry.find_as("BIMI-06", Severity::Warning, subject, message);
        return;
    }
    if !inquiry.subject().scope.web {
        return;
    }
    inquiry.topic(format!("who issued the mark certificate at {evidence}"));
    let Some(Ok(document)) = inquiry.document(evidence) else { return };
    let Some(certificate) = first_certificate(&document.body) else { return };
    let found = ISSUERS.iter().find(|(_, word)| certificate.windows(word.len()).any(|window| window == *word));
    if let Some((issuer, _)) = found.filter(|(issuer, _)| !allowed.iter().any(|name| name == issuer)) {
        let message = format!("the mark certificate is from {issuer}, and CAA at {at} allows {}", allowed.join(", "));
        inquiry.find("BIMI-06", subject, message);
    }
}

/// Where the CAA set that counts is, and the authorities of its `issuevmc`; `None`: not known, or it says nothing of
/// mark certificates.
fn mark_issuers(inquiry: &mut Inquiry<'_>) -> Option<(String, Vec<String>)> {
    inquiry.topic("");
    let mut at: Option<Name> = Some(inquiry.domain().clone());
    while let Some(name) = at.filter(|name| !name.is_root()) {
        if let Answer::Records(values, _) = inquiry.dns(&name, RecordType::CAA)? {
            let caa = values.iter().filter_map(|value| if let Rdata::Caa(caa) = value { Some(caa) } else { None });
            let ours: Vec<&Caa> = caa.filter(|caa| caa.tag.eq_ignore_ascii_case("issuevmc")).collect();
            let domain = |caa: &&Caa| {
                let value = String::from_utf8_lossy(&caa.value).to_ascii_lowercase();
                value.split(';').next().map(|domain| domain.trim().to_owned()).filter(|domain| !domain.is_empty())
            };
            let allowed = ours.iter().filter_map(domain).collect();
            return (!ours.is_empty()).then(|| (name.to_text_without_dot(), allowed));
        }
        at = name.parent();
    }
    None
}

/// The octets of the first certificate in PEM.
fn first_certificate(pem: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(pem);
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    decoded(body)
}

/// Base64 with line ends; `None` for any other character.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let (mut octets, mut pending, mut bits) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0);
    for octet in text.bytes().filter(|octet| !octet.is_ascii_whitespace() && *octet != b'=') {
        let sextet = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        pending = (pending << 6 | u32::from(sextet)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            // The low octet of what is left.
            octets.push((pending >> bits) as u8);
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::World;
    use crate::{Document, Failure};

    const LOGO: &str = "https://example.test/logo.svg";
    const MARK: &str = "https://example.test/mark.pem";
    const SVG: &str = "<svg version=\"1.2\" baseProfile=\"tiny-ps\"/>";
    const ENFORCED: &str = "_dmarc TXT \"v=DMARC1; p=reject\"\n";

    fn with(more: &str) -> World {
        let mut world = World::new(&format!("default._bimi TXT \"v=BIMI1; l={LOGO}; a={MARK}\"\n{more}"));
        world.subject.scope.web = true;
        world.facts.documents.insert(LOGO.to_owned(), Ok(document(200, SVG.as_bytes())));
        world
    }

    fn document(status: u16, body: &[u8]) -> Document {
        Document { status, content_type: None, body: body.to_vec() }
    }

    #[test]
    fn nothing_to_say_of_a_good_record() {
        let codes: Vec<String> = with(ENFORCED).audit().into_findings().map(|finding| finding.code).collect();
        assert!(!codes.iter().any(|code| code.starts_with("BIMI")), "{codes:?}");
    }

    #[test]
    fn records_are_linted() {
        World::new("default._bimi TXT \"v=BIMI1; a=x\"").finds("BIMI-01");
        World::new("default._bimi TXT \"v=BIMI1; l=http://example.test/l.svg\"").finds("BIMI-03");
        World::new(&format!("default._bimi TXT \"v=BIMI1; l={LOGO}\"")).finds("BIMI-04");
        let mut world = World::new("brand._bimi TXT \"v=BIMI1; a=x\"");
        world.lacks("BIMI-01");
        world.subject.bimi_selectors.push("brand".to_owned());
        world.finds("BIMI-01");
    }

    #[test]
    fn dmarc_must_enforce() {
        let reason = |record: &str| {
            let found = with(&format!("_dmarc TXT \"v=DMARC1; {record}\"")).finds("BIMI-02");
            format!("{}\n", found.only().message)
        };
        insta::assert_snapshot!(
            ["p=none", "p=reject; t=y", "p=quarantine; pct=50", "p=reject; sp=none"].map(reason).concat(), @"
        no logo is shown: the DMARC policy is none (`p` of _dmarc.example.test)
        no logo is shown: DMARC is in test mode (`t=y` of _dmarc.example.test)
        no logo is shown: DMARC is asked for 50 % of the mail only (`pct` of _dmarc.example.test)
        no logo is shown: the DMARC policy for sub-domains is none (`sp` of _dmarc.example.test)
        ");
        with("").finds("BIMI-02");
        with(ENFORCED).lacks("BIMI-02");
        // Who declines needs no policy.
        World::new("default._bimi TXT \"v=BIMI1; l=; a=\"").lacks("BIMI-02");
        let mut below = with(
            "default._bimi.news TXT \"v=BIMI1; l=https://example.test/logo.svg\"\n_dmarc TXT \"v=DMARC1; p=reject; sp=none\"",
        );
        below.subject.domain = mailzone_record::Name::parse("news.example.test").unwrap();
        below.finds("BIMI-02");
    }

    #[test]
    fn logos() {
        let judged = |answer: Result<Document, Failure>| {
            let mut world = with(ENFORCED);
            world.facts.documents.insert(LOGO.to_owned(), answer);
            world
        };
        let message = |answer| format!("{}\n", judged(answer).finds("BIMI-05").only().message);
        let failure = |here| Failure { message: "the connection was refused".to_owned(), here };
        insta::assert_snapshot!([
            message(Err(failure(false))),
            message(Ok(document(404, b""))),
            message(Ok(document(200, &[b'x'; 40_000]))),
            message(Ok(document(200, b"<html>"))),
            message(Ok(document(200, b"<svg/>"))),
        ].concat(), @r#"
        the logo at https://example.test/logo.svg is not to be had: the connection was refused
        the logo at https://example.test/logo.svg is answered with the status 404
        the logo at https://example.test/logo.svg has 40000 octets, over 32 KiB
        the logo at https://example.test/logo.svg is no SVG
        the logo at https://example.test/logo.svg is no SVG Tiny PS: `baseProfile="tiny-ps"` is missing
        "#);
        judged(Err(failure(true))).lacks("BIMI-05");
        judged(Ok(document(200, &[0x1f, 0x8b, 0]))).lacks("BIMI-05");
        let mut world = judged(Ok(document(404, b"")));
        world.subject.scope.web = false;
        world.lacks("BIMI-05");
    }

    #[test]
    fn issuers_of_mark_certificates() {
        // "…DigiCert…" stands for a certificate.
        let pem = b"-----BEGIN CERTIFICATE-----\nMAAAAERpZ2lDZXJ0\nAAAA\n-----END CERTIFICATE-----\n";
        let judged = |caa: &str| {
            let mut world = with(&format!("{ENFORCED}{caa}"));
            world.facts.documents.insert(MARK.to_owned(), Ok(document(200, pem)));
            world
        };
        let found = judged("@ CAA 0 issuevmc \"entrust.net; x=y\"").finds("BIMI-06");
        assert_eq!(
            found.only().message,
            "the mark certificate is from digicert.com, and CAA at example.test allows entrust.net"
        );
        judged("@ CAA 0 issuevmc \";\"").finds("BIMI-06");
        judged("@ CAA 0 issuevmc \"DigiCert.com\"").lacks("BIMI-06");
        judged("@ CAA 0 issue \";\"").lacks("BIMI-06");
        judged("").lacks("BIMI-06");
    }
}
