//! SPF (rule book 2): what the record costs, what it leads to, and where one is missing.

use std::collections::BTreeMap;

use mailzone_mailauth::dmarc::{Organizational, Policy, Reader, discover, organizational_domain};
use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::spf::{
    self, Cost, CostRecord, CostTarget, Found, Limits, Mechanism, Qualifier, Record, Selected, Spf, TermCost,
};
use mailzone_mailauth::{Kind, MailUse, Recognition, Severity};
use mailzone_record::{Name, Rdata, RecordType};

use crate::Inquiry;
use crate::rules::common::text;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    hosts(inquiry);
    let domain = inquiry.domain();
    inquiry.topic(format!("the SPF record of {}", domain.to_text_without_dot()));
    let Some(answer) = inquiry.dns(domain, RecordType::TXT) else { return };
    let name = domain.to_text_without_dot();
    let values = match &answer {
        Answer::Records(values, _) => values.to_vec(),
        Answer::TempError => return inquiry.note(name, "no answer from the DNS"),
        _ => Vec::new(),
    };
    inquiry.topic("");
    let withdrawn = inquiry.records(domain, RecordType::SPF).unwrap_or_default();
    // The whole set: the size of the answer counts, and what looks like SPF and is none.
    let all: Vec<&Rdata> = values.iter().chain(&withdrawn).collect();
    let counted = costs(inquiry);
    for finding in Spf.lint(domain, &all) {
        // The kind counts this record's own terms; those of included ones are known here.
        if !(counted && matches!(finding.code.as_str(), "SPF-03" | "SPF-04")) {
            inquiry.add(finding);
        }
    }
    for value in values.iter().filter(|value| Spf.recognise(value) == Recognition::Candidate) {
        inquiry.note(name.clone(), text(value));
    }
    match Selected::among(&values) {
        Selected::Record { record, .. } => hard_fail(inquiry, &record),
        Selected::Absent => {
            inquiry.note(name, "no SPF record");
            not_inherited(inquiry);
        }
        Selected::Several(_) | Selected::Invalid { .. } => {}
    }
}

/// The rules over the tree of costs. Whether it could be counted.
fn costs(inquiry: &mut Inquiry<'_>) -> bool {
    let (domain, lookup) = (inquiry.domain(), inquiry.lookup());
    let name = domain.to_text_without_dot();
    inquiry.topic(format!("what the includes of {name} hold, and how many look-ups SPF costs"));
    let Some(cost) = inquiry.take(spf::cost(domain, lookup)) else { return false };
    if cost.record != CostRecord::Good {
        return false;
    }
    let limits = Limits::default();
    let least = if cost.truncated { "at least " } else { "" };
    let (lookups, void) = (cost.lookups, cost.void_lookups);
    inquiry.note(
        name.clone(),
        format!("{least}{lookups} of {} look-ups, {void} of {} void", limits.lookups, limits.void_lookups),
    );
    for term in cost.terms.iter().filter(|term| term.lookups > 1) {
        inquiry.note(name.clone(), format!("`{}` costs {} of them", term.text, term.lookups));
    }
    if lookups > limits.lookups {
        // Without the count: a record that stays over the limit is found with the same words before and after.
        inquiry.find("SPF-03", name.clone(), "more than 10 terms query the DNS: receivers answer permerror");
    } else if lookups >= 8 {
        let message = format!("{lookups} terms query the DNS, with those of included records; 10 are allowed");
        inquiry.find("SPF-04", name.clone(), message);
    }
    let mut walk = Walk::default();
    walk.record(&cost, true);
    for term in &walk.failed {
        inquiry.note(name.clone(), format!("no answer from the DNS for {term}: the counts are the least"));
    }
    if void > 0 {
        let severity = if void > limits.void_lookups { Severity::Error } else { Severity::Warning };
        let what = if walk.void.is_empty() { String::new() } else { format!(": {}", walk.void.join(", ")) };
        let effect = if void > limits.void_lookups { "; receivers answer permerror" } else { "" };
        let message = format!("{void} void look-ups of at most {}{what}{effect}", limits.void_lookups);
        inquiry.find_as("SPF-05", severity, name.clone(), message);
    }
    for message in walk.broken {
        inquiry.find("SPF-06", name.clone(), message);
    }
    for message in walk.crowded {
        inquiry.find("SPF-14", name.clone(), message);
    }
    for (term, target) in walk.nothing {
        nothing_there(inquiry, &name, &term, &target);
    }
    for (target, terms) in walk.leads {
        // The kind finds a term that stands twice in the one record.
        if terms.len() > 1 && terms.iter().any(|own| !own) {
            let message = format!("the record of {} is met {} times", target.to_text_without_dot(), terms.len());
            inquiry.find("SPF-16", name.clone(), message);
        }
    }
    for target in walk.absent {
        unregistered(inquiry, &name, &target);
    }
    true
}

/// What stands in a tree of costs.
#[derive(Default)]
struct Walk {
    /// Terms whose target has no, several or broken records.
    broken: Vec<String>,
    /// `mx` with too many hosts.
    crowded: Vec<String>,
    /// `a` and `mx` for which the DNS has nothing, with their target.
    nothing: Vec<(Mechanism, Name)>,
    /// Terms for which the DNS has nothing, as they stand.
    void: Vec<String>,
    /// Targets of includes and redirects: for each time whether it was in the domain's own record.
    leads: BTreeMap<Name, Vec<bool>>,
    /// Names for which the DNS has nothing.
    absent: Vec<Name>,
    /// Terms for which the DNS had no answer, as they stand.
    failed: Vec<String>,
}

impl Walk {
    fn record(&mut self, cost: &Cost, own: bool) {
        for term in &cost.terms {
            self.term(term, &cost.domain, own);
        }
    }

    fn term(&mut self, term: &TermCost, of: &Name, own: bool) {
        let CostTarget::Name(target) = &term.target else { return };
        let shown =
            if own { format!("`{}`", term.text) } else { format!("`{}` of {}", term.text, of.to_text_without_dot()) };
        match &term.found {
            Found::Record(below) => {
                let at = target.to_text_without_dot();
                let problem = match below.record {
                    CostRecord::Absent | CostRecord::NoDomain => Some("has no SPF record".to_owned()),
                    CostRecord::Several(count) => Some(format!("has {count} SPF records")),
                    CostRecord::Invalid(_) => Some("has an SPF record with a syntax error".to_owned()),
                    CostRecord::Good | CostRecord::Failed => None,
                };
                if below.record == CostRecord::Failed {
                    self.failed.push(shown.clone());
                }
                if matches!(below.record, CostRecord::Absent | CostRecord::NoDomain) {
                    self.void.push(shown.clone());
                    self.absent.push(target.clone());
                }
                self.broken.extend(problem.map(|problem| format!("{shown}: {at} {problem}")));
                self.leads.entry(target.clone()).or_default().push(own);
                self.record(below, false);
            }
            Found::Loop => self.broken.push(format!("{shown} leads back to where it came from, without end")),
            Found::Nothing => {
                self.void.push(shown);
                self.absent.push(target.clone());
                if let Ok(parsed) = spf::Term::parse(&term.text)
                    && let spf::TermKind::Directive(_, mechanism @ (Mechanism::A(..) | Mechanism::Mx(..))) = parsed.kind
                {
                    self.nothing.push((mechanism, target.clone()));
                }
            }
            Found::Hosts { exchangers, .. } if *exchangers > Limits::default().exchangers => {
                self.crowded.push(format!("{shown} has {exchangers} hosts: receivers answer permerror"));
            }
            Found::Failed => self.failed.push(shown),
            Found::Hosts { .. } | Found::NotAsked => {}
        }
    }
}

/// SPF-14 without MX, or SPF-15.
fn nothing_there(inquiry: &mut Inquiry<'_>, name: &str, term: &Mechanism, target: &Name) {
    let at = target.to_text_without_dot();
    if matches!(term, Mechanism::Mx(..)) {
        match inquiry.dns(target, RecordType::MX) {
            Some(answer) if answer.is_void() => {
                inquiry.find_as("SPF-14", Severity::Warning, name, format!("`{term}`, and {at} has no MX"));
            }
            Some(_) => inquiry.find("SPF-15", name, format!("`{term}`: no MX host of {at} has an address")),
            None => {}
        }
    } else {
        inquiry.find("SPF-15", name, format!("`{term}`: {at} has no address"));
    }
}

/// SPF-25.
fn unregistered(inquiry: &mut Inquiry<'_>, name: &str, target: &Name) {
    let lookup = inquiry.lookup();
    let registrable = inquiry.take(organizational_domain(lookup, target, Reader::Rfc7489));
    let Some(Organizational::Domain(registrable)) = registrable else { return };
    inquiry.topic(format!("whether {} is registered", registrable.to_text_without_dot()));
    if registrable.label_count() > 1 && inquiry.dns(&registrable, RecordType::NS) == Some(Answer::NxDomain) {
        let holder = registrable.to_text_without_dot();
        let message = format!("{holder} does not exist: whoever registers it may send for {name}");
        inquiry.find("SPF-25", name, message);
    }
}

/// SPF-11.
fn hard_fail(inquiry: &mut Inquiry<'_>, record: &Record) {
    let passes = record.directives().any(|(qualifier, mechanism)| {
        qualifier == Qualifier::Pass && *mechanism != Mechanism::All && !matches!(mechanism, Mechanism::Exists(_))
    });
    if record.all() != Some(Qualifier::Fail) || !passes {
        return;
    }
    inquiry.topic("");
    let (domain, lookup) = (inquiry.domain(), inquiry.lookup());
    let Some(found) = inquiry.take(discover(lookup, domain, Reader::Rfc9989)) else { return };
    if found.effective.is_some_and(|effective| effective.disposition.policy > Policy::None) {
        let message = "`-all`: receivers that refuse by it never see the signature that forwarded mail would pass by";
        inquiry.find("SPF-11", domain.to_text_without_dot(), message);
    }
}

/// SPF-23: it receives mail, so it sends too, and only a domain above has a record.
fn not_inherited(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    if inquiry.subject().mail == Some(MailUse::None) {
        return;
    }
    inquiry.topic("");
    let Some(exchangers) = inquiry.records(domain, RecordType::MX) else { return };
    if !exchangers.iter().any(|value| matches!(value, Rdata::Mx(mx) if !mx.exchange.is_root())) {
        return;
    }
    let mut above = domain.parent();
    while let Some(parent) = above.filter(|parent| parent.label_count() > 1) {
        let Some(values) = inquiry.records(&parent, RecordType::TXT) else { return };
        if Selected::among(&values) != Selected::Absent {
            let (name, parent) = (domain.to_text_without_dot(), parent.to_text_without_dot());
            let message = format!("{name} has an MX and no SPF record; that of {parent} does not hold for it");
            inquiry.find("SPF-23", name, message);
            return;
        }
        above = parent.parent();
    }
}

/// SPF-24.
fn hosts(inquiry: &mut Inquiry<'_>) {
    for host in &inquiry.subject().hosts {
        let Some(helo) = host.helo.as_ref().or(host.name.as_ref()) else { continue };
        // At the domain itself it is the record above.
        if helo == inquiry.domain() {
            continue;
        }
        inquiry.topic(format!("whether {} has SPF", helo.to_text_without_dot()));
        let Some(answer) = inquiry.dns(helo, RecordType::TXT) else { continue };
        let absent = match &answer {
            Answer::Records(values, _) => Selected::among(values) == Selected::Absent,
            answer => answer.is_void(),
        };
        if absent {
            let message = "the name that the server gives in HELO has no SPF record";
            inquiry.find("SPF-24", helo.to_text_without_dot(), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_record::Name;

    use crate::SendingHost;
    use crate::rules::testing::World;

    fn with(record: &str, more: &str) -> World {
        World::new(&format!("@ TXT \"{record}\"\n{more}"))
    }

    /// Names that each have a record of this many `a` terms.
    fn parts(count: usize, terms: usize) -> String {
        let a = " a:host.example.test".repeat(terms);
        let parts = (0..count).map(|n| format!("p{n} TXT \"v=spf1{a} -all\"\n"));
        format!("host A 8.8.8.8\n{}", parts.collect::<String>())
    }

    #[test]
    fn look_ups_count_with_those_of_includes() {
        let including =
            |count: usize| (0..count).map(|n| format!(" include:p{n}.example.test")).collect::<String>() + " -all";
        let world = with(&format!("v=spf1{}", including(4)), &parts(4, 2));
        world.finds("SPF-03").only();
        world.lacks("SPF-04");
        let notes: Vec<String> = world.audit().notes.into_iter().map(|note| note.text).collect();
        assert!(notes.contains(&"12 of 10 look-ups, 0 of 2 void".to_owned()), "{notes:?}");
        assert!(notes.contains(&"`include:p0.example.test` costs 3 of them".to_owned()), "{notes:?}");
        let world = with(&format!("v=spf1{}", including(3)), &parts(3, 2));
        world.lacks("SPF-03");
        assert!(world.finds("SPF-04").only().message.starts_with("9 terms"));
        let world = with(&format!("v=spf1{}", including(2)), &parts(2, 2));
        world.lacks("SPF-03");
        world.lacks("SPF-04");
        // Not the look-ups of the record alone: the tree is known.
        with(&format!("v=spf1{}", " a:host.example.test".repeat(11)), &parts(0, 0)).finds("SPF-03").only();
    }

    #[test]
    fn void_look_ups() {
        let world = with("v=spf1 a:x1.example.test mx:x2.example.test -all", "");
        assert_eq!(world.finds("SPF-05").only().severity, Severity::Warning);
        let world = with("v=spf1 a:x1.example.test mx:x2.example.test exists:x3.example.test -all", "");
        let found = world.finds("SPF-05");
        assert_eq!(found.only().severity, Severity::Error);
        insta::assert_snapshot!(found.only().message, @"3 void look-ups of at most 2: `a:x1.example.test`, `mx:x2.example.test`, `exists:x3.example.test`; receivers answer permerror");
        with("v=spf1 a:host.example.test -all", "host A 8.8.8.8").lacks("SPF-05");
    }

    #[test]
    fn targets_without_a_usable_record() {
        let world = with(
            "v=spf1 include:none.example.test include:two.example.test include:bad.example.test include:example.test -all",
            "two TXT \"v=spf1 -all\"\ntwo TXT \"v=spf1 a -all\"\nbad TXT \"v=spf1 ipv4:8.8.8.8 -all\"",
        );
        let messages: Vec<String> = world.finds("SPF-06").0.into_iter().map(|finding| finding.message).collect();
        insta::assert_snapshot!(messages.join("\n"), @"
        `include:bad.example.test`: bad.example.test has an SPF record with a syntax error
        `include:example.test` leads back to where it came from, without end
        `include:none.example.test`: none.example.test has no SPF record
        `include:two.example.test`: two.example.test has 2 SPF records
        ");
        with("v=spf1 redirect=none.example.test", "").finds("SPF-06");
        with("v=spf1 include:p0.example.test -all", &parts(1, 1)).lacks("SPF-06");
    }

    #[test]
    fn what_gives_no_address() {
        let world = with("v=spf1 a:gone.example.test mx mx:two.example.test -all", "two MX 10 gone");
        let messages: Vec<String> = world.finds("SPF-15").0.into_iter().map(|finding| finding.message).collect();
        assert_eq!(
            messages,
            [
                "`a:gone.example.test`: gone.example.test has no address",
                "`mx:two.example.test`: no MX host of two.example.test has an address"
            ]
        );
        let found = world.finds("SPF-14");
        assert_eq!(
            (found.only().severity, found.only().message.as_str()),
            (Severity::Warning, "`mx`, and example.test has no MX")
        );
        let hosts = |count: usize| (0..count).map(|n| format!("@ MX 10 m{n}\nm{n} A 8.8.8.{n}\n")).collect::<String>();
        let world = with("v=spf1 mx -all", &hosts(11));
        assert_eq!(world.finds("SPF-14").only().severity, Severity::Error);
        let world = with("v=spf1 mx -all", &hosts(10));
        world.lacks("SPF-14");
        world.lacks("SPF-15");
    }

    #[test]
    fn the_same_include_twice() {
        let twice = "a TXT \"v=spf1 include:c.example.test -all\"\nb TXT \"v=spf1 include:c.example.test -all\"";
        let world = with(
            "v=spf1 include:a.example.test include:b.example.test -all",
            &format!("{twice}\nc TXT \"v=spf1 ip4:8.8.8.8 -all\""),
        );
        assert_eq!(world.finds("SPF-16").only().message, "the record of c.example.test is met 2 times");
        // In the record itself: once, by the kind.
        with("v=spf1 include:p0.example.test include:p0.example.test -all", &parts(1, 1)).finds("SPF-16").only();
        with("v=spf1 include:p0.example.test include:p1.example.test -all", &parts(2, 1)).lacks("SPF-16");
    }

    #[test]
    fn domains_that_nobody_holds() {
        let world = with("v=spf1 include:_spf.nobody.test a:gone.example.test -all", "");
        assert!(world.finds("SPF-25").only().message.starts_with("nobody.test does not exist"));
        with("v=spf1 include:_spf.example.test a:gone.example.test -all", "").lacks("SPF-25");
    }

    #[test]
    fn hard_fail_where_dmarc_decides() {
        let dmarc = "\n_dmarc TXT \"v=DMARC1; p=reject\"\nhost A 8.8.8.8";
        with("v=spf1 a:host.example.test -all", dmarc).finds("SPF-11");
        with("v=spf1 a:host.example.test ~all", dmarc).lacks("SPF-11");
        with("v=spf1 -all", dmarc).lacks("SPF-11");
        with("v=spf1 a:host.example.test -all", &dmarc.replace("reject", "none")).lacks("SPF-11");
    }

    #[test]
    fn sub_domains_inherit_nothing() {
        let mut world = with("v=spf1 mx -all", "@ MX 10 m\nm A 8.8.8.8\nnews MX 10 m");
        world.subject.domain = Name::parse("news.example.test").unwrap();
        world.finds("SPF-23");
        world.subject.domain = Name::parse("other.example.test").unwrap();
        world.lacks("SPF-23");
        world.subject.domain = Name::parse("example.test").unwrap();
        world.lacks("SPF-23");
    }

    #[test]
    fn helo_names() {
        let mut world = with("v=spf1 mx -all", "@ MX 10 m\nm A 8.8.8.8");
        world.subject.hosts = vec![SendingHost {
            name: Some(Name::parse("m.example.test").unwrap()),
            addresses: Vec::new(),
            helo: None,
            reverse: true,
        }];
        assert_eq!(world.finds("SPF-24").only().subject, "m.example.test");
        let mut with_record = with("v=spf1 mx -all", "@ MX 10 m\nm A 8.8.8.8\nm TXT \"v=spf1 a -all\"");
        with_record.subject = world.subject;
        with_record.lacks("SPF-24");
    }

    #[test]
    fn the_withdrawn_type() {
        with("v=spf1 -all", "@ TYPE99 \\# 12 0b763d73706631202d616c6c").finds("SPF-19");
        with("v=spf1 -all", "").lacks("SPF-19");
    }

    #[test]
    fn a_failing_dns_is_no_finding() {
        use mailzone_mailauth::lookup::{Answer, Answers, Overlay};
        let world = with("v=spf1 include:far.example a:far.example mx:far.example -all", "");
        let failing = Overlay { over: world.zone_data(), base: Answers::otherwise(Answer::TempError) };
        let audit = crate::audit(&world.subject, &world.facts, &failing);
        let failed = |term: &str| {
            let note = format!("no answer from the DNS for `{term}`: the counts are the least");
            audit.notes.iter().any(|seen| seen.text == note)
        };
        assert!(["include:far.example", "a:far.example", "mx:far.example"].into_iter().all(failed), "{audit:?}");
        let found: Vec<_> = audit.into_findings().collect();
        assert!(found.iter().all(|finding| !finding.code.starts_with("SPF")), "{found:#?}");
    }
}
