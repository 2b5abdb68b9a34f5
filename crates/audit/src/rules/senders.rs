//! Known senders: whether their mail passes (rule book 4.6, 16).

use mailzone_mailauth::dmarc::{Aligned, Alignment, DmarcResult, Mechanism, Outcome, Policy};
use mailzone_mailauth::{Severity, dmarc};

use crate::{Inquiry, Sender, Simulation, simulate_sender};

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    for sender in &inquiry.subject().senders {
        inquiry.topic(format!("whether mail of the sender {} passes", sender.name));
        let now = u64::try_from(inquiry.now()).unwrap_or_default();
        for ip in &sender.addresses {
            let simulation = simulate_sender(inquiry.lookup(), sender, *ip, now);
            let Some(simulation) = inquiry.take(simulation) else { continue };
            judge(inquiry, sender, &simulation);
        }
    }
}

fn judge(inquiry: &mut Inquiry<'_>, sender: &Sender, simulation: &Simulation) {
    let subject = sender.author_domain.to_text_without_dot();
    let name = &sender.name;
    let passes = [&simulation.dmarc, &simulation.dmarc_rfc7489].map(|evaluation| evaluation.result);
    let way = format!(
        "SPF {} for {}, {}",
        word(simulation),
        simulation.spf.domain,
        match simulation.dkim.first() {
            Some(signature) => format!("DKIM {} ({})", signature.result, signature.reason),
            None => "no DKIM signature".to_owned(),
        }
    );
    inquiry.note(subject.clone(), format!("sender {name}: DMARC {} ({way})", simulation.dmarc.result));
    if passes.contains(&DmarcResult::TempError) || passes.contains(&DmarcResult::None) {
        return;
    }
    let failing = passes.contains(&DmarcResult::Fail);
    if failing && simulation.worst() > Policy::None {
        let (severity, who) =
            if sender.required { (Severity::Error, "required sender") } else { (Severity::Warning, "sender") };
        let policy = simulation.worst().as_str();
        let message = format!("mail of the {who} {name} fails DMARC, and the policy is {policy}: {way}");
        inquiry.find_as("DMARC-18", severity, subject.clone(), message);
    } else if failing && inquiry.subject().bulk {
        inquiry.find("BULK-02", subject.clone(), format!("mail of the sender {name} has no aligned path: {way}"));
    }
    strict(inquiry, sender, &simulation.dmarc, &subject);
    if inquiry.subject().bulk && !failing && !(simulation.dmarc.spf_aligned && simulation.dmarc.dkim_aligned) {
        let only = if simulation.dmarc.spf_aligned { "SPF" } else { "DKIM" };
        inquiry.find("BULK-05", subject, format!("of the sender {name} only {only} is aligned"));
    }
}

/// DMARC-15: an authenticated name of the same organization that strict alignment does not take.
fn strict(inquiry: &mut Inquiry<'_>, sender: &Sender, evaluation: &dmarc::Evaluation, subject: &str) {
    for checked in &evaluation.checked {
        let strictly = checked.alignment == Some((Aligned::No, Alignment::Strict)) && checked.outcome == Outcome::Pass;
        if !strictly {
            continue;
        }
        let reader = evaluation.discovery.reader;
        let relaxed =
            dmarc::aligned(inquiry.lookup(), &sender.author_domain, &checked.domain, Alignment::Relaxed, reader);
        if inquiry.take(relaxed) == Some(Aligned::Yes) {
            let tag = match checked.mechanism {
                Mechanism::Spf => "aspf",
                Mechanism::Dkim => "adkim",
            };
            let domain = checked.domain.to_text_without_dot();
            let message = format!("`{tag}=s` does not take {domain}, which the sender {} uses", sender.name);
            inquiry.find("DMARC-15", subject, message);
        }
    }
}

fn word(simulation: &Simulation) -> String {
    format!("{:?}", simulation.spf.result).to_lowercase()
}

#[cfg(test)]
mod tests {
    use mailzone_record::Name;

    use crate::Sender;
    use crate::rules::testing::{KEY, World};

    fn world(dmarc: &str, lines: &str) -> World {
        let key = format!("s1._domainkey TXT \"v=DKIM1; p={KEY}\"");
        let mut world = World::new(&format!(
            "@ TXT \"v=spf1 ip4:192.0.2.1 -all\"\nnews TXT \"v=spf1 ip4:192.0.2.2 -all\"\n{key}\n_dmarc TXT \"{dmarc}\"\n{lines}"
        ));
        world.subject.senders = vec![Sender {
            name: "shop".into(),
            addresses: vec!["192.0.2.2".parse().unwrap()],
            helo: None,
            envelope_domain: None,
            dkim: None,
            author_domain: Name::parse("example.test").unwrap(),
            required: true,
        }];
        world
    }

    #[test]
    fn a_required_sender_that_fails() {
        let found = world("v=DMARC1; p=reject", "");
        let finding = found.finds("DMARC-18").only().clone();
        assert_eq!(format!("{:?}", finding.severity), "Error");
        world("v=DMARC1; p=none", "").lacks("DMARC-18");
        let mut passes = world("v=DMARC1; p=reject", "");
        passes.subject.senders[0].envelope_domain = Some(Name::parse("news.example.test").unwrap());
        passes.lacks("DMARC-18");
        let mut signs = world("v=DMARC1; p=reject", "");
        signs.subject.senders[0].dkim = Some((Name::parse("example.test").unwrap(), "s1".into()));
        signs.lacks("DMARC-18");
        let mut other = world("v=DMARC1; p=reject", "");
        other.subject.senders[0].required = false;
        assert_eq!(format!("{:?}", other.finds("DMARC-18").only().severity), "Warning");
    }

    #[test]
    fn strict_alignment_and_a_sub_domain() {
        let mut strict = world("v=DMARC1; p=none; aspf=s", "");
        strict.subject.senders[0].envelope_domain = Some(Name::parse("news.example.test").unwrap());
        strict.finds("DMARC-15").only();
        let mut relaxed = world("v=DMARC1; p=none", "");
        relaxed.subject.senders[0].envelope_domain = Some(Name::parse("news.example.test").unwrap());
        relaxed.lacks("DMARC-15");
    }

    #[test]
    fn bulk_mail_by_one_way_or_none() {
        let mut none = world("v=DMARC1; p=none", "");
        none.subject.bulk = true;
        none.finds("BULK-02").only();
        none.lacks("BULK-05");
        none.subject.senders[0].envelope_domain = Some(Name::parse("news.example.test").unwrap());
        none.lacks("BULK-02");
        none.finds("BULK-05").only();
        none.subject.senders[0].dkim = Some((Name::parse("example.test").unwrap(), "s1".into()));
        none.lacks("BULK-05");
    }
}
