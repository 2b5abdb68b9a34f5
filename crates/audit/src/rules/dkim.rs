//! DKIM (rule book 3): the keys at the selectors that are known.

use mailzone_mailauth::dkim::{self, Dkim, KeyRecord, KeyType, PublicKey};
use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::{Kind, Severity};
use mailzone_record::{Name, RRsetKey, Rdata, RecordType};

use crate::rules::common::text;
use crate::{Inquiry, Selector, SelectorSource};

const UNDERSCORE: &str = "the underscore of `_domainkey` is missing";

const DAY: i64 = 86_400;
/// After so long a testing flag is forgotten (rule book 3.4).
const TESTING: i64 = 30 * DAY;
/// After so long a revoked key has served its purpose (rule book 3.4).
const REVOKED: i64 = 90 * DAY;
/// From this age on a key is worth a word, from the second on a warning (rule book 19).
const AGE: [i64; 2] = [182 * DAY, 365 * DAY];

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let wild = wildcard(inquiry);
    let bare = without_underscore(inquiry);
    let mut types = Vec::new();
    let mut all_known = wild.is_some();
    for selector in &inquiry.subject().selectors {
        if bare && selector.source == SelectorSource::Guessed {
            misplaced(inquiry, selector);
        }
        match one(inquiry, selector, wild.as_deref().unwrap_or_default()) {
            Some(found) => types.extend(found),
            None => all_known = false,
        }
    }
    // A selector that is not known, or did not answer, may have the RSA key.
    if all_known && types.contains(&KeyType::Ed25519) && !types.contains(&KeyType::Rsa) {
        let message =
            "no known selector has an RSA key: receivers that do not verify Ed25519 take the mail as unsigned";
        inquiry.find("DKIM-06", inquiry.domain().to_text_without_dot(), message);
    }
}

/// DKIM-17. The values of the wildcard, which answers for every selector that is not there.
fn wildcard(inquiry: &mut Inquiry<'_>) -> Option<Vec<Rdata>> {
    let Ok(owner) = inquiry.domain().prepend("*._domainkey") else { return Some(Vec::new()) };
    inquiry.topic("");
    // A star in a question stands for itself (RFC 4592 section 2.3).
    let values = inquiry.records(&owner, RecordType::TXT)?;
    let wide = |finding: &mailzone_mailauth::Finding| finding.code == "DKIM-17";
    for finding in Dkim.lint(&owner, &values.iter().collect::<Vec<_>>()).into_iter().filter(wide) {
        inquiry.add(finding);
    }
    Some(values)
}

/// Whether there is anything below `domainkey`, without the underscore: then it is worth asking for guesses there.
fn without_underscore(inquiry: &mut Inquiry<'_>) -> bool {
    let Ok(name) = inquiry.domain().prepend("domainkey") else { return false };
    inquiry.topic("");
    matches!(inquiry.dns(&name, RecordType::TXT), Some(Answer::NoData | Answer::Records(..)))
}

/// DKIM-01 for a guessed selector whose record is where nobody looks.
fn misplaced(inquiry: &mut Inquiry<'_>, selector: &Selector) {
    let Ok(wrong) = inquiry.domain().prepend(&format!("{}.domainkey", selector.name)) else { return };
    let Ok(right) = dkim::selector_name(&selector.name, inquiry.domain()) else { return };
    inquiry.topic("");
    if inquiry.records(&wrong, RecordType::TXT).is_some_and(|values| values.iter().any(is_key)) {
        let right = right.to_text_without_dot();
        let message = format!("{UNDERSCORE}: verifiers look at {right}");
        inquiry.find_with("DKIM-01", wrong.to_text_without_dot(), message, Some(format!("move the record to {right}")));
    }
}

/// Whether a verifier would take the value for a key record.
fn is_key(value: &Rdata) -> bool {
    KeyRecord::parse(&text(value)).is_ok()
}

/// The types of the live keys at a selector; `None`: not known.
fn one(inquiry: &mut Inquiry<'_>, selector: &Selector, wild: &[Rdata]) -> Option<Vec<KeyType>> {
    let named = selector.source == SelectorSource::Named;
    let Ok(owner) = dkim::selector_name(&selector.name, inquiry.domain()) else { return Some(Vec::new()) };
    let subject = owner.to_text_without_dot();
    inquiry.topic(if named { format!("whether {subject} has a key") } else { String::new() });
    let (at, end) = (inquiry.dns_at(&owner, RecordType::TXT), inquiry.dns(&owner, RecordType::TXT));
    let (at, end) = (at?, end?);
    let alias = match &at {
        Answer::Records(values, _) => values.iter().find_map(|value| match value {
            Rdata::Cname(target) => Some(target.clone()),
            _ => None,
        }),
        _ => None,
    };
    let values: Vec<Rdata> = match &end {
        Answer::Records(values, _) => values.to_vec(),
        Answer::TempError | Answer::Unknown => {
            if named {
                inquiry.note(subject, "no answer from the DNS");
            }
            return None;
        }
        Answer::NoData | Answer::NxDomain => Vec::new(),
    };
    let refs: Vec<&Rdata> = values.iter().collect();
    let has_key = Dkim.slot_at(&owner, RecordType::TXT, &refs).is_some();
    if !named && (!has_key || values == wild) {
        // An alias to a service is no accident, whoever guessed the name.
        if let Some(target) = alias.filter(|_| !has_key) {
            dangling(inquiry, &subject, &target);
        }
        return Some(Vec::new());
    }
    match (has_key, &alias) {
        (false, Some(target)) => {
            dangling(inquiry, &subject, target);
            return Some(Vec::new());
        }
        (false, None) if values.is_empty() => {
            missing(inquiry, selector, &subject);
            return Some(Vec::new());
        }
        _ => {}
    }
    for finding in Dkim.lint(&owner, &refs) {
        // Its age decides.
        if finding.code != "DKIM-09" {
            inquiry.add(finding);
        }
    }
    let mut types = Vec::new();
    for value in &refs {
        let behind = alias.as_ref().map_or(String::new(), |target| format!(" (at {})", target.to_text_without_dot()));
        inquiry.note(subject.clone(), format!("{}{behind}", Dkim.describe(value)));
        if let Ok(record) = KeyRecord::parse(&text(value)) {
            types.extend(record.public_key().map(PublicKey::key_type));
            ages(inquiry, &owner, &record, alias.is_some());
        }
    }
    Some(types)
}

/// DKIM-16.
fn dangling(inquiry: &mut Inquiry<'_>, subject: &str, target: &Name) {
    let message = format!("an alias of {}, where no key is", target.to_text_without_dot());
    inquiry.find("DKIM-16", subject, message);
}

/// DKIM-01 where nothing is at the selector, with the place where it went by mistake.
fn missing(inquiry: &mut Inquiry<'_>, selector: &Selector, subject: &str) {
    inquiry.topic("");
    let domain = inquiry.domain();
    let without_underscore = domain.prepend(&format!("{}.domainkey", selector.name)).ok();
    let doubled = domain.prepend(subject).ok();
    let mut message = "no record is there: every signature with this selector fails".to_owned();
    let mut remedy = None;
    for (wrong, mistake) in [
        (without_underscore, UNDERSCORE),
        (doubled, "the domain stands twice, since a name without a final dot was completed"),
    ] {
        let Some(wrong) = wrong else { continue };
        let Some(values) = inquiry.records(&wrong, RecordType::TXT) else { continue };
        if values.iter().any(is_key) {
            message = format!("no record is there: it stands at {}: {mistake}", wrong.to_text_without_dot());
            remedy = Some(format!("move the record to {subject}"));
            break;
        }
    }
    inquiry.find_with("DKIM-01", subject, message, remedy);
}

/// What depends on how long the record is there: DKIM-09, DKIM-12, DKIM-18.
fn ages(inquiry: &mut Inquiry<'_>, owner: &Name, record: &KeyRecord, alias: bool) {
    let key = RRsetKey { name: owner.clone(), rtype: RecordType::TXT };
    // Behind an alias it is the service's record, which it changes as it likes.
    let since = inquiry.subject().since.get(&key).filter(|_| !alias);
    let age = since.map(|since| inquiry.now().saturating_sub(*since));
    let older = |limit: i64| age.is_some_and(|age| age > limit);
    let subject = owner.to_text_without_dot();
    if record.public_key().is_none() {
        if older(REVOKED) {
            inquiry.find("DKIM-12", subject, "revoked for more than 90 days");
        }
        return;
    }
    if record.is_testing() {
        let effect = "verifiers treat mail that fails as if it were not signed";
        if older(TESTING) {
            inquiry.find("DKIM-09", subject.clone(), format!("`t=y` for more than 30 days: {effect}"));
        } else {
            inquiry.find_as("DKIM-09", Severity::Info, subject.clone(), format!("`t=y`: {effect}"));
        }
    }
    if older(AGE[1]) {
        inquiry.find("DKIM-18", subject, "the key is older than 12 months");
    } else if older(AGE[0]) {
        inquiry.find_as("DKIM-18", Severity::Info, subject, "the key is older than 6 months");
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_mailauth::lookup::{Answer, Answers, Overlay};
    use mailzone_record::{Name, RRsetKey, RecordType};

    use crate::rules::testing::{KEY, World};
    use crate::{Selector, SelectorSource};

    const ED25519: &str = "v=DKIM1; k=ed25519; p=wYbuyVZBzRo9RFtsPxMnsBHtCpESq7JPDtmQIoR0Edo=";

    /// With the selector `s1` configured and `s2` guessed.
    fn with(lines: &str) -> World {
        let mut world = World::new(lines);
        world.subject.selectors = vec![
            Selector { name: "s1".to_owned(), source: SelectorSource::Named },
            Selector { name: "s2".to_owned(), source: SelectorSource::Guessed },
        ];
        world
    }

    fn rsa(selector: &str) -> String {
        format!("{selector}._domainkey TXT \"v=DKIM1; p={KEY}\"\n")
    }

    /// The same, its record there for so many days.
    fn aged(lines: &str, days: i64) -> World {
        let mut world = with(lines);
        world.facts.now = 2_000_000_000;
        let key = RRsetKey { name: Name::parse("s1._domainkey.example.test").unwrap(), rtype: RecordType::TXT };
        world.subject.since.insert(key, 2_000_000_000 - days * 86_400);
        world
    }

    #[test]
    fn nothing_to_say_of_a_good_key() {
        let audit = with(&rsa("s1")).audit();
        let notes: Vec<&str> =
            audit.notes.iter().filter(|note| note.subject.starts_with("s1.")).map(|n| n.text.as_str()).collect();
        assert!(notes[0].starts_with("RSA 2048 bits, SHA256:"), "{notes:?}");
        let codes: Vec<String> = audit.into_findings().map(|finding| finding.code).collect();
        assert!(!codes.iter().any(|code| code.starts_with("DKIM")), "{codes:?}");
    }

    #[test]
    fn missing_and_misplaced_records() {
        let message = |world: World| {
            let found = world.finds("DKIM-01");
            format!("{} [{}]", found.only().message, found.only().remedy)
        };
        insta::assert_snapshot!(message(with("")), @"no record is there: every signature with this selector fails [publish the key again from the signer's own output]");
        insta::assert_snapshot!(message(with(&rsa("s1").replace("_domainkey", "domainkey"))), @"no record is there: it stands at s1.domainkey.example.test: the underscore of `_domainkey` is missing [move the record to s1._domainkey.example.test]");
        insta::assert_snapshot!(message(with(&rsa("s1").replace("_domainkey", "_domainkey.example.test"))), @"no record is there: it stands at s1._domainkey.example.test.example.test: the domain stands twice, since a name without a final dot was completed [move the record to s1._domainkey.example.test]");
        // A guess that is wrong says nothing.
        with(&rsa("s1")).lacks("DKIM-01");
        let guessed = with(&format!("{}{}", rsa("s1"), rsa("s2").replace("_domainkey", "domainkey")));
        assert_eq!(guessed.finds("DKIM-01").only().subject, "s2.domainkey.example.test");
        with(&format!("{}other.domainkey TXT \"hello\"", rsa("s1"))).lacks("DKIM-01");
    }

    #[test]
    fn what_is_at_a_selector_is_judged_like_a_record() {
        with("s1._domainkey TXT \"v=DKIM1; p=AAAA\"").finds("DKIM-01");
        with("s2._domainkey TXT \"v=DKIM1; p=AAAA\"")
            .finds("DKIM-01")
            .0
            .iter()
            .find(|f| f.subject.starts_with("s2"))
            .unwrap();
        with("s1._domainkey TXT \"something else\"").finds("DKIM-01");
        with(&format!("{}s1._domainkey TXT \"v=DKIM1; p=\"", rsa("s1"))).finds("DKIM-08");
        with(&rsa("s1")).lacks("DKIM-08");
    }

    #[test]
    fn ed25519_alone() {
        let ed25519 = format!("s1._domainkey TXT \"{ED25519}\"\n");
        with(&ed25519).finds("DKIM-06");
        with(&format!("{ed25519}{}", rsa("s2"))).lacks("DKIM-06");
        with(&rsa("s1")).lacks("DKIM-06");
        // The other selector gives no answer: nobody knows.
        let world = with(&ed25519);
        let mut base = Answers::otherwise(Answer::NxDomain);
        base.insert(Name::parse("keys.example").unwrap(), RecordType::TXT, Answer::TempError);
        let other = with(&format!("{ed25519}s2._domainkey CNAME keys.example."));
        let audit = crate::audit(&world.subject, &world.facts, &Overlay { over: other.zone_data(), base });
        assert!(audit.into_findings().all(|finding| finding.code != "DKIM-06"));
    }

    #[test]
    fn aliases_without_a_key() {
        let world = with("s1._domainkey CNAME k.gone.test.");
        assert_eq!(world.finds("DKIM-16").only().message, "an alias of k.gone.test, where no key is");
        world.lacks("DKIM-01");
        with("s2._domainkey CNAME k.gone.test.").finds("DKIM-16");
        with("s1._domainkey CNAME k\nk TXT \"hello\"").finds("DKIM-16");
        with(&format!("s1._domainkey CNAME k\n{}", rsa("k").replace("._domainkey", ""))).lacks("DKIM-16");
        // A target that does not answer is not gone.
        let world = with("s1._domainkey CNAME k.gone.test.");
        let failing = Overlay { over: world.zone_data(), base: Answers::otherwise(Answer::TempError) };
        let audit = crate::audit(&world.subject, &world.facts, &failing);
        assert!(audit.into_findings().all(|finding| !finding.code.starts_with("DKIM")));
    }

    #[test]
    fn wildcards() {
        let world = with(&format!("{}{}", rsa("s1"), rsa("*")));
        assert_eq!(world.finds("DKIM-17").only().subject, "*._domainkey.example.test");
        // What the wildcard answers for a guess is no key of that selector.
        assert!(world.audit().notes.iter().all(|note| !note.subject.starts_with("s2.")));
        with("*._domainkey TXT \"v=DKIM1; p=\"").lacks("DKIM-17");
    }

    #[test]
    fn the_testing_flag() {
        let testing = rsa("s1").replace("v=DKIM1;", "v=DKIM1; t=y;");
        assert_eq!(with(&testing).finds("DKIM-09").only().severity, Severity::Info);
        assert_eq!(aged(&testing, 29).finds("DKIM-09").only().severity, Severity::Info);
        assert_eq!(aged(&testing, 31).finds("DKIM-09").only().severity, Severity::Warning);
        aged(&rsa("s1"), 31).lacks("DKIM-09");
    }

    #[test]
    fn revoked_for_long() {
        let revoked = "s1._domainkey TXT \"v=DKIM1; p=\"";
        with(revoked).lacks("DKIM-12");
        aged(revoked, 90).lacks("DKIM-12");
        aged(revoked, 91).finds("DKIM-12");
    }

    #[test]
    fn old_keys() {
        with(&rsa("s1")).lacks("DKIM-18");
        aged(&rsa("s1"), 180).lacks("DKIM-18");
        assert_eq!(aged(&rsa("s1"), 200).finds("DKIM-18").only().severity, Severity::Info);
        assert_eq!(aged(&rsa("s1"), 366).finds("DKIM-18").only().severity, Severity::Warning);
        aged("s1._domainkey TXT \"v=DKIM1; p=\"", 366).lacks("DKIM-18");
    }
}
