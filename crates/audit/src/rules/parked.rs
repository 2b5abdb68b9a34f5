//! Domains that send no mail, or take none either (rule book 15).

use mailzone_mailauth::client_settings::SERVICES;
use mailzone_mailauth::dkim::KeyRecord;
use mailzone_mailauth::dmarc::{Place, Policy};
use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{Kind, MailUse, bimi, mta_sts, mx};
use mailzone_record::{Rdata, RecordType};

use super::common::{has_candidate, text};
use super::standing::{self, Spf, is_record};
use crate::Inquiry;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let receives = match inquiry.subject().mail {
        Some(MailUse::None) => false,
        Some(MailUse::Receive) => true,
        _ => return,
    };
    inquiry.topic("whether somebody can send in the name of a domain without mail");
    senders(inquiry);
    policy(inquiry);
    keys(inquiry);
    wildcards(inquiry);
    if !receives {
        exchangers(inquiry);
        left_over(inquiry);
    }
}

/// PARK-01.
fn exchangers(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    if let Some(Answer::Records(values, _)) = inquiry.dns(domain, RecordType::MX) {
        let values: Vec<&Rdata> = values.iter().filter(|value| matches!(value, Rdata::Mx(_))).collect();
        if !values.is_empty() && !mx::is_null_mx(&values) {
            let list: Vec<String> = values.iter().take(3).map(|value| mx::MailExchangers.describe(value)).collect();
            inquiry.find("PARK-01", domain.to_text_without_dot(), format!("mail goes to {}", list.join(", ")));
        }
    }
}

/// PARK-02.
fn senders(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    let message = match standing::spf(inquiry, domain) {
        None | Some(Spf::Good { nobody: true, .. }) => return,
        Some(Spf::Absent) => "no SPF record".to_owned(),
        Some(Spf::Broken(why)) => why,
        Some(Spf::Good { .. }) => "the SPF record says more than that nobody may send".to_owned(),
    };
    inquiry.find("PARK-02", domain.to_text_without_dot(), message);
}

/// PARK-03, PARK-04, PARK-07.
fn policy(inquiry: &mut Inquiry<'_>) {
    let Some(dmarc) = standing::dmarc(inquiry) else { return };
    let name = inquiry.domain().to_text_without_dot();
    if dmarc.policy != Policy::Reject {
        let message = match dmarc.in_force {
            true => format!("DMARC asks for {} alone", dmarc.policy.as_str()),
            false => "no DMARC record in force".to_owned(),
        };
        inquiry.find("PARK-03", name.as_str(), message);
    }
    let Some(applied) = dmarc.applied else { return };
    let record = &applied.record;
    let weakest = record.effective_subdomain_policy().min(record.effective_nonexistent_policy());
    if applied.place == Place::AuthorDomain && weakest < record.effective_policy() {
        let message = format!("DMARC asks for {} below the domain", weakest.as_str());
        inquiry.find("PARK-04", name.as_str(), message);
    }
    if inquiry.subject().scope.completeness && record.report_addresses().next().is_none() {
        inquiry.find("PARK-07", name, "nobody is told who forges mail in its name");
    }
}

/// PARK-05.
fn keys(inquiry: &mut Inquiry<'_>) {
    for (owner, key) in standing::keys(inquiry).live {
        inquiry.find("PARK-05", owner.to_text_without_dot(), format!("a live key: {key}"));
    }
}

/// PARK-06.
fn wildcards(inquiry: &mut Inquiry<'_>) {
    if !inquiry.subject().scope.completeness {
        return;
    }
    wildcard(inquiry, "*", "no wildcard `v=spf1 -all` for the names below", |values| is_record(values, "v=spf1 -all"));
    wildcard(inquiry, "*._domainkey", "no wildcard `v=DKIM1; p=` for the selectors", |values| {
        values.iter().any(|value| KeyRecord::parse(&text(value)).is_ok_and(|record| record.public_key().is_none()))
    });
}

fn wildcard(inquiry: &mut Inquiry<'_>, prefix: &str, message: &str, is: impl Fn(&[Rdata]) -> bool) {
    let Ok(owner) = inquiry.domain().prepend(prefix) else { return };
    let missing = match inquiry.dns(&owner, RecordType::TXT) {
        Some(Answer::Records(values, _)) => !is(&values),
        Some(Answer::NoData | Answer::NxDomain) => true,
        None | Some(Answer::TempError | Answer::Unknown) => false,
    };
    if missing {
        inquiry.find("PARK-06", owner.to_text_without_dot(), message);
    }
}

/// PARK-08.
fn left_over(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    inquiry.topic("");
    let texts: [(&str, &dyn Kind, &str); 2] =
        [("_mta-sts", &mta_sts::MtaSts, "an MTA-STS record"), ("default._bimi", &bimi::Bimi, "a BIMI record")];
    for (prefix, kind, what) in texts {
        let Ok(owner) = domain.prepend(prefix) else { continue };
        if inquiry.records(&owner, RecordType::TXT).is_some_and(|v| v.iter().any(|value| has_candidate(kind, value))) {
            inquiry.find("PARK-08", owner.to_text_without_dot(), what);
        }
    }
    if let Ok(owner) = domain.prepend("_25._tcp")
        && inquiry.records(&owner, RecordType::TLSA).is_some_and(|values| !values.is_empty())
    {
        inquiry.find("PARK-08", owner.to_text_without_dot(), "TLSA records for a mail server");
    }
    for service in SERVICES.iter().filter(|service| service.is_mail) {
        let Ok(owner) = domain.prepend(service.prefix) else { continue };
        let Some(values) = inquiry.records(&owner, RecordType::SRV) else { continue };
        if values.iter().any(|value| matches!(value, Rdata::Srv(srv) if !srv.target.is_root())) {
            inquiry.find("PARK-08", owner.to_text_without_dot(), "a server for mail programs");
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::MailUse;

    use crate::rules::testing::{KEY, World};
    use crate::{Selector, SelectorSource};

    const SET: &str = "@ MX 0 .\n@ TXT \"v=spf1 -all\"\n* TXT \"v=spf1 -all\"\n\
        _dmarc TXT \"v=DMARC1; p=reject; rua=mailto:a@example.test\"\n*._domainkey TXT \"v=DKIM1; p=\"";

    fn parked(zone: &str) -> World {
        let mut world = World::new(zone);
        world.subject.mail = Some(MailUse::None);
        world.subject.selectors.push(Selector { name: "s1".to_owned(), source: SelectorSource::Guessed });
        world
    }

    #[test]
    fn the_full_set() {
        let mut world = parked(SET);
        for _ in 0..2 {
            for code in 1..=9 {
                world.lacks(&format!("PARK-{code:02}"));
            }
            // A domain in use is another matter.
            world = World::new("@ MX 10 mail\n@ TXT \"v=spf1 mx -all\"");
        }
    }

    #[test]
    fn what_is_weaker() {
        let with = |from: &str, to: &str| parked(&SET.replace(from, to));
        with("@ MX 0 .", "@ MX 10 mail").finds("PARK-01").only();
        with("@ TXT \"v=spf1 -all\"", "@ TXT \"v=spf1 mx -all\"").finds("PARK-02").only();
        with("@ TXT \"v=spf1 -all\"\n", "").finds("PARK-02").only();
        with("p=reject", "p=quarantine").finds("PARK-03").only();
        with("p=reject", "p=reject; t=y").finds("PARK-03").only();
        with("_dmarc TXT", "_other TXT").finds("PARK-03").only();
        with("p=reject", "p=reject; sp=none").finds("PARK-04").only();
        with("p=reject", "p=reject; np=none").finds("PARK-04").only();
        with("; rua=mailto:a@example.test", "").finds("PARK-07").only();
        with("* TXT", "x TXT").finds("PARK-06").only();
        parked(&format!("{SET}\ns1._domainkey TXT \"v=DKIM1; p={KEY}\"")).finds("PARK-05").only();
    }

    #[test]
    fn left_overs() {
        for line in [
            "_mta-sts TXT \"v=STSv1; id=1\"",
            "default._bimi TXT \"v=BIMI1; l=https://example.test/a.svg\"",
            &format!("_25._tcp TLSA 3 1 1 {}", "ab".repeat(32)),
            "_imaps._tcp SRV 0 1 993 mail",
        ] {
            parked(&format!("{SET}\n{line}")).finds("PARK-08").only();
        }
        parked(&format!("{SET}\n_imaps._tcp SRV 0 0 0 .")).lacks("PARK-08");
    }

    #[test]
    fn a_domain_that_only_receives() {
        let mut world = parked(&SET.replace("MX 0 .", "MX 10 mail").replace("p=reject", "p=none"));
        world.subject.mail = Some(MailUse::Receive);
        world.lacks("PARK-01");
        world.finds("PARK-03").only();
    }

    #[test]
    fn a_failing_answer_claims_nothing() {
        use mailzone_record::{Name, RecordType};
        let mut world = parked("");
        world.subject.domain = Name::parse("elsewhere.test").unwrap();
        for name in ["elsewhere.test", "_dmarc.elsewhere.test", "*.elsewhere.test", "*._domainkey.elsewhere.test"] {
            world.fails(name, RecordType::TXT);
        }
        for code in ["PARK-02", "PARK-03", "PARK-06", "PARK-07"] {
            world.lacks(code);
        }
    }
}
