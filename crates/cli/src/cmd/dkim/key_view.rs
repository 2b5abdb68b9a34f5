//! A key record as text and JSON show it.

use mailzone_mailauth::dkim::{Dkim, KeyRecord, PublicKey};
use mailzone_mailauth::{Finding, Kind as _, Severity};
use mailzone_record::{Name, Rdata, Txt};
use mailzone_report::escape;
use serde::Serialize;

/// A public key and the record that publishes it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KeyView {
    /// `rsa` or `ed25519`; null where the key is revoked.
    pub(super) r#type: Option<String>,
    pub(super) bits: Option<usize>,
    /// `SHA256:` and base64; the same whatever the key is written in.
    pub(super) fingerprint: Option<String>,
    /// The text of the TXT record.
    pub(super) record: String,
    /// The same as the strings of a zone file.
    pub(super) zone_file: String,
    pub(super) findings: Vec<Finding>,
}

impl KeyView {
    /// What is to say of a record at this owner name.
    pub(super) fn new(record: &KeyRecord, owner: &Name) -> Self {
        let key = record.public_key();
        let text = record.to_string();
        let rdata = Rdata::Txt(Txt::from_text(&text));
        Self {
            r#type: key.map(|key| key.key_type().to_string()),
            bits: key.map(PublicKey::bits),
            fingerprint: key.map(PublicKey::fingerprint),
            zone_file: rdata.to_string(),
            findings: Dkim.lint(owner, &[&rdata]),
            record: text,
        }
    }

    /// `RSA 2048 bits`.
    pub(super) fn kind(&self) -> String {
        match (self.r#type.as_deref(), self.bits) {
            (Some("rsa"), Some(bits)) => format!("RSA {bits} bits"),
            (Some(_), _) => "Ed25519".to_owned(),
            _ => "revoked".to_owned(),
        }
    }
}

/// `warning DKIM-03: …`, a line each, indented.
pub(super) fn findings(findings: &[Finding], indent: &str) -> String {
    findings.iter().map(|finding| format!("{indent}{}\n", escape::line(&sentence(finding)))).collect()
}

/// `DKIM-03: …; remedy`.
pub(super) fn sentence(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    format!("{severity} {}: {}; {}", finding.code, finding.message, finding.remedy)
}

/// An owner name for a selector whose domain is not known.
pub(super) fn nowhere() -> Name {
    Name::parse("selector._domainkey.invalid").unwrap_or_else(|_| Name::root())
}
