//! DMARC rules that a record set alone decides (rule book 4.6).

use mailzone_record::{Name, Rdata};

use super::problem::{NotDmarc, ProblemKind};
use super::record::{Policy, Psd, Reading, Record};
use crate::finding::{Finding, Severity};
use crate::txt;

const GRAMMAR: &str = "RFC 9989 section 4.7";

const QUOTE: &str = "put the whole text into plain quotes (`\"`)";
const NOTHING_FOLLOWS: &str =
    "nothing follows `v=DMARC1`: a zone file takes what stands behind a `;` without quotes for a comment";

pub(super) fn lint(owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
    let subject = txt::subject(owner);
    let mut found = Vec::new();
    let mut records = 0;
    for rdata in txt::distinct(values) {
        let Some(text) = txt::text(rdata) else { continue };
        match Record::parse_with_problems(&text) {
            Ok((record, problems)) => {
                records += 1;
                let bare = text.trim_end_matches([';', ' ']) == "v=DMARC1";
                found.extend(problems.iter().map(|problem| {
                    let (code, reference) = (problem.code(), problem.reference());
                    let (message, remedy) = match problem.kind {
                        ProblemKind::MissingPolicy if bare => (NOTHING_FOLLOWS.to_owned(), QUOTE),
                        _ => (problem.to_string(), problem.remedy()),
                    };
                    Finding::new(code, problem.severity(), subject.clone(), message, remedy, reference)
                }));
                advice(&subject, &record, &mut found);
            }
            Err(error) if error == NotDmarc::VersionNotFirst || txt::is_near(&text, "DMARC1") => {
                let (message, remedy) = match txt::typographic_quote(&text) {
                    Some(quote) => {
                        (format!("the quotes of a word processor (`{quote}`) are a part of the record"), QUOTE)
                    }
                    None => (error.to_string(), "begin the record with `v=DMARC1;`, exactly so"),
                };
                found.push(Finding::new("DMARC-02", Severity::Error, subject.clone(), message, remedy, GRAMMAR));
            }
            Err(_) => {}
        }
    }
    if let Some(target) = txt::cname(values).filter(|target| is_default_record(target)) {
        let message = format!("an alias of {target}, the hosting service's default record: its policy is in force");
        let remedy = "replace the CNAME by a TXT record of your own";
        found.push(Finding::new("DMARC-24", Severity::Warning, subject.clone(), message, remedy, GRAMMAR));
    }
    if records > 1 {
        let message = format!("{records} DMARC records at one name: receivers discard all of them");
        let reference = "RFC 9989 section 4.10";
        found.push(Finding::new("DMARC-01", Severity::Error, subject.clone(), message, "keep one", reference));
    }
    if records > 0 && txt::below(owner, &["_dmarc"]).is_none() {
        let message = "a DMARC record under a name that does not begin with `_dmarc`: nobody looks for it here";
        let remedy = "move it to `_dmarc` below the domain";
        found.push(Finding::new("DMARC-02", Severity::Error, subject, message, remedy, "RFC 9989 section 4.1"));
    }
    found
}

/// Whether a name is the default record that a hosting service points its customers' `_dmarc` to: `dmarc.ionos.de`
/// and its like in other countries.
fn is_default_record(target: &Name) -> bool {
    let labels: Vec<String> =
        target.labels().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    matches!(labels.as_slice(), [service, host, ..] if service == "dmarc" && host == "ionos")
}

/// What is allowed and yet unwise.
fn advice(subject: &str, record: &Record, found: &mut Vec<Finding>) {
    let mut add = |code, severity, message: String, remedy: &str, reference: &str| {
        found.push(Finding::new(code, severity, subject, message, remedy, reference));
    };
    if record.rua.is_empty() {
        let message = "no `rua`: nobody reports what fails".to_owned();
        add("DMARC-06", Severity::Warning, message, "add `rua=mailto:…`", "RFC 9990");
    }
    if record.rua.len() > 2 {
        let message = format!("{} `rua` addresses: some reporters send to the first two only", record.rua.len());
        add("DMARC-22", Severity::Warning, message, "name at most two", "RFC 7489 section 6.2");
    }
    if !record.ruf.is_empty() {
        let message = "`ruf` is set: failure reports hold personal data, and few receivers send them".to_owned();
        add("DMARC-17", Severity::Info, message, "remove it unless somebody reads them", "RFC 9991");
    }
    if record.psd.given() == Some(&Psd::Yes) {
        let message = "`psd=y` says that the domain is a public suffix and moves the organizational domain".to_owned();
        add(
            "DMARC-14",
            Severity::Info,
            message,
            "remove it unless the domain is a public suffix",
            "RFC 9989 section 4.10",
        );
    }
    if record.reading() != Reading::Valid || record.effective_policy() == Policy::None {
        return;
    }
    let policy = record.effective_policy().as_str();
    for (tag, field, names) in [("sp", &record.sp, "sub-domains"), ("np", &record.np, "names that do not exist")] {
        if field.given() == Some(&Policy::None) {
            let message = format!("`{tag}=none` under `p={policy}`: {names} of the domain can be forged");
            add("DMARC-10", Severity::Error, message, "remove it or make it as strong as `p`", GRAMMAR);
        }
    }
    if record.is_testing() {
        let message = format!("`t=y`: in test mode `p={policy}` is applied one step weaker");
        add("DMARC-13", Severity::Warning, message, "remove `t` when the test is over", GRAMMAR);
    }
}
