//! Would this message pass? SPF, DKIM and DMARC of one message, or of a sender that is known in advance.

use std::net::IpAddr;

use mailzone_mailauth::dkim::{DkimResult, Key, KeyRecord, selector_name};
use mailzone_mailauth::dmarc::{self, Authentication, Outcome, Policy, Reader};
use mailzone_mailauth::lookup::{Answer, Lookup, Pending, resolve};
use mailzone_mailauth::spf::{self, SpfResult};
use mailzone_record::{Name, Rdata, RecordType};

use crate::Sender;

/// A message, as far as authentication sees it.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The client's address.
    pub ip: IpAddr,
    /// What it says in HELO.
    pub helo: &'a str,
    /// The envelope sender; empty for a bounce.
    pub mail_from: &'a str,
    /// The domain of the `From` field.
    pub author_domain: &'a Name,
    /// Seconds since 1970.
    pub now: u64,
}

/// What became of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureOutcome {
    /// `d=`; `None` where the field cannot be read.
    pub domain: Option<Name>,
    /// `s=`.
    pub selector: Option<String>,
    /// In the words of RFC 8601.
    pub result: DkimResult,
    /// Why it does not pass, or on what it rests.
    pub reason: String,
}

/// What becomes of a message.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// SPF of the envelope sender (of the HELO name for a bounce).
    pub spf: spf::Evaluation,
    /// Of each signature, in the order of the message.
    pub dkim: Vec<SignatureOutcome>,
    /// DMARC as a receiver of RFC 9989 evaluates it.
    pub dmarc: dmarc::Evaluation,
    /// DMARC as a receiver of RFC 7489 does: another organizational domain, and `pct` counts.
    pub dmarc_rfc7489: dmarc::Evaluation,
}

/// Evaluates a message whose signatures have been verified.
///
/// # Errors
/// Questions are open.
pub fn simulate(dns: &dyn Lookup, sample: &Sample<'_>, dkim: Vec<SignatureOutcome>) -> Result<Simulation, Pending> {
    let request = spf::Request { time: sample.now, ..spf::Request::new(sample.ip, sample.helo, sample.mail_from) };
    let spf = spf::check(&request, dns);
    let checked = spf.as_ref().ok().and_then(|spf| Name::parse(&spf.domain).ok());
    let outcome = |result: SpfResult| match result {
        SpfResult::Pass => Outcome::Pass,
        SpfResult::TempError => Outcome::TempError,
        _ => Outcome::Fail,
    };
    let authenticated: Vec<Authentication<'_>> = dkim
        .iter()
        .filter_map(|signature| {
            let outcome = match signature.result {
                DkimResult::Pass => Outcome::Pass,
                DkimResult::TempError => Outcome::TempError,
                _ => Outcome::Fail,
            };
            Some(Authentication { domain: signature.domain.as_ref()?, outcome })
        })
        .collect();
    let of = |reader| {
        let spf = spf.as_ref().ok().zip(checked.as_ref());
        let spf = spf.map(|(spf, domain)| Authentication { domain, outcome: outcome(spf.result) });
        let request = dmarc::Request { author_domain: sample.author_domain, spf, dkim: &authenticated };
        dmarc::evaluate(dns, &request, reader)
    };
    // Asked for together: what is open in one is not waited for by the others.
    let (new, old) = (of(Reader::Rfc9989), of(Reader::Rfc7489));
    match (spf, new, old) {
        (Ok(spf), Ok(dmarc), Ok(dmarc_rfc7489)) => Ok(Simulation { spf, dkim, dmarc, dmarc_rfc7489 }),
        (spf, new, old) => {
            let open = [spf.err(), new.err(), old.err()].into_iter().flatten().flat_map(|pending| pending.questions);
            let mut questions: Vec<_> = Vec::new();
            for question in open {
                if !questions.contains(&question) {
                    questions.push(question);
                }
            }
            Err(Pending { questions })
        }
    }
}

/// What becomes of a good signature by this selector: whether there is a key that could verify it. Nothing is known of
/// the signer's own key.
///
/// # Errors
/// Questions are open.
pub fn key_state(dns: &dyn Lookup, domain: &Name, selector: &str) -> Result<SignatureOutcome, Pending> {
    let state = |result, reason: String| SignatureOutcome {
        domain: Some(domain.clone()),
        selector: Some(selector.to_owned()),
        result,
        reason,
    };
    let Ok(owner) = selector_name(selector, domain) else {
        return Ok(state(DkimResult::PermError, "the selector is no name".into()));
    };
    let shown = owner.to_text_without_dot();
    let answer = resolve(dns, &owner, RecordType::TXT).map_err(|question| Pending { questions: vec![question] })?;
    Ok(match answer {
        Answer::TempError | Answer::Unknown => {
            state(DkimResult::TempError, format!("no answer from the DNS for the key at {shown}"))
        }
        Answer::NoData | Answer::NxDomain => state(DkimResult::PermError, format!("no key record at {shown}")),
        Answer::Records(values, _) => {
            let texts = values.iter().filter_map(Rdata::as_txt).map(|txt| txt.joined().into_owned());
            let mut reason = format!("no key record at {shown}");
            for text in texts {
                match KeyRecord::parse(&String::from_utf8_lossy(&text)) {
                    Ok(record) if !record.allows_mail() => reason = "the key is not for mail (`s=`)".into(),
                    Ok(record) if !record.allows_usable_hash() => {
                        reason = "the key record does not allow SHA-256 (`h=`)".into();
                    }
                    Ok(KeyRecord { key: Key::Public(_), .. }) => {
                        return Ok(state(DkimResult::Pass, "the key is published".into()));
                    }
                    Ok(_) => reason = "the key is revoked".into(),
                    Err(error) => reason = format!("the key record cannot be used: {error}"),
                }
            }
            state(DkimResult::PermError, reason)
        }
    })
}

/// Evaluates mail of a known sender from one of its addresses. Its signature counts as good where there is a key that
/// could verify it.
///
/// # Errors
/// Questions are open.
pub fn simulate_sender(dns: &dyn Lookup, sender: &Sender, ip: IpAddr, now: u64) -> Result<Simulation, Pending> {
    let author = &sender.author_domain;
    let envelope = sender.envelope_domain.as_ref().unwrap_or(author).to_text_without_dot();
    let helo = sender.helo.as_ref().map_or_else(|| envelope.clone(), Name::to_text_without_dot);
    let sample = Sample { ip, helo: &helo, mail_from: &envelope, author_domain: author, now };
    let dkim = sender.dkim.as_ref().map(|(domain, selector)| key_state(dns, domain, selector)).transpose();
    match dkim {
        Ok(dkim) => simulate(dns, &sample, dkim.into_iter().collect()),
        Err(mut pending) => {
            pending.questions.extend(simulate(dns, &sample, Vec::new()).err().into_iter().flat_map(|p| p.questions));
            Err(pending)
        }
    }
}

impl Simulation {
    /// Whether DMARC of either generation asks receivers for more than reports, and the strictest wish.
    pub fn worst(&self) -> Policy {
        self.dmarc.disposition.policy.max(self.dmarc_rfc7489.disposition.policy)
    }
}
