//! TLS-RPT (rule book 6).

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{Kind, tls_rpt};
use mailzone_record::{Name, Rdata, RecordType};

use crate::rules::common::{has_candidate, takes_mail, text};
use crate::rules::hosts::exchangers;
use crate::{Inquiry, Measure};

/// Names that people publish the record under by mistake.
const WRONG_NAMES: [&str; 2] = ["_smtp-tlsrpt", "_tlsrpt"];

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    let Ok(owner) = domain.prepend("_smtp._tls") else { return };
    let values = match inquiry.dns(&owner, RecordType::TXT) {
        Some(Answer::Records(values, _)) => values.to_vec(),
        Some(Answer::NoData | Answer::NxDomain) => Vec::new(),
        None | Some(Answer::TempError | Answer::Unknown) => return,
    };
    let ours: Vec<&Rdata> = values.iter().filter(|value| has_candidate(&tls_rpt::TlsRpt, value)).collect();
    for finding in tls_rpt::TlsRpt.lint(&owner, &ours) {
        inquiry.add(finding);
    }
    for value in &ours {
        inquiry.note(owner.to_text_without_dot(), text(value));
    }
    if let [only] = ours.as_slice()
        && let Ok(record) = tls_rpt::Record::parse(&text(only))
    {
        inquiry.measure(Measure::TlsRpt, 100, "TLS-RPT");
        receivers(inquiry, &owner, &record);
    } else {
        inquiry.measure(Measure::TlsRpt, 0, "no usable TLS-RPT record");
    }
    if ours.is_empty() {
        missing(inquiry, &owner);
        for wrong in WRONG_NAMES {
            wrong_name(inquiry, wrong);
        }
    }
}

/// TLSRPT-03.
fn receivers(inquiry: &mut Inquiry<'_>, owner: &Name, record: &tls_rpt::Record) {
    for uri in &record.rua {
        let Some(host) = uri.mailbox().and_then(|(_, domain)| Name::parse_idn(domain).ok()) else { continue };
        inquiry.topic(format!("whether {} takes mail", host.to_text_without_dot()));
        if takes_mail(inquiry, &host) == Some(false) {
            let message = format!("{} takes no mail: reports to {uri} come back", host.to_text_without_dot());
            inquiry.find("TLSRPT-03", owner.to_text_without_dot(), message);
        }
    }
}

/// TLSRPT-04.
fn missing(inquiry: &mut Inquiry<'_>, owner: &Name) {
    let Ok(sts) = inquiry.domain().prepend("_mta-sts") else { return };
    let Some(answer) = inquiry.dns(&sts, RecordType::TXT) else { return };
    if let Answer::Records(values, _) = answer
        && values.iter().any(|value| has_candidate(&mailzone_mailauth::mta_sts::MtaSts, value))
    {
        let message = "MTA-STS is in use, and nobody is told when it keeps mail from being delivered";
        inquiry.find("TLSRPT-04", owner.to_text_without_dot(), message);
    }
    let hosts = exchangers(inquiry).unwrap_or_default();
    let owners = hosts.iter().filter_map(|one| one.host.prepend("_25._tcp").ok());
    if owners.into_iter().any(|at| inquiry.records(&at, RecordType::TLSA).is_some_and(|values| !values.is_empty())) {
        let message = "DANE is in use, and nobody is told when it keeps mail from being delivered";
        inquiry.find("TLSRPT-04", owner.to_text_without_dot(), message);
    }
}

/// TLSRPT-05.
fn wrong_name(inquiry: &mut Inquiry<'_>, label: &str) {
    let Ok(owner) = inquiry.domain().prepend(label) else { return };
    inquiry.topic("");
    let Some(values) = inquiry.records(&owner, RecordType::TXT) else { return };
    if values.iter().any(|value| has_candidate(&tls_rpt::TlsRpt, value)) {
        let message = "senders look at `_smtp._tls` alone: this record is never read";
        inquiry.find("TLSRPT-05", owner.to_text_without_dot(), message);
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::World;

    #[test]
    fn addresses_that_take_no_mail() {
        let world =
            World::new("_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:a@nomail.test,mailto:b@example.test\"\n@ MX 10 mail");
        world.finds("TLSRPT-03").only();
        let world = World::new("_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:b@example.test\"\n@ MX 10 mail");
        world.lacks("TLSRPT-03");
    }

    #[test]
    fn missing_beside_mta_sts_and_misplaced() {
        let world = World::new("_mta-sts TXT \"v=STSv1; id=1\"\n_tlsrpt TXT \"v=TLSRPTv1; rua=mailto:a@example.test\"");
        world.finds("TLSRPT-04");
        world.finds("TLSRPT-05");
        let tlsa = format!("@ MX 10 mail\n_25._tcp.mail TLSA 3 1 1 {}", "ab".repeat(32));
        World::new(&tlsa).finds("TLSRPT-04").only();
        World::new("@ MX 10 mail").lacks("TLSRPT-04");
        let world =
            World::new("_mta-sts TXT \"v=STSv1; id=1\"\n_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:a@example.test\"");
        world.lacks("TLSRPT-04");
        world.lacks("TLSRPT-05");
    }
}
