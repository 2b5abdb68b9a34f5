//! MTA-STS: the record, the policy that is served, and the mail hosts under it (rule book 5).

use mailzone_mailauth::lookup::Answer;
use mailzone_mailauth::mta_sts::{Mode, MtaSts, Policy, Record, lint_policy};
use mailzone_mailauth::{Kind, Severity, tls_rpt};
use mailzone_record::{Name, RRsetKey, Rdata, RecordType};

use super::caa::{Issuing, forbidden};
use super::common::{has_candidate, text};
use super::hosts::{Exchanger, addresses, covers, exchangers, sessions};
use super::smtp::SOON;
use crate::{Failure, Inquiry, Measure, PolicyAnswer};

/// How long a policy may be tested, in seconds.
const TEST: i64 = 60 * 86_400;

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    let domain = inquiry.domain();
    let Ok(owner) = domain.prepend("_mta-sts") else { return };
    inquiry.topic("the MTA-STS record");
    let Some(answer) = inquiry.dns(&owner, RecordType::TXT) else { return };
    let values = match answer {
        Answer::Records(values, _) => values.to_vec(),
        answer if answer.is_void() => Vec::new(),
        _ => return,
    };
    let ours: Vec<&Rdata> = values.iter().filter(|value| has_candidate(&MtaSts, value)).collect();
    for finding in MtaSts.lint(&owner, &ours) {
        inquiry.add(finding);
    }
    for value in &ours {
        inquiry.note(owner.to_text_without_dot(), text(value));
    }
    let record = match ours.as_slice() {
        [only] => Record::parse(&text(only)).ok(),
        _ => None,
    };
    if record.is_none() {
        let why = if ours.is_empty() { "no MTA-STS record" } else { "no usable MTA-STS record" };
        inquiry.measure(Measure::MtaSts, 0, why);
        return;
    }
    let policy = policy(inquiry, domain);
    inquiry.topic("where mail under the MTA-STS policy goes");
    let exchangers = exchangers(inquiry);
    if let Some(policy) = &policy {
        judge(inquiry, &owner, policy, exchangers.as_deref());
    }
    if let Some(hosts) = &exchangers {
        without_mail(inquiry, &owner, hosts);
        certificates(inquiry, policy.as_ref(), hosts);
    }
    without_reports(inquiry, &owner);
}

/// The policy that is served; the configured one where nobody may fetch it.
fn policy(inquiry: &mut Inquiry<'_>, domain: &Name) -> Option<Policy> {
    let configured = inquiry.subject().policy.clone();
    let Ok(host) = domain.prepend("mta-sts") else { return configured };
    inquiry.topic("whether the MTA-STS policy is served");
    let found = addresses(inquiry, &host);
    if found.list.is_empty() && found.complete {
        inquiry.find("STS-02", host.to_text_without_dot(), "the policy host has no address");
        inquiry.measure(Measure::MtaSts, 0, "the policy host has no address");
        return configured;
    }
    if !inquiry.subject().scope.web {
        return configured;
    }
    let served = match inquiry.policy(domain)? {
        Ok(answer) => answered(inquiry, &host, answer)?,
        Err(failure) => {
            failed(inquiry, &host, failure);
            return None;
        }
    };
    if let Some(configured) = configured.filter(|configured| !configured.is_same(&served)) {
        let message = format!(
            "the policy served ({}) is not the configured one ({})",
            described(&served),
            described(&configured)
        );
        inquiry.find_as("STS-05", Severity::Warning, host.to_text_without_dot(), message);
    }
    Some(served)
}

/// STS-02, STS-07, STS-11.
fn answered(inquiry: &mut Inquiry<'_>, host: &Name, answer: &PolicyAnswer) -> Option<Policy> {
    let name = host.to_text_without_dot();
    let problem = match (&answer.untrusted, answer.status) {
        (Some(reason), _) => Some(format!("the certificate is not to be trusted: {reason}")),
        (None, 200) => None,
        (None, 300..400) => {
            Some(format!("it answers with a redirect ({}), which senders do not follow", answer.status))
        }
        (None, status) => Some(format!("it answers with status {status}")),
    };
    issuer(inquiry, host, answer);
    if let Some(problem) = problem {
        inquiry.find("STS-02", name, problem.as_str());
        inquiry.measure(Measure::MtaSts, 0, problem);
        return None;
    }
    if let Some(media) = answer.content_type.as_deref().filter(|media| *media != "text/plain") {
        let message = format!("the policy is served as {media} instead of text/plain");
        inquiry.find_as("STS-02", Severity::Warning, name.as_str(), message);
    }
    let body = String::from_utf8_lossy(&answer.body);
    for finding in lint_policy(&name, &body) {
        inquiry.add(finding);
    }
    match Policy::parse(&body) {
        Ok(policy) => {
            inquiry.note(name, described(&policy));
            Some(policy)
        }
        Err(error) => {
            inquiry.measure(Measure::MtaSts, 0, format!("the policy cannot be read: {error}"));
            None
        }
    }
}

/// STS-02.
fn failed(inquiry: &mut Inquiry<'_>, host: &Name, failure: &Failure) {
    let (name, message) = (host.to_text_without_dot(), &failure.message);
    if failure.here {
        inquiry.note(name, format!("the policy is not known from here: {message}"));
    } else {
        inquiry.find("STS-02", name, format!("no answer: {message}"));
        inquiry.measure(Measure::MtaSts, 0, "the policy host does not answer");
    }
}

/// STS-11.
fn issuer(inquiry: &mut Inquiry<'_>, host: &Name, answer: &PolicyAnswer) {
    let Some(leaf) = answer.chain.first() else { return };
    if let Some(Issuing { authority, at, allowed }) = forbidden(inquiry, host, leaf) {
        let message = format!("the certificate is of {authority}, and the CAA records at {at} allow {allowed}");
        inquiry.find("STS-11", host.to_text_without_dot(), message);
    }
}

/// STS-03, STS-04, STS-08.
fn judge(inquiry: &mut Inquiry<'_>, owner: &Name, policy: &Policy, exchangers: Option<&[Exchanger]>) {
    let name = owner.to_text_without_dot();
    match policy.mode {
        Mode::None => {
            inquiry.find_as("STS-08", Severity::Info, name.as_str(), "mode none: there is no policy any more");
        }
        Mode::Testing => {
            let key = RRsetKey { name: owner.clone(), rtype: RecordType::TXT };
            let age = inquiry.subject().since.get(&key).map(|since| inquiry.now() - since);
            if let Some(age) = age.filter(|age| *age > TEST) {
                let message = format!("mode testing for {} days: senders do not act on it", age / 86_400);
                inquiry.find("STS-08", name.as_str(), message);
            }
        }
        Mode::Enforce => {}
    }
    let Some(exchangers) = exchangers.filter(|hosts| !hosts.is_empty()) else { return };
    let mut covered = true;
    for one in exchangers {
        if policy.mode != Mode::None && !policy.covers(&one.host) {
            covered = false;
            let severity = if policy.mode == Mode::Enforce { Severity::Error } else { Severity::Warning };
            let message = format!("no `mx` line of the policy matches {}", one.host.to_text_without_dot());
            inquiry.find_as("STS-03", severity, name.as_str(), message);
        }
    }
    for pattern in policy.mx.iter().filter(|_| policy.mode != Mode::None) {
        if !exchangers.iter().any(|one| pattern.matches(&one.host)) {
            inquiry.find("STS-04", name.as_str(), format!("`mx: {pattern}` matches no mail exchanger"));
        }
    }
    let (share, why) = match policy.mode {
        _ if !covered => (0, "the policy does not name every mail exchanger"),
        Mode::Enforce => (100, "mode enforce"),
        Mode::Testing => (50, "mode testing"),
        Mode::None => (0, "mode none"),
    };
    // The configured one says nothing of what is served.
    if inquiry.subject().scope.web {
        inquiry.measure(Measure::MtaSts, share, why);
    }
}

/// STS-12.
fn without_mail(inquiry: &mut Inquiry<'_>, owner: &Name, exchangers: &[Exchanger]) {
    if exchangers.is_empty() {
        inquiry.find("STS-12", owner.to_text_without_dot(), "the domain takes no mail");
    }
}

/// STS-10. Mail is lost only where the policy is enforced and the certificate not valid now.
fn certificates(inquiry: &mut Inquiry<'_>, policy: Option<&Policy>, exchangers: &[Exchanger]) {
    let Some(mode) = policy.map(|policy| policy.mode).filter(|mode| *mode != Mode::None) else { return };
    inquiry.topic("the certificates of the mail hosts under the policy");
    for (host, address, session) in sessions(inquiry, exchangers) {
        let Some(Ok(session)) = session else { continue };
        let problem = match session.chain.first() {
            _ if !session.starttls => Some("it offers no STARTTLS".to_owned()),
            _ if session.untrusted.is_some() => session.untrusted.clone(),
            Some(leaf) if leaf.not_after < inquiry.now() => Some("its certificate has run out".to_owned()),
            Some(leaf) if !covers(&leaf.names, &host) => {
                Some(format!("its certificate is for {}", leaf.names.join(", ")))
            }
            _ => None,
        };
        let soon = session.chain.first().filter(|leaf| leaf.not_after - inquiry.now() < SOON);
        let (severity, message) = match (problem, soon) {
            (Some(problem), _) if mode == Mode::Enforce => (Severity::Error, format!("{address}: {problem}")),
            (Some(problem), _) => (Severity::Warning, format!("{address}: {problem}")),
            (None, Some(leaf)) => {
                let days = (leaf.not_after - inquiry.now()) / 86_400;
                (Severity::Warning, format!("{address}: its certificate ends in {days} days"))
            }
            (None, None) => continue,
        };
        inquiry.find_as("STS-10", severity, host.to_text_without_dot(), message);
    }
}

/// STS-09.
fn without_reports(inquiry: &mut Inquiry<'_>, owner: &Name) {
    let Ok(reports) = inquiry.domain().prepend("_smtp._tls") else { return };
    inquiry.topic("");
    match inquiry.dns(&reports, RecordType::TXT) {
        Some(Answer::Records(values, _)) if values.iter().any(|value| has_candidate(&tls_rpt::TlsRpt, value)) => {}
        Some(Answer::TempError) | None => {}
        Some(_) => inquiry.find("STS-09", owner.to_text_without_dot(), "nobody is told of failures: no TLS-RPT record"),
    }
}

/// `enforce for mail.example.com, 604800 s`
fn described(policy: &Policy) -> String {
    let hosts: Vec<String> = policy.mx.iter().map(ToString::to_string).collect();
    let to = if hosts.is_empty() { String::new() } else { format!(" for {}", hosts.join(", ")) };
    format!("{}{to}, {} s", policy.mode, policy.max_age)
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::Severity;
    use mailzone_mailauth::mta_sts::Policy;
    use mailzone_record::{Name, RRsetKey, RecordType};

    use crate::rules::testing::{World, certificate, session};
    use crate::{Failure, Measure, PolicyAnswer, SmtpSession};

    const ZONE: &str = "@ MX 10 mail\nmail A 192.0.2.25\n_mta-sts TXT \"v=STSv1; id=1\"\nmta-sts A 192.0.2.80\n\
                        _smtp._tls TXT \"v=TLSRPTv1; rua=mailto:a@example.test\"";
    const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mail.example.test\nmax_age: 604800\n";

    fn answer(body: &str) -> PolicyAnswer {
        PolicyAnswer {
            status: 200,
            content_type: Some("text/plain".to_owned()),
            body: body.as_bytes().to_vec(),
            chain: vec![certificate(&["mta-sts.example.test"], World::LATER)],
            untrusted: None,
        }
    }

    fn serving(zone: &str, answer: Result<PolicyAnswer, Failure>) -> World {
        let mut world = World::new(zone);
        world.subject.scope.web = true;
        world.facts.policies.insert(world.subject.domain.clone(), answer);
        world
    }

    fn share(world: &World) -> Option<u8> {
        world.audit().measures.get(&Measure::MtaSts).map(|seen| seen.share)
    }

    #[test]
    fn a_good_policy() {
        let mut world = serving(ZONE, Ok(answer(POLICY)));
        world.subject.scope.smtp = true;
        world.says("mail.example.test", "192.0.2.25", Ok(session("mail.example.test")));
        for code in 1..=12 {
            world.lacks(&format!("STS-{code:02}"));
        }
        assert_eq!(share(&world), Some(100));
        World::new("@ MX 10 mail").lacks("STS-09");
        assert_eq!(share(&World::new("@ MX 10 mail")), Some(0));
    }

    #[test]
    fn policies_that_cannot_be_fetched() {
        let with = |change: fn(&mut PolicyAnswer)| {
            let mut answer = answer(POLICY);
            change(&mut answer);
            serving(ZONE, Ok(answer))
        };
        with(|answer| answer.status = 404).finds("STS-02").only();
        let moved = with(|answer| answer.status = 301).finds("STS-02").only().message.clone();
        assert!(moved.contains("redirect"), "{moved}");
        with(|answer| answer.untrusted = Some("it has run out".to_owned())).finds("STS-02").only();
        let html = with(|answer| answer.content_type = Some("text/html".to_owned()));
        assert_eq!(html.finds("STS-02").only().severity, Severity::Warning);
        let failure = |here| Err(Failure { message: "no route".to_owned(), here });
        serving(ZONE, failure(false)).finds("STS-02").only();
        serving(ZONE, failure(true)).lacks("STS-02");
        assert_eq!(share(&serving(ZONE, failure(true))), None);
        World::new(&ZONE.replace("mta-sts A", "other A")).finds("STS-02").only();
    }

    #[test]
    fn a_host_whose_address_is_not_known_may_be_there() {
        let mut world = World::new("_mta-sts TXT \"v=STSv1; id=1\"\nmta-sts CNAME sts.elsewhere.test.");
        world.fails("sts.elsewhere.test", RecordType::A);
        world.lacks("STS-02");
    }

    #[test]
    fn the_record() {
        World::new(&ZONE.replace("id=1", "id=")).finds("STS-01").only();
        World::new(ZONE).lacks("STS-01");
        World::new(&ZONE.replace("_smtp._tls", "_other")).finds("STS-09").only();
        World::new("@ MX 0 .\n_mta-sts TXT \"v=STSv1; id=1\"").finds("STS-12").only();
    }

    #[test]
    fn policy_and_mail_exchangers() {
        let served = |from: &str, to: &str| serving(ZONE, Ok(answer(&POLICY.replace(from, to))));
        let other = served("mx: mail", "mx: old");
        assert_eq!(other.finds("STS-03").only().severity, Severity::Error);
        other.finds("STS-04").only();
        assert_eq!(share(&other), Some(0));
        let tested = serving(ZONE, Ok(answer(&POLICY.replace("enforce", "testing").replace("mx: mail", "mx: old"))));
        assert_eq!(tested.finds("STS-03").only().severity, Severity::Warning);
        served("mx: mail", "mx: *").lacks("STS-03");
        served("604800", "3600").finds("STS-06").only();
        served("mode: enforce", "mode: on").finds("STS-07").only();
    }

    #[test]
    fn the_configured_policy() {
        let mut world = World::new(&ZONE.replace("10 mail", "10 mx2"));
        world.subject.policy = Some(Policy::parse(POLICY).unwrap());
        world.finds("STS-03").only();
        assert_eq!(share(&world), None);
        let mut served = serving(ZONE, Ok(answer(&POLICY.replace("enforce", "testing"))));
        served.subject.policy = world.subject.policy.clone();
        served.finds("STS-05").only();
        let mut same = serving(ZONE, Ok(answer(POLICY)));
        same.subject.policy = world.subject.policy;
        same.lacks("STS-05");
    }

    #[test]
    fn tests_that_do_not_end() {
        let mut world = serving(ZONE, Ok(answer(&POLICY.replace("enforce", "testing"))));
        world.lacks("STS-08");
        let key = RRsetKey { name: Name::parse("_mta-sts.example.test").unwrap(), rtype: RecordType::TXT };
        world.subject.since.insert(key.clone(), World::NOW - 59 * 86_400);
        world.lacks("STS-08");
        world.subject.since.insert(key, World::NOW - 61 * 86_400);
        world.finds("STS-08").only();
        let gone = serving(ZONE, Ok(answer("version: STSv1\nmode: none\nmax_age: 86400\n")));
        assert_eq!(gone.finds("STS-08").only().severity, Severity::Info);
    }

    #[test]
    fn certificates_under_the_policy() {
        let world = |mode: &str, session: SmtpSession| {
            let mut world = serving(ZONE, Ok(answer(&POLICY.replace("enforce", mode))));
            world.subject.scope.smtp = true;
            world.says("mail.example.test", "192.0.2.25", Ok(session));
            world
        };
        let other = || session("other.test");
        assert_eq!(world("enforce", other()).finds("STS-10").only().severity, Severity::Error);
        assert_eq!(world("testing", other()).finds("STS-10").only().severity, Severity::Warning);
        let soon = vec![certificate(&["mail.example.test"], World::NOW + 86_400)];
        let ending = world("enforce", SmtpSession { chain: soon, ..session("mail.example.test") });
        assert_eq!(ending.finds("STS-10").only().severity, Severity::Warning);
    }

    #[test]
    fn the_authority_of_the_policy_host() {
        let with = |caa: &str| serving(&format!("{ZONE}\n{caa}"), Ok(answer(POLICY)));
        with("@ CAA 0 issue \"sectigo.com\"").finds("STS-11").only();
        with("@ CAA 0 issue \"letsencrypt.org\"").lacks("STS-11");
        with("@ CAA 0 issue \";\"\nmta-sts CAA 0 issue \"letsencrypt.org\"").lacks("STS-11");
        with("@ CAA 0 iodef \"mailto:a@example.test\"").lacks("STS-11");
    }
}
