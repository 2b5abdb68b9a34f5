//! DMARC (rule book 4): the record, where its reports go, and what it means beside the records above it.

use mailzone_mailauth::dmarc::{
    Consent, Discovery, Dmarc, Found, Organizational, Place, Policy, Psd, Reader, Reading, Record, discover,
    organizational_domain, report_authorisation,
};
use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::spf::{Qualifier, Selected};
use mailzone_mailauth::{Kind, Recognition, Severity};
use mailzone_record::{Name, RRsetKey, Rdata, RecordType};

use crate::Inquiry;
use crate::rules::common::{takes_mail, text};

const DAY: i64 = 86_400;
/// After so long a test is forgotten (rule book 4.6).
const TESTING: i64 = 30 * DAY;
/// After so long monitoring is: three times what the steps of the ladder ask for (rule book 20).
const MONITORING: i64 = 90 * DAY;

/// Addresses beyond which nothing is asked any more: senders of reports stop earlier.
const ADDRESSES: usize = 10;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    let Ok(owner) = domain.prepend("_dmarc") else { return };
    at_the_domain(inquiry);
    inquiry.topic(format!("the DMARC record of {}", domain.to_text_without_dot()));
    let (at, end) = (inquiry.dns_at(&owner, RecordType::TXT), inquiry.dns(&owner, RecordType::TXT));
    let found = discovery(inquiry);
    let (Some(at), Some(end)) = (at, end) else { return };
    let mut values: Vec<Rdata> = match end {
        Answer::Records(values, _) => values.to_vec(),
        Answer::TempError | Answer::Unknown => {
            return inquiry.note(owner.to_text_without_dot(), "no answer from the DNS");
        }
        Answer::NoData | Answer::NxDomain => Vec::new(),
    };
    wildcard(inquiry, &owner, &values);
    let records: Vec<Record> = values.iter().filter_map(|value| Record::parse(&text(value)).ok()).collect();
    for value in values.iter().filter(|value| Dmarc.recognise(value) == Recognition::Candidate) {
        inquiry.note(owner.to_text_without_dot(), text(value));
    }
    if let Answer::Records(aliases, _) = &at {
        values.extend(aliases.iter().filter(|value| matches!(value, Rdata::Cname(_))).cloned());
    }
    let age = age(inquiry, &owner);
    for finding in Dmarc.lint(&owner, &values.iter().collect::<Vec<_>>()) {
        let said_below = match finding.code.as_str() {
            "DMARC-13" => age.is_some_and(|age| age > TESTING),
            "DMARC-14" => true,
            _ => false,
        };
        if !said_below {
            inquiry.add(finding);
        }
    }
    match records.as_slice() {
        [] => doubled(inquiry, &owner),
        [record] => {
            policy(inquiry, &owner, record, age);
            reports(inquiry, &owner, record);
            public_suffix(inquiry, &owner, record);
            if let Some(found) = found {
                beside_parent(inquiry, &owner, record, &found);
            }
        }
        _ => {}
    }
}

/// How long the record is there, in seconds.
fn age(inquiry: &Inquiry<'_>, owner: &Name) -> Option<i64> {
    let key = RRsetKey { name: owner.clone(), rtype: RecordType::TXT };
    inquiry.subject().since.get(&key).map(|since| inquiry.now().saturating_sub(*since))
}

/// Which policy holds, by the tree walk.
fn discovery(inquiry: &mut Inquiry<'_>) -> Option<Discovery> {
    let (domain, lookup) = (inquiry.domain(), inquiry.lookup());
    let name = domain.to_text_without_dot();
    inquiry.topic(format!("which DMARC policy holds for {name}"));
    let found = inquiry.take(discover(lookup, domain, Reader::Rfc9989))?;
    let said = match (&found.applied, found.effective) {
        (Some(applied), Some(effective)) => {
            let weakened = match effective.is_weakened() {
                true => format!(", applied as {}", effective.disposition),
                false => String::new(),
            };
            let (policy, at) = (effective.policy.as_str(), applied.domain.to_text_without_dot());
            format!("the policy is {policy} (`{}` of _dmarc.{at}){weakened}", effective.tag)
        }
        _ if found.is_temp_error() => "which policy holds is not known: no answer from the DNS".to_owned(),
        (Some(applied), None) => format!("the record of {} is void: no policy", applied.domain.to_text_without_dot()),
        (None, _) => "no DMARC record holds".to_owned(),
    };
    inquiry.note(name.clone(), said);
    // The names that it asks for are among those of the walk.
    if let Some(old) = inquiry.take(discover(lookup, domain, Reader::Rfc7489))
        && let (Some(new), Some(old)) = (found.effective, old.effective)
        && new.disposition != old.disposition
    {
        let message = format!("receivers of the earlier generation (RFC 7489) apply {}", old.disposition);
        inquiry.note(name, message);
    }
    Some(found)
}

/// DMARC-02 for a record that stands at the domain itself.
fn at_the_domain(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    inquiry.topic("");
    let Some(mut values) = inquiry.records(domain, RecordType::TXT) else { return };
    values.retain(|value| Dmarc.recognise(value) == Recognition::Candidate);
    for finding in Dmarc.lint(domain, &values.iter().collect::<Vec<_>>()) {
        // What else is wrong with it matters when it is where it belongs.
        if finding.code == "DMARC-02" {
            inquiry.add(finding);
        }
    }
}

/// DMARC-02 for a record whose name was completed once too often.
fn doubled(inquiry: &mut Inquiry<'_>, owner: &Name) {
    let subject = owner.to_text_without_dot();
    let Ok(wrong) = inquiry.domain().prepend(&subject) else { return };
    inquiry.topic("");
    let Some(values) = inquiry.records(&wrong, RecordType::TXT) else { return };
    if values.iter().any(|value| Dmarc.recognise(value) == Recognition::Candidate) {
        let at = wrong.to_text_without_dot();
        let message = format!(
            "the record stands at {at}: the domain stands twice, since a name without a final dot was completed"
        );
        inquiry.find_with("DMARC-02", subject.clone(), message, Some(format!("move the record to {subject}")));
    }
}

/// DMARC-09, DMARC-11, DMARC-13.
fn policy(inquiry: &mut Inquiry<'_>, owner: &Name, record: &Record, age: Option<i64>) {
    if record.reading() != Reading::Valid {
        return;
    }
    let subject = owner.to_text_without_dot();
    let older = |limit: i64| age.is_some_and(|age| age > limit);
    if record.effective_policy() == Policy::None {
        if older(MONITORING) {
            let message = "`p=none` for more than 90 days: what the reports show is not acted on";
            inquiry.find("DMARC-09", subject.clone(), message);
        } else {
            let message = "`p=none`: reports are collected, and nobody is protected";
            inquiry.find_as("DMARC-09", Severity::Info, subject.clone(), message);
        }
    }
    if record.is_testing() && older(TESTING) {
        inquiry.find("DMARC-13", subject.clone(), "`t=y` for more than 30 days: the policy is applied one step weaker");
    }
    let invented = record.effective_nonexistent_policy();
    if inquiry.subject().scope.completeness && record.np.given().is_none() && invented < Policy::Reject {
        let message = format!("mail from names that do not exist gets the policy {}", invented.as_str());
        inquiry.find("DMARC-11", subject, message);
    }
}

/// DMARC-07 and DMARC-08, for addresses that work by their syntax.
fn reports(inquiry: &mut Inquiry<'_>, owner: &Name, record: &Record) {
    let subject = owner.to_text_without_dot();
    let (domain, lookup) = (inquiry.domain(), inquiry.lookup());
    let addresses = record.rua.iter().map(|uri| ("rua", uri)).chain(record.ruf.iter().map(|uri| ("ruf", uri)));
    for (tag, uri) in addresses.take(ADDRESSES) {
        let Some(host) = uri.host().filter(|_| uri.is_uri()) else { continue };
        let at = host.to_text_without_dot();
        inquiry.topic(format!("whether {at} takes reports about {}", domain.to_text_without_dot()));
        match inquiry.take(report_authorisation(lookup, domain, uri, Reader::Rfc9989)) {
            Some(Consent::Missing { owner }) => {
                let wanted = owner.to_text_without_dot();
                let message = format!("`{tag}`: {at} does not consent, so no report goes to {}", uri.uri);
                let remedy = format!("publish `v=DMARC1` as TXT at {wanted}, or ask the operator of {at} to");
                inquiry.find_with("DMARC-07", subject.clone(), message, Some(remedy));
            }
            Some(Consent::Impossible) => {
                let message = format!("`{tag}`: {at} cannot consent, the name of its record would be too long");
                inquiry.find_with(
                    "DMARC-07",
                    subject.clone(),
                    message,
                    Some("name an address of the domain".to_owned()),
                );
            }
            _ => {}
        }
        inquiry.topic(format!("whether {at} takes mail"));
        if uri.mailbox().is_some() && takes_mail(inquiry, &host) == Some(false) {
            let message = format!("`{tag}`: {at} takes no mail, reports to {} come back", uri.uri);
            inquiry.find_as("DMARC-08", Severity::Warning, subject.clone(), message);
        }
    }
}

/// DMARC-14, by the public suffix list.
fn public_suffix(inquiry: &mut Inquiry<'_>, owner: &Name, record: &Record) {
    if record.psd.given() != Some(&Psd::Yes) {
        return;
    }
    let (domain, lookup) = (inquiry.domain(), inquiry.lookup());
    // Below a public suffix every label is somebody's own domain.
    let Ok(below) = domain.prepend("x") else { return };
    let organizational = inquiry.take(organizational_domain(lookup, &below, Reader::Rfc7489));
    if organizational != Some(Organizational::Domain(below)) {
        let name = domain.to_text_without_dot();
        let message = format!("`psd=y`, and {name} is no public suffix: its sub-domains no longer belong to it");
        inquiry.find_as("DMARC-14", Severity::Error, owner.to_text_without_dot(), message);
    }
}

/// DMARC-19.
fn beside_parent(inquiry: &mut Inquiry<'_>, owner: &Name, record: &Record, found: &Discovery) {
    let own = found.applied.as_ref().is_some_and(|applied| applied.place == Place::AuthorDomain);
    let Some(organizational) = found.organizational.domain().filter(|_| own) else { return };
    let above = found.visits.iter().find(|visit| visit.domain == *organizational && visit.domain != *inquiry.domain());
    let Some(Found::Record(parent)) = above.map(|visit| &visit.found) else { return };
    let (mine, theirs) = (record.effective_policy(), parent.effective_subdomain_policy());
    if mine < theirs {
        let (mine, theirs, at) = (mine.as_str(), theirs.as_str(), organizational.to_text_without_dot());
        let message = format!("the policy is {mine}, and without this record that of {at} would hold: {theirs}");
        inquiry.find("DMARC-19", owner.to_text_without_dot(), message);
    }
}

/// DMARC-21.
fn wildcard(inquiry: &mut Inquiry<'_>, owner: &Name, values: &[Rdata]) {
    inquiry.topic("");
    let Ok(wildcard) = inquiry.domain().prepend("*") else { return };
    let Some(wild) = inquiry.records(&wildcard, RecordType::TXT) else { return };
    let is_dmarc = |value: &Rdata| Dmarc.recognise(value) != Recognition::Foreign;
    if wild.is_empty() || wild.iter().any(is_dmarc) {
        return;
    }
    let subject = wildcard.to_text_without_dot();
    if values == wild {
        let message = format!("it answers at {} too, with what is no DMARC record", owner.to_text_without_dot());
        inquiry.find("DMARC-21", subject, message);
    } else if !sends_nothing(&wild) {
        let message = "it answers at `_dmarc` names of sub-domains too, with what is no DMARC record";
        inquiry.find("DMARC-21", subject, message);
    }
}

/// Whether these are `v=spf1 -all` alone, as it is published on purpose for names that send nothing (rule book 15).
fn sends_nothing(values: &[Rdata]) -> bool {
    match Selected::among(values) {
        Selected::Record { record, .. } => {
            values.len() == 1 && record.terms.len() == 1 && record.all() == Some(Qualifier::Fail)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_mailauth::lookup::{Answer, Answers, Overlay};
    use mailzone_record::{Name, RRsetKey, RecordType};

    use crate::rules::testing::World;

    fn with(record: &str, more: &str) -> World {
        World::new(&format!("@ MX 10 m\nm A 8.8.8.8\n_dmarc TXT \"{record}\"\n{more}"))
    }

    /// The same, the record there for so many days.
    fn aged(record: &str, days: i64) -> World {
        let mut world = with(record, "");
        world.facts.now = 2_000_000_000;
        let key = RRsetKey { name: Name::parse("_dmarc.example.test").unwrap(), rtype: RecordType::TXT };
        world.subject.since.insert(key, 2_000_000_000 - days * 86_400);
        world
    }

    const GOOD: &str = "v=DMARC1; p=reject; rua=mailto:a@example.test";

    #[test]
    fn nothing_to_say_of_a_good_record() {
        let audit = with(GOOD, "").audit();
        let notes: Vec<String> = audit.notes.iter().map(|note| format!("{}: {}", note.subject, note.text)).collect();
        assert!(
            notes.contains(&"example.test: the policy is reject (`p` of _dmarc.example.test)".to_owned()),
            "{notes:?}"
        );
        let codes: Vec<String> = audit.into_findings().map(|finding| finding.code).collect();
        assert!(!codes.iter().any(|code| code.starts_with("DMARC")), "{codes:?}");
    }

    #[test]
    fn records_under_wrong_names() {
        let only = |world: World| {
            let found = world.finds("DMARC-02");
            format!("{}: {} [{}]", found.only().subject, found.only().message, found.only().remedy)
        };
        insta::assert_snapshot!(only(World::new(&format!("@ TXT \"{GOOD}\""))), @"example.test: a DMARC record under a name that does not begin with `_dmarc`: nobody looks for it here [move it to `_dmarc` below the domain]");
        insta::assert_snapshot!(only(World::new(&format!("_dmarc.example.test TXT \"{GOOD}\""))), @"_dmarc.example.test: the record stands at _dmarc.example.test.example.test: the domain stands twice, since a name without a final dot was completed [move the record to _dmarc.example.test]");
        with(GOOD, "").lacks("DMARC-02");
    }

    #[test]
    fn records_are_linted() {
        with("v=DMARC1; p=nope", "").finds("DMARC-03");
        with(GOOD, &format!("_dmarc TXT \"{}\"", GOOD.replace("reject", "none"))).finds("DMARC-01");
        World::new("_dmarc CNAME dmarc.ionos.de.").finds("DMARC-24");
        World::new(&format!("_dmarc CNAME d\nd TXT \"{GOOD}\"")).lacks("DMARC-24");
    }

    #[test]
    fn consent_to_reports() {
        let zone = |more: &str| {
            World::zones(&[
                (
                    "example.test",
                    "_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:a@reports.test,mailto:b@in.example.test\"\nin MX 10 m\nm A 8.8.8.8",
                ),
                ("reports.test", &format!("@ MX 10 m\nm A 8.8.8.8\n{more}")),
            ])
        };
        let found = zone("").finds("DMARC-07");
        insta::assert_snapshot!(format!("{} [{}]", found.only().message, found.only().remedy), @"`rua`: reports.test does not consent, so no report goes to mailto:a@reports.test [publish `v=DMARC1` as TXT at example.test._report._dmarc.reports.test, or ask the operator of reports.test to]");
        zone("example.test._report._dmarc TXT \"v=DMARC1\"").lacks("DMARC-07");
        zone("*._report._dmarc TXT \"v=DMARC1;\"").lacks("DMARC-07");
    }

    #[test]
    fn report_addresses_that_take_no_mail() {
        let found = with("v=DMARC1; p=reject; rua=mailto:a@none.example.test", "").finds("DMARC-08");
        assert_eq!(found.only().severity, Severity::Warning);
        with(GOOD, "").lacks("DMARC-08");
    }

    #[test]
    fn monitoring_without_an_end() {
        let none = "v=DMARC1; p=none; rua=mailto:a@example.test";
        assert_eq!(with(none, "").finds("DMARC-09").only().severity, Severity::Info);
        assert_eq!(aged(none, 90).finds("DMARC-09").only().severity, Severity::Info);
        assert_eq!(aged(none, 91).finds("DMARC-09").only().severity, Severity::Warning);
        aged(GOOD, 91).lacks("DMARC-09");
    }

    #[test]
    fn names_that_do_not_exist() {
        let weak = "v=DMARC1; p=quarantine; rua=mailto:a@example.test";
        with(weak, "").finds("DMARC-11");
        with(&format!("{weak}; np=reject"), "").lacks("DMARC-11");
        with(GOOD, "").lacks("DMARC-11");
        let mut world = with(weak, "");
        world.subject.scope.completeness = false;
        world.lacks("DMARC-11");
    }

    #[test]
    fn generations_that_differ() {
        let notes = |record: &str| with(record, "").audit().notes.into_iter().map(|note| note.text).collect::<Vec<_>>();
        let old = "receivers of the earlier generation (RFC 7489) apply";
        assert!(notes("v=DMARC1; p=reject; t=y").contains(&format!("{old} reject")));
        assert!(
            notes("v=DMARC1; p=reject; pct=20").contains(&format!("{old} reject for 20 %, quarantine for the rest"))
        );
        assert!(!notes(GOOD).iter().any(|note| note.starts_with(old)));
    }

    #[test]
    fn test_mode() {
        let testing = format!("{GOOD}; t=y");
        assert!(!with(&testing, "").finds("DMARC-13").only().message.contains("30 days"));
        assert!(aged(&testing, 31).finds("DMARC-13").only().message.contains("30 days"));
        assert!(!aged(&testing, 30).finds("DMARC-13").only().message.contains("30 days"));
        aged(GOOD, 31).lacks("DMARC-13");
    }

    #[test]
    fn public_suffixes() {
        let record = "v=DMARC1; p=reject; psd=y; rua=mailto:a@example.test";
        assert_eq!(with(record, "").finds("DMARC-14").only().severity, Severity::Error);
        let mut suffix = World::zones(&[("co.uk", &format!("_dmarc TXT \"{record}\""))]);
        suffix.subject.domain = Name::parse("co.uk").unwrap();
        suffix.lacks("DMARC-14");
        with(GOOD, "").lacks("DMARC-14");
    }

    #[test]
    fn sub_domains_weaker_than_the_domain() {
        let below = |domain: &str, sub: &str| {
            let mut world = with(domain, &format!("_dmarc.news TXT \"v=DMARC1; p={sub}; rua=mailto:a@example.test\""));
            world.subject.domain = Name::parse("news.example.test").unwrap();
            world
        };
        let found = below(GOOD, "none").finds("DMARC-19");
        insta::assert_snapshot!(found.only().message, @"the policy is none, and without this record that of example.test would hold: reject");
        below(GOOD, "reject").lacks("DMARC-19");
        below(&format!("{GOOD}; sp=none"), "none").lacks("DMARC-19");
        // The domain above is not measured against itself.
        with(GOOD, "").lacks("DMARC-19");
    }

    #[test]
    fn wildcards() {
        let world = World::new("* TXT \"verification=1\"");
        assert!(world.finds("DMARC-21").only().message.contains("at _dmarc.example.test too"));
        with(GOOD, "* TXT \"verification=1\"").finds("DMARC-21");
        with(GOOD, "* TXT \"v=spf1 -all\"").lacks("DMARC-21");
        with(GOOD, &format!("* TXT \"{GOOD}\"")).lacks("DMARC-21");
        with(GOOD, "").lacks("DMARC-21");
    }

    #[test]
    fn a_failing_dns_is_no_finding() {
        let world = with("v=DMARC1; p=reject; rua=mailto:a@reports.example", "");
        let failing = Overlay { over: world.zone_data(), base: Answers::otherwise(Answer::TempError) };
        let found: Vec<_> = crate::audit(&world.subject, &world.facts, &failing).into_findings().collect();
        assert!(found.iter().all(|finding| !finding.code.starts_with("DMARC")), "{found:#?}");
        let nothing = Answers::otherwise(Answer::TempError);
        let audit = crate::audit(&world.subject, &world.facts, &nothing);
        assert_eq!(audit.into_findings().filter(|finding| finding.code.starts_with("DMARC")).count(), 0);
    }
}
