//! `mailzone dkim test`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use mailzone_config::{DkimSetting, Settings, Slot};
use mailzone_engine::Code;
use mailzone_engine::verify::Verifier;
use mailzone_keys::read_private;
use mailzone_mailauth::dkim::{KeyRecord, PublicKey};
use mailzone_mailauth::{Finding, Severity};
use mailzone_plan::document::{Exit, ExitZone};
use mailzone_record::Name;
use mailzone_report::escape;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::args::{Format, Global};
use crate::cmd::shared::{envelope, only};
use crate::context;
use crate::embedded::{self, Embedded};
use crate::registry;
use crate::ui::Ui;

use super::ask::{self, Held, Hop};
use super::key_view::{self, KeyView};
use super::{TestArgs, fail, generate, input};

/// Keys that are asked about at a time.
const AT_A_TIME: usize = 64;

/// What is looked for at one selector.
struct Question {
    domain: Name,
    selector: String,
    owner: Name,
    /// The public key that shall be there, and where it was read.
    expected: Option<(PublicKey, &'static str)>,
    given: Vec<SocketAddr>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Every server that answers has the key.
    Yes,
    /// A usable key, alike at every server, and none to compare it with.
    NotCompared,
    /// Some servers have it and some do not, or none has any record.
    NotVisible,
    /// Another key, a revoked or damaged one, or one that receivers do not take.
    No,
    /// No server could be asked.
    NotAsked,
}

impl Answer {
    fn code(self) -> Code {
        match self {
            Self::Yes | Self::NotCompared => Code::Done,
            Self::NotVisible => Code::NotVisible,
            Self::No | Self::NotAsked => Code::Error,
        }
    }

    /// Whether the signer may use the key; `None` where there is no private key to say it of.
    fn safe(self) -> Option<bool> {
        (self != Self::NotCompared).then_some(self == Self::Yes)
    }
}

#[derive(Debug, Serialize)]
struct View {
    keys: Vec<Tested>,
}

/// One selector.
#[derive(Debug, Serialize)]
struct Tested {
    domain: String,
    selector: String,
    owner: String,
    expected: Option<ExpectedView>,
    servers: Vec<ServerView>,
    /// The published key, where there is one.
    published: Option<KeyView>,
    /// Always `not checked`: this version validates no signatures of zones.
    dnssec: &'static str,
    answer: Answer,
    /// The reason of an answer that is not yes.
    reason: Option<String>,
    safe_to_sign: Option<bool>,
}

#[derive(Debug, Serialize)]
struct ExpectedView {
    /// `private key` or `configuration`.
    from: &'static str,
    fingerprint: String,
    #[serde(skip)]
    shown: String,
}

/// One address.
#[derive(Debug, Serialize)]
struct ServerView {
    /// The name that it was asked for.
    name: String,
    server: Option<String>,
    address: SocketAddr,
    /// `current`, `other`, `revoked`, `damaged`, `several`, `alias`, `missing`, `lame`, `unreachable`.
    state: &'static str,
    detail: Option<String>,
}

/// Compares what is published with the signer's key, at every authoritative server.
pub(super) fn run(global: &Global, args: &TestArgs, ui: &Ui) -> Result<Code, Code> {
    only(global, &[Format::Text, Format::Json], ui)?;
    let settings = context::load_if_any(global, ui)?;
    let private = args.private_key.as_deref().map(|path| private_key(path, ui)).transpose()?;
    let mut questions = match &args.selector {
        Some(selector) => vec![named(args, selector, private, settings.as_ref(), ui)?],
        None => configured(args, settings.as_ref(), ui)?,
    };
    context::runtime(ui)?.block_on(async {
        let mut embedded = Embedded::default();
        if let Some(settings) = &settings {
            let mut providers = registry::providers(settings);
            embedded = embedded::start(settings, &mut providers, ui)
                .await
                .map_err(|message| fail(ui, &message, "stop what answers there, or serve at port 0"))?;
        }
        let servers = settings
            .as_ref()
            .map(|settings| context::servers_by_domain(settings, &args.nameserver, &embedded.addresses))
            .unwrap_or_default();
        for question in &mut questions {
            question.given = given(&question.domain, &args.nameserver, &servers);
        }
        ui.progress("asking the name servers");
        let verifier = context::verifier(settings.as_ref(), None);
        let keys = test_all(questions, &verifier).await;
        let exits = keys.iter().filter(|key| key.answer.code() != Code::Done);
        let zones: Vec<ExitZone> =
            exits.map(|key| ExitZone { zone: key.owner.clone(), code: key.answer.code().number() }).collect();
        let code = Code::worst(keys.iter().map(|key| key.answer.code()));
        match global.format {
            Format::Json => ui.data(&envelope(View { keys }, Exit { code: code.number(), zones })),
            _ => ui.data(&keys.iter().map(text).collect::<Vec<_>>().join("\n")),
        };
        Ok(code)
    })
}

/// The public key of the signer's file.
fn private_key(path: &Path, ui: &Ui) -> Result<PublicKey, Code> {
    let (octets, exposure) = input::read(path, ui)?;
    let shown = path.display();
    let key = read_private(&octets).map_err(|error| fail(ui, &format!("{shown}: {error}"), error.remedy()))?;
    if let Some(exposure) = exposure {
        ui.warn(&format!("{shown}: {exposure}; `chmod 600 {shown}` mends it"));
    }
    Ok(key.public)
}

/// One selector of one domain, in the configuration or not.
fn named(
    args: &TestArgs,
    selector: &str,
    private: Option<PublicKey>,
    settings: Option<&Settings>,
    ui: &Ui,
) -> Result<Question, Code> {
    let [domain] = args.domains.as_slice() else {
        return Err(fail(ui, "--selector is of one domain", "name one domain"));
    };
    let domain = generate::parse_domain(domain, ui)?;
    let selector = selector.to_ascii_lowercase();
    let owner = generate::owner(&selector, Some(&domain), ui)?;
    let of_settings = || settings?.domains.get(&domain)?.dkim.get(&selector).and_then(|slot| wanted(&slot.value));
    let expected = match private {
        Some(key) => Some((key, "private key")),
        None => of_settings().map(|key| (key, "configuration")),
    };
    Ok(Question { domain, selector, owner, expected, given: Vec::new() })
}

/// Every configured selector of the domains, all without, that holds a key or a CNAME.
fn configured(args: &TestArgs, settings: Option<&Settings>, ui: &Ui) -> Result<Vec<Question>, Code> {
    let Some(settings) = settings else {
        return Err(fail(ui, "no selector to test", "name one with --selector, or a configuration with --config"));
    };
    let names = context::selected(settings, &args.domains, ui).map_err(|_| Code::Error)?;
    let mut questions = Vec::new();
    for domain in settings.domains.values().filter(|domain| names.is_empty() || names.contains(&domain.name)) {
        for (selector, slot) in &domain.dkim {
            let expected = wanted(&slot.value);
            let is_alias = matches!(slot.value, Slot::Want(DkimSetting::Cname(_)));
            // A wildcard and a key that is gone on purpose are nothing to sign with.
            if selector == "*" || (expected.is_none() && !is_alias) {
                continue;
            }
            questions.push(Question {
                domain: domain.name.clone(),
                selector: selector.clone(),
                owner: generate::owner(selector, Some(&domain.name), ui)?,
                expected: expected.map(|key| (key, "configuration")),
                given: Vec::new(),
            });
        }
    }
    if questions.is_empty() {
        return Err(fail(ui, "no DKIM key is configured for these domains", "name a selector with --selector"));
    }
    Ok(questions)
}

/// The key that a slot of the configuration wants.
fn wanted(slot: &Slot<DkimSetting>) -> Option<PublicKey> {
    match slot {
        Slot::Want(DkimSetting::Key(key)) => KeyRecord::parse(&key.text).ok()?.public_key().cloned(),
        _ => None,
    }
}

/// The servers to ask: those of the command line, else of the nearest configured domain; empty for the delegation.
fn given(domain: &Name, flags: &[SocketAddr], servers: &HashMap<Name, Vec<SocketAddr>>) -> Vec<SocketAddr> {
    if !flags.is_empty() {
        return flags.to_vec();
    }
    let above = std::iter::successors(Some(domain.clone()), Name::parent);
    above.into_iter().find_map(|name| servers.get(&name).cloned()).unwrap_or_default()
}

async fn test_all(questions: Vec<Question>, verifier: &Verifier) -> Vec<Tested> {
    let gate = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = JoinSet::new();
    for (at, question) in questions.into_iter().enumerate() {
        let (verifier, gate): (Verifier, Arc<Semaphore>) = (verifier.clone(), Arc::clone(&gate));
        running.spawn(async move {
            // The semaphore is never closed, so this always yields a permit.
            let _permit = gate.acquire().await;
            let hops = ask::ask(&verifier, &question.domain, &question.owner, &question.given).await;
            (at, tested(&question, &hops))
        });
    }
    let mut tested = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(one) => tested.push(one),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    tested.sort_by_key(|(at, _)| *at);
    tested.into_iter().map(|(_, one)| one).collect()
}

/// What the answers of all servers mean together.
fn tested(question: &Question, hops: &[Hop]) -> Tested {
    let rows = || hops.iter().flat_map(|hop| &hop.rows);
    let record = rows().find_map(|row| match &row.held {
        Held::Key(record) => Some(record.as_ref()),
        _ => None,
    });
    // Without a key to compare with, all have to have the same.
    let wanted = question.expected.as_ref().map(|(key, _)| key).or_else(|| record?.public_key());
    let published = record.map(|record| KeyView::new(record, &question.owner));
    let (mut answer, mut reason) = judge(hops, wanted);
    if answer == Answer::Yes
        && let Some(why) = record.and_then(|record| unusable(record, published.as_ref()))
    {
        (answer, reason) = (Answer::No, Some(why));
    }
    if answer == Answer::Yes && question.expected.is_none() {
        answer = Answer::NotCompared;
    }
    let servers = hops.iter().flat_map(|hop| hop.rows.iter().map(|row| server_view(hop, row, wanted))).collect();
    Tested {
        domain: question.domain.to_text_without_dot(),
        selector: question.selector.clone(),
        owner: question.owner.to_text_without_dot(),
        expected: question.expected.as_ref().map(|(key, from)| ExpectedView {
            from,
            fingerprint: key.fingerprint(),
            shown: key.to_string(),
        }),
        servers,
        published,
        dnssec: "not checked",
        answer,
        reason,
        safe_to_sign: answer.safe(),
    }
}

/// The answer, and why where it is not yes.
fn judge(hops: &[Hop], wanted: Option<&PublicKey>) -> (Answer, Option<String>) {
    let last = hops.len().saturating_sub(1);
    let (mut good, mut answers, mut wrong, mut missing) = (0, 0, None, None);
    for (at, hop) in hops.iter().enumerate() {
        let mut answered = false;
        for row in hop.rows.iter().filter(|row| row.held.is_answer()) {
            (answered, answers) = (true, answers + 1);
            let follows = at < last
                && matches!(&row.held, Held::Alias(to) if hops.get(at + 1).is_some_and(|next| next.name == *to));
            let has = wanted.zip(row.held.public_key()).is_some_and(|(wanted, key)| wanted.is_same_key(key));
            if has || follows {
                good += usize::from(has);
            } else if row.held == Held::Missing {
                missing.get_or_insert_with(|| format!("{} has no record", row.address));
            } else {
                wrong.get_or_insert_with(|| {
                    format!("{} has {}", row.address, detail(&row.held).unwrap_or_else(|| "another key".into()))
                });
            }
        }
        if !answered {
            let why = hop.nobody.clone().unwrap_or_else(|| format!("no server of {} answers for it", hop.name));
            return (Answer::NotAsked, Some(why));
        }
    }
    match (good, wrong, missing) {
        (1.., None, None) => (Answer::Yes, None),
        (1.., wrong, missing) => (Answer::NotVisible, wrong.or(missing)),
        (0, Some(wrong), _) => (Answer::No, Some(wrong)),
        (0, None, missing) => (Answer::NotVisible, missing.or_else(|| Some(format!("{answers} servers, no key")))),
    }
}

/// Why receivers would not take a record whose key is the right one.
fn unusable(record: &KeyRecord, view: Option<&KeyView>) -> Option<String> {
    let is_fatal = |finding: &&Finding| {
        finding.severity == Severity::Error || ["DKIM-13", "DKIM-14"].contains(&finding.code.as_str())
    };
    let fatal = view.and_then(|view| view.findings.iter().find(is_fatal));
    fatal.map(|finding| finding.message.clone()).filter(|_| record.public_key().is_some())
}

fn server_view(hop: &Hop, row: &ask::Row, wanted: Option<&PublicKey>) -> ServerView {
    let state = match &row.held {
        Held::Key(record) if record.public_key().zip(wanted).is_some_and(|(key, wanted)| key.is_same_key(wanted)) => {
            "current"
        }
        Held::Key(_) => "other",
        Held::Revoked => "revoked",
        Held::Damaged(_) => "damaged",
        Held::Several(_) => "several",
        Held::Alias(_) => "alias",
        Held::Missing => "missing",
        Held::Lame => "lame",
        Held::Unreachable(_) => "unreachable",
    };
    let detail = detail(&row.held).filter(|_| !["current", "missing"].contains(&state));
    ServerView {
        name: hop.name.to_text_without_dot(),
        server: row.server.as_ref().map(Name::to_text_without_dot),
        address: row.address,
        state,
        detail,
    }
}

fn detail(held: &Held) -> Option<String> {
    Some(match held {
        Held::Key(record) => format!("another key: {}", record.public_key()?),
        Held::Revoked => "a revoked key".into(),
        Held::Damaged(why) => format!("a record that no receiver takes: {why}"),
        Held::Several(count) => format!("{count} TXT records, of which receivers take any or none"),
        Held::Alias(target) => format!("a CNAME to {}", target.to_text_without_dot()),
        Held::Missing => "no record".into(),
        Held::Lame => "no authority for the zone".into(),
        Held::Unreachable(why) => why.clone(),
    })
}

fn text(key: &Tested) -> String {
    let mut text = String::new();
    let line = |text: &mut String, line: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", escape::line(line));
    };
    line(&mut text, &key.owner);
    match &key.expected {
        Some(expected) => line(&mut text, &format!("  expected     {} ({})", expected.shown, expected.from)),
        None => line(&mut text, "  expected     nothing: no key to compare with; name one with --private-key"),
    }
    for server in &key.servers {
        let at = match &server.server {
            Some(name) => format!("{name} ({})", server.address.ip()),
            None => server.address.to_string(),
        };
        let detail = server.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let name = if server.name == key.owner { String::new() } else { format!("  {}", server.name) };
        line(&mut text, &format!("  {:<11}  {at}{name}{detail}", server.state));
    }
    if let Some(published) = &key.published {
        text.push_str(&key_view::findings(&published.findings, "  "));
    }
    line(&mut text, "  DNSSEC       not checked: this version validates no signatures of zones");
    let reason = key.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let verdict = match key.answer {
        Answer::Yes => "safe to sign now: yes".to_owned(),
        Answer::NotCompared => {
            "published, a usable key, alike at every server; not compared with a private key".to_owned()
        }
        Answer::NotVisible => format!("safe to sign now: no, not visible everywhere{reason}"),
        Answer::No => format!("safe to sign now: no{reason}"),
        Answer::NotAsked => format!("safe to sign now: no, nobody could be asked{reason}"),
    };
    line(&mut text, &format!("  {verdict}"));
    text
}
