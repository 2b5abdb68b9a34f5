//! Consent to reports about another organization's domain (RFC 9990 section 4, RFC 7489 section 7.1).

use mailzone_record::{Name, RecordType};

use super::alignment::{Aligned, align, common_labels};
use super::organizational::Reader;
use super::record::Alignment;
use crate::lookup::{Answer, Lookup, Pending, resolve};
use crate::report_authorisation::{Record, authorisation_name};
use crate::report_uri::ReportUri;
use crate::txt;

/// Whether reports about a domain may go to a report address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// The address is within the organizational domain of the policy record's domain.
    NotNeeded,
    /// The report receiver consents, by the record at `owner` or an alias or a wildcard there.
    #[expect(missing_docs, reason = "said below")]
    Given {
        owner: Name,
        /// Where it wants the reports instead: addresses of the same host. Empty: where the policy record says.
        instead: Vec<ReportUri>,
        /// Addresses that it names and that do not count, since their host is another.
        ignored: Vec<ReportUri>,
    },
    /// It does not: no `v=DMARC1` record at `owner`. No reports go there.
    #[expect(missing_docs, reason = "said above")]
    Missing { owner: Name },
    /// The name of the record would be longer than a name can be, so there is no way to consent.
    Impossible,
    /// The address has no host.
    NoHost,
    /// The DNS gave no answer for this name and type. Trying again may help.
    TempError(Name, RecordType),
}

/// Whether reports about `policy_domain`, whose policy record names `address` in `rua` or `ruf`, may go there.
///
/// Several `v=DMARC1` records consent too: unlike policy records they are not discarded.
///
/// # Errors
/// Questions are open.
pub fn report_authorisation(
    lookup: &dyn Lookup,
    policy_domain: &Name,
    address: &ReportUri,
    reader: Reader,
) -> Result<Consent, Pending> {
    let Some(host) = address.host() else { return Ok(Consent::NoHost) };
    let mut open = Vec::new();
    let related = align(lookup, policy_domain, &host, Alignment::Relaxed, reader, None, &mut open);
    let owner = authorisation_name(policy_domain, &host);
    // Asked in the same round unless both names may well be one organization's.
    let answer = match &owner {
        Ok(owner) if related == Aligned::No && (open.is_empty() || common_labels(policy_domain, &host) < 2) => {
            resolve(lookup, owner, RecordType::TXT).map_err(|question| open.push(question)).ok()
        }
        _ => None,
    };
    if let Some(pending) = Pending::of(open) {
        return Err(pending);
    }
    match related {
        Aligned::Yes => return Ok(Consent::NotNeeded),
        Aligned::TempError(at) => return Ok(Consent::TempError(at.prepend("_dmarc").unwrap_or(at), RecordType::TXT)),
        Aligned::No => {}
    }
    let (Ok(owner), Some(answer)) = (owner, answer) else { return Ok(Consent::Impossible) };
    let values = match answer {
        Answer::Records(values, _) => values,
        Answer::NoData | Answer::NxDomain => return Ok(Consent::Missing { owner }),
        Answer::TempError | Answer::Unknown => return Ok(Consent::TempError(owner, RecordType::TXT)),
    };
    let records: Vec<Record> = values.iter().filter_map(|value| Record::parse(&txt::text(value)?)).collect();
    if records.is_empty() {
        return Ok(Consent::Missing { owner });
    }
    let addresses = records.into_iter().flat_map(|record| record.rua);
    let (instead, ignored) = addresses.partition(|uri| uri.is_uri() && uri.host().as_ref() == Some(&host));
    Ok(Consent::Given { owner, instead, ignored })
}

impl Consent {
    /// Whether reports go out, to this address or to those given instead.
    pub const fn is_enough(&self) -> bool {
        matches!(self, Self::NotNeeded | Self::Given { .. })
    }
}
