//! What the authoritative servers hold at a selector.

use std::net::SocketAddr;
use std::sync::Arc;

use mailzone_engine::verify::{Live, Verifier};
use mailzone_mailauth::dkim::{Key, KeyRecord, PublicKey};
use mailzone_probe::{Before, Expected, Observation, State, Target, check_once};
use mailzone_record::{Name, Rdata, RecordType};

/// So many CNAMEs are followed.
const MOST_HOPS: usize = 8;

/// What one name was found to hold.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) name: Name,
    /// Why nobody could be asked.
    pub(super) nobody: Option<String>,
    pub(super) rows: Vec<Row>,
}

/// What one address answered.
#[derive(Debug)]
pub(super) struct Row {
    /// The server's name, if it was found by the delegation.
    pub(super) server: Option<Name>,
    pub(super) address: SocketAddr,
    pub(super) held: Held,
}

/// What a server holds at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// One record with this key.
    Key(Box<KeyRecord>),
    /// One record, the key withdrawn.
    Revoked,
    /// One record that no verifier takes, and why.
    Damaged(String),
    /// So many TXT records.
    Several(usize),
    /// A CNAME to this name.
    Alias(Name),
    /// Nothing.
    Missing,
    /// The server is no authority for the zone.
    Lame,
    /// No answer, and why.
    Unreachable(String),
}

impl Held {
    /// Whether the server said what it holds.
    pub(super) fn is_answer(&self) -> bool {
        !matches!(self, Self::Lame | Self::Unreachable(_))
    }

    /// The key, if there is one.
    pub(super) fn public_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Key(record) => record.public_key(),
            _ => None,
        }
    }
}

/// Asks every authoritative server of a name, and where it is an alias those of its target.
pub(super) async fn ask(verifier: &Verifier, domain: &Name, owner: &Name, given: &[SocketAddr]) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::new();
    let mut next = Some((owner.clone(), domain.clone()));
    while let Some((name, zone)) = next.take() {
        let hop = ask_one(verifier, name, &zone, given).await;
        let target = hop.rows.iter().find_map(|row| match &row.held {
            Held::Alias(target) => Some(target.clone()),
            _ => None,
        });
        hops.push(hop);
        if let Some(target) = target
            && hops.len() <= MOST_HOPS
            && hops.iter().all(|hop| hop.name != target)
        {
            next = Some((target.clone(), target));
        }
    }
    hops
}

async fn ask_one(verifier: &Verifier, name: Name, zone: &Name, given: &[SocketAddr]) -> Hop {
    let mut whom = verifier.whom(zone, given, &[]).await;
    let all_down = whom.endpoints.iter().all(|endpoint| whom.down.contains(&endpoint.address));
    if !given.is_empty() && all_down && name == *zone {
        // The target of an alias may be in a zone that the servers given do not have.
        whom = verifier.whom(zone, &[], &[]).await;
    }
    let target = Target {
        zone: whom.zone.clone(),
        name: name.clone(),
        rtype: RecordType::TXT,
        expected: Expected::Fulfilling(Arc::new(|_| true)),
        before: Before::Unknown,
    };
    let seen = check_once(verifier.ask(), &whom.endpoints, &[target]).await;
    let nobody = whom.endpoints.is_empty().then(|| match &whom.live {
        Live::Unknown(why) | Live::No(why) => why.clone(),
        Live::Yes => format!("no name server of {} was found", whom.zone),
    });
    let row =
        |seen: Observation| Row { server: seen.endpoint.server.clone(), address: seen.address(), held: held(&seen) };
    Hop { name, nobody, rows: seen.into_iter().map(row).collect() }
}

fn held(seen: &Observation) -> Held {
    match seen.state {
        State::Lame => return Held::Lame,
        State::Unreachable => {
            return Held::Unreachable(seen.error.as_ref().map(ToString::to_string).unwrap_or_default());
        }
        _ => {}
    }
    match seen.answer.as_slice() {
        [] => Held::Missing,
        [Rdata::Cname(target)] => Held::Alias(target.clone()),
        [Rdata::Txt(txt)] => match KeyRecord::parse(&String::from_utf8_lossy(&txt.joined())) {
            Ok(record) if record.key == Key::Revoked => Held::Revoked,
            Ok(record) => Held::Key(Box::new(record)),
            Err(error) => Held::Damaged(error.to_string()),
        },
        several => Held::Several(several.len()),
    }
}
