//! What large receivers ask of bulk senders (rule book 16), and how far SPF, DKIM and DMARC go.

use mailzone_mailauth::MailUse;
use mailzone_mailauth::dkim::PublicKey;
use mailzone_mailauth::dmarc::{Place, Policy};
use mailzone_mailauth::spf::{self, Qualifier, Request, SpfResult};

use super::hosts::addresses;
use super::standing::{self, Dmarc, Keys, Spf};
use crate::{Inquiry, Measure};

/// Addresses for which SPF is evaluated.
const ADDRESSES: usize = 16;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    // The areas of these records say what is open.
    inquiry.topic("");
    let spf = standing::spf(inquiry, domain);
    let keys = standing::keys(inquiry);
    let dmarc = standing::dmarc(inquiry);
    let silent = is_silent(inquiry, spf.as_ref());
    if let Some(spf) = &spf {
        let (share, why) = spf_share(spf);
        inquiry.measure(Measure::Spf, share, why);
    }
    measure_keys(inquiry, &keys, silent);
    if let Some(dmarc) = &dmarc {
        let (share, why) = dmarc_share(dmarc);
        inquiry.measure(Measure::Dmarc, share, why);
    }
    if silent {
        return;
    }
    let by_spf = spf.as_ref().and_then(|spf| passes(inquiry, spf));
    let by_dkim = if keys.live.is_empty() { (keys.named && !keys.open).then_some(false) } else { Some(true) };
    measure_ways(inquiry, by_spf, by_dkim);
    if inquiry.subject().bulk {
        demands(inquiry, spf.as_ref(), &keys, dmarc.as_ref());
        if inquiry.subject().senders.is_empty() {
            ways(inquiry, by_spf, by_dkim);
        }
    }
}

/// Whether the domain sends no mail.
fn is_silent(inquiry: &Inquiry<'_>, spf: Option<&Spf>) -> bool {
    match inquiry.subject().mail {
        Some(MailUse::None | MailUse::Receive) => true,
        Some(_) => false,
        None => matches!(spf, Some(Spf::Good { nobody: true, .. })),
    }
}

fn spf_share(spf: &Spf) -> (u8, String) {
    match spf {
        Spf::Absent => (0, "no SPF record".to_owned()),
        Spf::Broken(why) => (0, why.clone()),
        Spf::Good { nobody: true, .. } => (100, "SPF: nobody may send".to_owned()),
        Spf::Good { rest, .. } => match rest {
            Qualifier::Fail => (100, "SPF with -all".to_owned()),
            // Under DMARC it is as good, and spares forwarded mail (RFC 9989 section 7.1).
            Qualifier::SoftFail => (100, "SPF with ~all".to_owned()),
            Qualifier::Neutral => (33, "SPF that says nothing of everybody else".to_owned()),
            Qualifier::Pass => (0, "SPF with +all".to_owned()),
        },
    }
}

fn dmarc_share(dmarc: &Dmarc) -> (u8, String) {
    let Some(applied) = dmarc.applied.as_ref().filter(|_| dmarc.in_force) else {
        return (0, "no DMARC record in force".to_owned());
    };
    let record = &applied.record;
    let reports = record.report_addresses().next().is_some();
    let share = match dmarc.policy {
        Policy::Reject => 100,
        Policy::Quarantine => 70,
        Policy::None if reports => 30,
        Policy::None => 10,
    };
    let why = format!("DMARC {}", dmarc.policy.as_str());
    let weaker = applied.place == Place::AuthorDomain
        && record.effective_subdomain_policy().min(record.effective_nonexistent_policy()) < dmarc.policy;
    match weaker {
        true => (share - 20, format!("{why}, and less below the domain")),
        false => (share, why),
    }
}

fn measure_keys(inquiry: &mut Inquiry<'_>, keys: &Keys, silent: bool) {
    if silent {
        match keys.live.is_empty() {
            true if !keys.open => inquiry.measure(Measure::Dkim, 100, "no mail, and no DKIM key"),
            true => {}
            false => inquiry.measure(Measure::Dkim, 0, "no mail, and a DKIM key"),
        }
        return;
    }
    let sizes: Vec<usize> = keys.live.iter().map(|(_, key)| size(key)).collect();
    let (Some(best), Some(worst)) = (sizes.iter().max(), sizes.iter().min()) else {
        if keys.named && !keys.open {
            inquiry.measure(Measure::Dkim, 0, "no DKIM key at the selectors");
        }
        return;
    };
    let share = if *best >= 2048 { 100 } else { u8::from(*best >= 1024) * 60 };
    inquiry.measure(Measure::Dkim, share, format!("DKIM with a key of {best} bits"));
    let share = if *worst >= 2048 { 100 } else { u8::from(*worst >= 1024) * 50 };
    inquiry.measure(Measure::DkimSize, share, format!("no DKIM key under {worst} bits"));
}

/// The size in bits of an RSA key that is as strong.
fn size(key: &PublicKey) -> usize {
    match key {
        PublicKey::Rsa(key) => key.bits(),
        PublicKey::Ed25519(_) => 2048,
    }
}

/// Whether SPF passes for the sending hosts; where they are not known, whether it can for anybody.
fn passes(inquiry: &mut Inquiry<'_>, spf: &Spf) -> Option<bool> {
    match spf {
        Spf::Absent | Spf::Broken(_) | Spf::Good { somebody: false, .. } => return Some(false),
        Spf::Good { .. } => {}
    }
    let subject = inquiry.subject();
    let sender = format!("postmaster@{}", subject.domain.to_text_without_dot());
    let mut all = Vec::new();
    for host in &subject.hosts {
        let list = match (&host.name, host.addresses.is_empty()) {
            (Some(name), true) => addresses(inquiry, name).list,
            _ => host.addresses.clone(),
        };
        let helo = host.helo.as_ref().or(host.name.as_ref()).unwrap_or(&subject.domain).to_text_without_dot();
        all.extend(list.into_iter().map(|address| (address, helo.clone())));
    }
    let mut known = true;
    for (address, helo) in all.into_iter().take(ADDRESSES) {
        let result = spf::check(&Request::new(address, &helo, &sender), inquiry.lookup());
        match inquiry.take(result).map(|evaluation| evaluation.result) {
            Some(SpfResult::Pass) => {}
            None | Some(SpfResult::TempError) => known = false,
            Some(_) => return Some(false),
        }
    }
    known.then_some(true)
}

fn measure_ways(inquiry: &mut Inquiry<'_>, by_spf: Option<bool>, by_dkim: Option<bool>) {
    let (share, why) = match (by_spf, by_dkim) {
        (Some(true), Some(true)) => (100, "SPF and DKIM can pass for the domain"),
        (Some(true), _) => (100, "SPF can pass for the domain"),
        (_, Some(true)) => (100, "DKIM can pass for the domain"),
        (Some(false), Some(false)) => (0, "neither SPF nor DKIM can pass for the domain"),
        _ => return,
    };
    inquiry.measure(Measure::SpfOrDkim, share, why);
    inquiry.measure(Measure::Aligned, share, why);
}

/// BULK-01, BULK-03, BULK-04, BULK-06.
fn demands(inquiry: &mut Inquiry<'_>, spf: Option<&Spf>, keys: &Keys, dmarc: Option<&Dmarc>) {
    let name = inquiry.domain().to_text_without_dot();
    match spf {
        Some(Spf::Absent) => inquiry.find("BULK-01", name.as_str(), "no SPF record"),
        Some(Spf::Broken(why)) => inquiry.find("BULK-01", name.as_str(), why.as_str()),
        Some(Spf::Good { .. }) | None => {}
    }
    if keys.live.is_empty() && keys.named && !keys.open {
        inquiry.find("BULK-01", name.as_str(), "no DKIM key");
    }
    if dmarc.is_some_and(|dmarc| !dmarc.in_force) {
        inquiry.find("BULK-01", name.as_str(), "no DMARC record in force");
    }
    for (owner, key) in keys.live.iter().filter(|(_, key)| size(key) < 2048) {
        inquiry.find("BULK-04", owner.to_text_without_dot(), format!("a key of {} bits", size(key)));
    }
    for (measure, code) in [(Measure::Fcrdns, "BULK-03"), (Measure::TakesMail, "BULK-06")] {
        if let Some(why) = inquiry.measured(measure).filter(|seen| seen.share < 100).map(|seen| seen.why.clone()) {
            inquiry.find(code, name.as_str(), why);
        }
    }
}

/// BULK-02, BULK-05, where no sender is known by name: those are simulated.
fn ways(inquiry: &mut Inquiry<'_>, by_spf: Option<bool>, by_dkim: Option<bool>) {
    let (code, message) = match (by_spf, by_dkim) {
        (Some(false), Some(false)) => ("BULK-02", "neither SPF nor DKIM can pass for the domain"),
        (Some(true), Some(false)) => ("BULK-05", "SPF alone: there is no DKIM key"),
        (Some(false), Some(true)) => ("BULK-05", "DKIM alone: SPF does not pass for the sending hosts"),
        _ => return,
    };
    inquiry.find(code, inquiry.domain().to_text_without_dot(), message);
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::MailUse;
    use mailzone_record::{Name, RecordType};

    use crate::rules::testing::{KEY, World};
    use crate::{Measure, Selector, SelectorSource, SendingHost};

    const SHORT: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDIPrB492alUlU0TWvpcBDX1NBo5vLgUHoZrb29OjDAlLbtZsaiXUJEOCPg3eGe53zdrA6eUx7GA4ZwOaQR5AUoMCAIZoXQIuSmp8GFjQNXIvZ7xda9BBXlMOf7o7JiOpSdgBe4IA/pKa8HXBVX1RplRRfNqyUcS7iufXYXnOrLWwIDAQAB";

    fn zone() -> String {
        format!(
            "@ MX 10 mail\nmail A 192.0.2.25\n@ TXT \"v=spf1 mx -all\"\ns1._domainkey TXT \"v=DKIM1; p={KEY}\"\n\
             _dmarc TXT \"v=DMARC1; p=reject; rua=mailto:a@example.test\""
        )
    }

    fn world(zone: &str) -> World {
        let reverse = "25 PTR mail.example.test.";
        let mut world = World::zones(&[("example.test", zone), ("2.0.192.in-addr.arpa", reverse)]);
        world.subject.bulk = true;
        world.subject.mail = Some(MailUse::Both);
        world.subject.selectors.push(Selector { name: "s1".to_owned(), source: SelectorSource::Named });
        world.subject.hosts.push(SendingHost {
            name: Some(Name::parse("mail.example.test").unwrap()),
            addresses: Vec::new(),
            helo: None,
            reverse: true,
        });
        world
    }

    fn share(world: &World, measure: Measure) -> Option<u8> {
        world.audit().measures.get(&measure).map(|seen| seen.share)
    }

    #[test]
    fn a_good_sender() {
        let world = world(&zone());
        for code in 1..=6 {
            world.lacks(&format!("BULK-{code:02}"));
        }
        for measure in [Measure::Spf, Measure::Dkim, Measure::Dmarc, Measure::DkimSize, Measure::Aligned] {
            assert_eq!(share(&world, measure), Some(100), "{measure:?}");
        }
    }

    #[test]
    fn what_is_missing() {
        let with = |from: &str, to: &str| world(&zone().replace(from, to));
        with("@ TXT", "x TXT").finds("BULK-01").only();
        with("mx -all", "mx mx:a:b -all").finds("BULK-01").only();
        with("s1._domainkey", "s2._domainkey").finds("BULK-01").only();
        with("_dmarc TXT", "x TXT").finds("BULK-01").only();
        with("mx -all", "-all").finds("BULK-05").only();
        with("mx -all", "ip4:198.51.100.1 -all").finds("BULK-05").only();
        with("s1._domainkey", "s2._domainkey").finds("BULK-05").only();
        world(&zone().replace("mx -all", "-all").replace("s1._", "s2._")).finds("BULK-02").only();
        with("@ MX 10 mail", "@ MX 0 .").finds("BULK-06").only();
        with("192.0.2.25", "192.0.2.26").finds("BULK-03").only();
        with(KEY, SHORT).finds("BULK-04").only();
    }

    #[test]
    fn who_sends_little_is_not_asked() {
        let mut world = world("@ MX 10 mail\nmail A 192.0.2.25");
        world.subject.bulk = false;
        for code in 1..=6 {
            world.lacks(&format!("BULK-{code:02}"));
        }
        assert_eq!(share(&world, Measure::Spf), Some(0));
    }

    #[test]
    fn shares() {
        let spf = |text: &str| share(&world(&zone().replace("mx -all", text)), Measure::Spf);
        assert_eq!((spf("mx ~all"), spf("mx"), spf("mx ?all")), (Some(100), Some(33), Some(33)));
        assert_eq!((spf("+all"), spf("mx redirect=missing.test")), (Some(0), Some(0)));
        let target = format!("{}\nother TXT \"v=spf1 mx ~all\"", zone());
        let redirected = world(&target.replace("mx -all", "redirect=other.example.test"));
        assert_eq!(share(&redirected, Measure::Spf), Some(100));
        let dmarc = |text: &str| share(&world(&zone().replace("p=reject", text)), Measure::Dmarc);
        assert_eq!((dmarc("p=quarantine"), dmarc("p=none")), (Some(70), Some(30)));
        assert_eq!((dmarc("p=reject; sp=none"), dmarc("p=reject; t=y")), (Some(80), Some(70)));
        assert_eq!(share(&world(&zone().replace(KEY, SHORT)), Measure::Dkim), Some(60));
    }

    #[test]
    fn not_known_is_not_good() {
        let mut open = World::new("");
        open.subject.domain = Name::parse("elsewhere.test").unwrap();
        for name in ["elsewhere.test", "_dmarc.elsewhere.test", "s1._domainkey.elsewhere.test"] {
            open.fails(name, RecordType::TXT);
        }
        open.subject.selectors.push(Selector { name: "s1".to_owned(), source: SelectorSource::Named });
        for measure in [Measure::Spf, Measure::Dkim, Measure::Dmarc, Measure::Aligned] {
            assert_eq!(share(&open, measure), None, "{measure:?}");
        }
        let mut guessed = world(&zone());
        guessed.subject.selectors = vec![Selector { name: "s9".to_owned(), source: SelectorSource::Guessed }];
        assert_eq!(share(&guessed, Measure::Dkim), None);
    }

    #[test]
    fn a_domain_without_mail_needs_no_key() {
        let mut world = world("@ MX 0 .\n@ TXT \"v=spf1 -all\"");
        world.subject.mail = Some(MailUse::None);
        assert_eq!(share(&world, Measure::Dkim), Some(100));
        world.lacks("BULK-01");
    }
}
