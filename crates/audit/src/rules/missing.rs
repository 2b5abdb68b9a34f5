//! What a domain with mail ought to have.

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{MailUse, Severity};
use mailzone_record::RecordType;

use super::common::takes_mail;
use super::standing::{self, Spf};
use crate::Inquiry;

/// MISSING-01.
pub(super) fn spf(inquiry: &mut Inquiry<'_>) {
    let Some(severity) = severity(inquiry) else { return };
    let domain = inquiry.domain();
    if standing::spf(inquiry, domain) == Some(Spf::Absent) {
        let message = "no SPF record: receivers cannot tell who may send for the domain";
        inquiry.find_as("MISSING-01", severity, domain.to_text_without_dot(), message);
    }
}

/// MISSING-02.
pub(super) fn dmarc(inquiry: &mut Inquiry<'_>) {
    let Some(severity) = severity(inquiry) else { return };
    if standing::dmarc(inquiry).is_some_and(|dmarc| !dmarc.in_force && dmarc.applied.is_none()) {
        let subject = format!("_dmarc.{}", inquiry.domain().to_text_without_dot());
        let message = "no DMARC record: anybody can write the domain into From";
        inquiry.find_as("MISSING-02", severity, subject, message);
    }
}

/// How bad it is that something is missing: an error where the domain has mail. `None` where nothing is to be said: of a
/// domain that shall have no mail or that sends in bulk other rules tell, and one that does not exist has nothing at all.
fn severity(inquiry: &mut Inquiry<'_>) -> Option<Severity> {
    let subject = inquiry.subject();
    if !subject.scope.completeness || subject.bulk || subject.mail == Some(MailUse::None) {
        return None;
    }
    inquiry.topic("");
    let domain = inquiry.domain();
    if inquiry.dns(domain, RecordType::MX)? == Answer::NxDomain {
        return None;
    }
    match subject.mail {
        Some(_) => Some(Severity::Error),
        None if takes_mail(inquiry, domain)? => Some(Severity::Error),
        None => Some(Severity::Warning),
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::{MailUse, Severity};
    use mailzone_record::Name;

    use crate::rules::testing::World;

    #[test]
    fn a_domain_with_mail_and_without_records() {
        let world = World::new("@ MX 10 mail\nmail A 192.0.2.1");
        assert_eq!(world.finds("MISSING-01").only().severity, Severity::Error);
        assert_eq!(world.finds("MISSING-02").only().subject, "_dmarc.example.test");
        let world = World::new("www A 192.0.2.1");
        assert_eq!(world.finds("MISSING-02").only().severity, Severity::Warning);
    }

    #[test]
    fn nothing_is_missing_or_others_tell() {
        let world = World::new("@ MX 10 mail\n@ TXT \"v=spf1 mx -all\"\n_dmarc TXT \"v=DMARC1; p=none\"");
        world.lacks("MISSING-01");
        world.lacks("MISSING-02");
        let mut parked = World::new("@ MX 0 .");
        parked.subject.mail = Some(MailUse::None);
        parked.lacks("MISSING-01");
        let mut bulk = World::new("@ MX 10 mail");
        bulk.subject.bulk = true;
        bulk.lacks("MISSING-02");
        let mut part = World::new("@ MX 10 mail");
        part.subject.scope.completeness = false;
        part.lacks("MISSING-01");
        let mut below = World::new("@ MX 10 mail\n_dmarc TXT \"v=DMARC1; p=none\"\nnews MX 10 mail");
        below.subject.domain = Name::parse("news.example.test").unwrap();
        below.lacks("MISSING-02");
    }
}
