//! DKIM rules that a record set alone decides (rule book 3.4).

use mailzone_record::{Name, Rdata, Txt};

use super::key::{Encoding, KeyError, PublicKey, RsaKey};
use super::key_material::{self, KeyMaterialError};
use super::record::{Key, KeyRecord, RecordError, RecordErrorKind};
use crate::finding::{Finding, Severity};
use crate::tag_list::TagList;
use crate::txt;

pub(super) fn lint(owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
    let values = txt::distinct(values);
    let mut found = Findings { subject: txt::subject(owner), list: Vec::new() };
    let texts: Vec<_> = values.iter().filter_map(|rdata| txt::text(rdata)).collect();
    if texts.len() > 1 || (!texts.is_empty() && txt::cname(&values).is_some()) {
        let message = "more than one record at one selector: what verifiers do is undefined";
        found.add("DKIM-08", Severity::Error, message, "keep one", "RFC 6376 section 3.6.2.2");
    }
    let octets: usize =
        values.iter().filter_map(|rdata| rdata.as_txt()).flat_map(Txt::strings).map(|s| s.len() + 1).sum();
    // The header, the question, and the fixed part of each record.
    let answer = octets + 12 + owner.as_wire().len() + 4 + values.len() * 12;
    if answer > 1232 {
        let message = format!("the answer has about {answer} octets, too much for one UDP packet");
        found.add("DKIM-04", Severity::Warning, message, "use a key of 2048 bits", "RFC 8301 section 3.2");
    }
    for text in texts {
        match KeyRecord::parse(&text) {
            Ok(record) => record_findings(owner, &record, &mut found),
            Err(error) => {
                let (code, remedy) = match error.kind {
                    RecordErrorKind::Version | RecordErrorKind::VersionNotFirst | RecordErrorKind::Repeated(_) => {
                        ("DKIM-07", "begin the record with `v=DKIM1;` and name each tag once")
                    }
                    RecordErrorKind::KeyType(_) | RecordErrorKind::Key(KeyError::Ed25519Length(_)) => {
                        ("DKIM-05", "use `k=rsa`, or `k=ed25519` with the raw 32 octets of the key")
                    }
                    _ => ("DKIM-01", "publish the key again from the signer's own output"),
                };
                let (message, remedy) = mistake(&text, &error).unwrap_or_else(|| (error.to_string(), remedy));
                found.add(code, Severity::Error, message, remedy, "RFC 6376 section 3.6.1");
            }
        }
    }
    found.list
}

/// A mistake that is known by its traces says more than what the grammar missed.
fn mistake(text: &str, error: &RecordError) -> Option<(String, &'static str)> {
    if let Some(quote) = txt::typographic_quote(text) {
        let message = format!("the quotes of a word processor (`{quote}`) are a part of the record");
        return Some((message, "write the text without them; in a zone file put plain quotes (`\"`) around it"));
    }
    match error.kind {
        RecordErrorKind::NoKey if !text.contains(';') || text.trim_end().ends_with(';') => {
            let one = TagList::parse(text).tags.len() == 1;
            let message = "`p` is missing: a zone file takes what stands behind a `;` without quotes for a comment";
            one.then(|| (message.to_owned(), "put the whole text into plain quotes (`\"`)"))
        }
        // A key that was cut off, or that lost its `+`.
        RecordErrorKind::Base64(_) | RecordErrorKind::Key(_) => match key_material::parse(text) {
            Err(better @ (KeyMaterialError::CutOff { .. } | KeyMaterialError::LostPlus(_))) => {
                Some((better.to_string(), "publish the key again from the signer's own output"))
            }
            _ => None,
        },
        _ => None,
    }
}

struct Findings {
    subject: String,
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, code: &str, severity: Severity, message: impl Into<String>, remedy: &str, reference: &str) {
        self.list.push(Finding::new(code, severity, self.subject.clone(), message, remedy, reference));
    }
}

fn record_findings(owner: &Name, record: &KeyRecord, found: &mut Findings) {
    for (tag, _) in &record.unknown {
        let message = if tag == "g" {
            "`g` is a tag of an earlier standard: verifiers ignore it".to_owned()
        } else {
            format!("unknown tag `{tag}`: verifiers ignore it")
        };
        found.add("DKIM-19", Severity::Info, message, "remove it", "RFC 6376 section 3.6.1");
    }
    let Key::Public(key) = &record.key else { return };
    if let PublicKey::Rsa(rsa) = key {
        rsa_findings(rsa, found);
    }
    if owner.is_wildcard() {
        let message = "a key under a wildcard: any selector verifies with it";
        found.add("DKIM-17", Severity::Warning, message, "publish it under its selector", "RFC 4592");
    }
    if record.is_testing() {
        let message = "`t=y`: verifiers treat mail that fails as if it were not signed";
        found.add("DKIM-09", Severity::Info, message, "remove `t=y` when the test is over", "RFC 6376 section 3.6.1");
    }
    if !record.allows_usable_hash() {
        let message = "`h` allows no hash that may be used: `sha256` is missing";
        found.add("DKIM-13", Severity::Warning, message, "write `h=sha256` or remove `h`", "RFC 8301 section 3.1");
    }
    if !record.allows_mail() {
        let message = "`s` names neither `email` nor `*`: the key does not work for mail";
        found.add("DKIM-14", Severity::Warning, message, "write `s=email` or remove `s`", "RFC 6376 section 3.6.1");
    }
}

fn rsa_findings(rsa: &RsaKey, found: &mut Findings) {
    const SIZES: &str = "RFC 8301 section 3.2";
    let bits = rsa.bits();
    let size = format!("an RSA key of {bits} bits");
    let longer = "make a new key of 2048 bits under a new selector";
    if bits < 1024 {
        found.add("DKIM-02", Severity::Error, format!("{size}: verifiers must not accept it"), longer, SIZES);
    } else if bits < 2048 {
        found.add("DKIM-03", Severity::Warning, format!("{size}: signers should use 2048"), longer, SIZES);
    } else if bits > 4096 {
        let remedy = "use a key of 2048 bits";
        found.add("DKIM-04", Severity::Warning, format!("{size}: verifiers need not accept it"), remedy, SIZES);
    }
    if rsa.exponent() == [3] && bits <= 1024 {
        let message = format!("{size} with the exponent 3 is known to be weak");
        found.add("DKIM-20", Severity::Warning, message, longer, SIZES);
    }
    if rsa.encoding == Encoding::Pkcs1 {
        let message = "the key is in the bare PKCS#1 form, which not all verifiers read";
        let remedy = "publish it as SubjectPublicKeyInfo (`openssl rsa -RSAPublicKey_in -pubout`)";
        found.add("DKIM-21", Severity::Warning, message, remedy, "RFC 6376 section 3.6.1");
    }
}
