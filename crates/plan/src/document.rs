//! The plan as a document: `plan --format json` and `plan --out` (`design.md` section 8).

use std::borrow::Cow;

use mailzone_mailauth::{Class, Detail, Finding};
use mailzone_provider::{ProviderId, SideEffect};
use mailzone_record::{Name, RRset};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Claim, Counts, PlannedChange, ZonePlan, config_digest, fingerprint};

/// The format that this version writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct Document {
    pub format_version: u32,
    pub tool_version: String,
    /// RFC 3339.
    pub created: String,
    /// Whether equal and equivalent values are rewritten too; `apply PLANFILE` plans the same way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub normalize: bool,
    pub zones: Vec<ZoneDoc>,
    /// Findings of no zone.
    pub findings: Vec<Finding>,
    pub summary: Summary,
    pub exit: Exit,
    /// SHA-256 over everything else; written by `plan --out`, checked when a saved plan is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// One zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct ZoneDoc {
    /// Without the closing dot; null if none was found.
    pub zone: Option<String>,
    pub zone_id: Option<String>,
    pub domains: Vec<String>,
    pub provider: String,
    /// `provider` or `dns`.
    pub source: String,
    pub config_digest: String,
    pub fingerprint: String,
    pub error: Option<ErrorDoc>,
    pub changes: Vec<ChangeDoc>,
    pub findings: Vec<Finding>,
    pub unmanaged: Vec<UnmanagedDoc>,
    pub allowed: Vec<Finding>,
    /// Seconds.
    pub expected_visible: u32,
    /// `apply` only: what the service did to foreign records by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_effects: Vec<SideEffectDoc>,
}

/// A foreign RRset that the service changed by itself when others were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct SideEffectDoc {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    /// As it was; null if it is new.
    pub before: Option<SetDoc>,
    /// As it is; null if it vanished or is no longer served.
    pub after: Option<SetDoc>,
    pub message: String,
    /// What puts it back.
    pub remedy: String,
}

/// Why a zone has no plan that can be applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct ErrorDoc {
    pub kind: String,
    pub message: String,
    pub remedy: String,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct ChangeDoc {
    /// Owner name and type: `example.com. TXT`.
    pub id: String,
    pub action: Cow<'static, str>,
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub slots: Vec<String>,
    pub stage: u32,
    /// What must be visible before this is sent, as owner name and type.
    pub needs: Vec<String>,
    pub before: Option<SetDoc>,
    pub after: Option<SetDoc>,
    pub kept: Vec<String>,
    pub class: Cow<'static, str>,
    pub details: Vec<DetailDoc>,
    pub reason: String,
    /// `apply` only: `applied`, `already`, `held`, `failed`, `unknown`, `skipped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Cow<'static, str>>,
    /// `apply` only: a sentence on the outcome, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An RRset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetDoc {
    /// Seconds; null where the service has none per record.
    pub ttl: Option<u32>,
    /// Presentation format, sorted.
    pub values: Vec<String>,
}

/// A term that comes, goes or changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the kind's difference")]
pub struct DetailDoc {
    pub term: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A live slot that nobody manages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct UnmanagedDoc {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub domain: String,
    pub slot: String,
    /// The line of the configuration that would remove it.
    pub removal: String,
    /// Whether an earlier configuration managed it (`--base`).
    #[serde(default)]
    pub formerly: bool,
}

/// RRsets by what happens to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of design.md section 8")]
pub struct Summary {
    pub create: u64,
    pub update: u64,
    pub delete: u64,
    pub unchanged: u64,
    pub foreign: u64,
    pub unmanaged: u64,
}

/// The exit code and the zones that made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Exit {
    pub code: u8,
    /// The zones (or domains, where no zone was found) with a code of their own other than 0; sorted.
    pub zones: Vec<ExitZone>,
}

/// One zone's part in the exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ExitZone {
    pub zone: String,
    pub code: u8,
}

impl Document {
    /// A document of these zones, sorted, with the summary counted. The exit code is the caller's.
    pub fn new(
        tool_version: &str,
        created: String,
        mut zones: Vec<ZoneDoc>,
        findings: Vec<Finding>,
        counts: &[Counts],
    ) -> Self {
        zones.sort_by(|a, b| (&a.zone, &a.domains, &a.provider).cmp(&(&b.zone, &b.domains, &b.provider)));
        let mut findings = findings;
        findings.sort();
        let mut summary = Summary::default();
        for counts in counts {
            summary.create += counts.create;
            summary.update += counts.update;
            summary.delete += counts.delete;
            summary.unchanged += counts.unchanged;
            summary.foreign += counts.foreign;
            summary.unmanaged += counts.unmanaged;
        }
        let tool_version = tool_version.to_owned();
        Self {
            format_version: FORMAT_VERSION,
            tool_version,
            created,
            normalize: false,
            zones,
            findings,
            summary,
            exit: Exit::default(),
            digest: None,
        }
    }

    /// The document as JSON text that ends with a line feed, the digest set.
    pub fn to_sealed_json(&self) -> Result<String, serde_json::Error> {
        let digest = self.compute_digest()?;
        let sealed = Self { digest: Some(digest), ..self.clone() };
        Ok(serde_json::to_string_pretty(&sealed)? + "\n")
    }

    /// Whether the digest is there and right.
    pub fn is_intact(&self) -> bool {
        self.digest.is_some() && self.compute_digest().ok() == self.digest
    }

    fn compute_digest(&self) -> Result<String, serde_json::Error> {
        digest_of(serde_json::to_value(self)?)
    }
}

/// SHA-256 in hex over a document without its digest: its compact JSON with sorted keys. Fields that this version
/// does not know count too, for a later one may have written them.
pub(crate) fn digest_of(mut document: serde_json::Value) -> Result<String, serde_json::Error> {
    if let Some(fields) = document.as_object_mut() {
        fields.remove("digest");
    }
    document.sort_all_objects();
    Ok(data_encoding::HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(&document)?)))
}

impl ZoneDoc {
    /// One zone's plan as a document. `config_digest` is [`crate::config_digest`] of its claims; `domains` are the
    /// configured domains in it.
    pub fn new(
        plan: &ZonePlan,
        provider: &ProviderId,
        config_digest: &str,
        domains: &[Name],
        expected_visible: u32,
    ) -> Self {
        Self {
            zone: Some(name_without_dot(&plan.zone.name)),
            zone_id: Some(plan.zone.id.to_string()),
            domains: domain_texts(domains),
            provider: provider.to_string(),
            source: "provider".into(),
            config_digest: config_digest.into(),
            fingerprint: fingerprint(provider, &plan.zone, &plan.changes),
            error: plan.error.as_ref().map(|error| ErrorDoc {
                kind: error.kind.as_str().into(),
                message: error.message.clone(),
                remedy: error.remedy.clone(),
            }),
            changes: plan.changes.iter().map(ChangeDoc::new).collect(),
            findings: plan.findings.clone(),
            unmanaged: plan
                .unmanaged
                .iter()
                .map(|entry| UnmanagedDoc {
                    name: name_text(&entry.key.name),
                    rtype: entry.key.rtype.to_string(),
                    domain: name_without_dot(&entry.slot.domain),
                    slot: entry.slot.to_string(),
                    removal: entry.removal.clone(),
                    formerly: entry.formerly,
                })
                .collect(),
            allowed: plan.allowed.clone(),
            expected_visible,
            side_effects: Vec::new(),
        }
    }

    /// Domains for which there is no zone to plan.
    pub fn without_zone(domains: &[Name], provider: &str, claims: &[Claim], error: ErrorDoc) -> Self {
        Self {
            zone: None,
            zone_id: None,
            domains: domain_texts(domains),
            provider: provider.into(),
            source: "provider".into(),
            config_digest: config_digest(claims),
            fingerprint: String::new(),
            error: Some(error),
            changes: Vec::new(),
            findings: Vec::new(),
            unmanaged: Vec::new(),
            allowed: Vec::new(),
            expected_visible: 0,
            side_effects: Vec::new(),
        }
    }

    /// The zone's name, or that of its first domain: how messages call it.
    pub fn label(&self) -> &str {
        self.zone.as_deref().or_else(|| self.domains.first().map(String::as_str)).unwrap_or("?")
    }
}

impl ChangeDoc {
    /// One change as a document.
    pub fn new(planned: &PlannedChange) -> Self {
        let change = &planned.change;
        let name = name_text(change.name());
        let mut kept: Vec<String> = planned.kept.iter().map(ToString::to_string).collect();
        kept.sort();
        let mut needs: Vec<String> = planned
            .needs
            .iter()
            .map(|need| format!("{} {}", name_text(&need.target.key.name), need.target.key.rtype))
            .collect();
        needs.sort();
        needs.dedup();
        Self {
            id: format!("{name} {}", change.rtype()),
            action: planned.action.as_str().into(),
            rtype: change.rtype().to_string(),
            name,
            slots: planned.slots.iter().map(ToString::to_string).collect(),
            stage: planned.stage,
            needs,
            before: change.before().map(SetDoc::new),
            after: change.after().map(SetDoc::new),
            kept,
            class: class_text(planned.class).into(),
            details: planned.details.iter().map(DetailDoc::from).collect(),
            reason: planned.reason.clone(),
            outcome: None,
            note: None,
        }
    }
}

impl SetDoc {
    /// An RRset as a document: values in presentation format, sorted.
    pub fn new(set: &RRset) -> Self {
        let mut values: Vec<String> = set.values.iter().map(|value| value.rdata.to_string()).collect();
        values.sort();
        Self { ttl: set.ttl.map(mailzone_record::Ttl::as_secs), values }
    }
}

impl SideEffectDoc {
    /// A side effect as a document; `None` for one without a set on either side.
    pub fn new(effect: &SideEffect) -> Option<Self> {
        let set = effect.before.as_ref().or(effect.after.as_ref())?;
        Some(Self {
            name: name_text(&set.name),
            rtype: set.rtype.to_string(),
            before: effect.before.as_ref().map(SetDoc::new),
            after: effect.after.as_ref().map(SetDoc::new),
            message: effect.message.clone(),
            remedy: effect.remedy.clone(),
        })
    }
}

impl From<&Detail> for DetailDoc {
    fn from(detail: &Detail) -> Self {
        Self { term: detail.term.clone(), before: detail.before.clone(), after: detail.after.clone() }
    }
}

/// The word of `design.md` section 8.
pub fn class_text(class: Class) -> &'static str {
    match class {
        Class::Tightens => "tightens",
        Class::Loosens => "loosens",
        Class::Mixed => "mixed",
        Class::Breaks => "breaks",
        Class::Cosmetic => "cosmetic",
        Class::Neutral => "neutral",
        Class::Unknown => "unknown",
    }
}

fn name_text(name: &Name) -> String {
    name.to_lowercase().to_string()
}

fn name_without_dot(name: &Name) -> String {
    name.to_lowercase().to_text_without_dot()
}

fn domain_texts(domains: &[Name]) -> Vec<String> {
    let mut texts: Vec<String> = domains.iter().map(name_without_dot).collect();
    texts.sort();
    texts
}
