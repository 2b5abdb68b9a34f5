//! Reading by questions: what a server that refuses a transfer answers about single names.
//!
//! Each name is asked for its SOA first. That alone tells whether the name is there, an alias, delegated, below a
//! DNAME, or in another zone of the same server; then comes a question for each type. Only answers with authority
//! (AA) count, and referrals, which have none.
//!
//! An answer may be made from a wildcard (RFC 4592), and nothing in it says so. A name that is answered exactly like
//! a wildcard above it may not be there at all. Where that makes no difference to the plan it is taken as not
//! there; where it does the zone is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mailzone_provider::{ProviderError, ProviderErrorKind, Snapshot};
use mailzone_record::{Name, RRset, RRsetKey, Rdata, RecordType};
use mailzone_wire::{Message, Query, Rcode, Record, SignedError, ask_signed};
use tokio::task::JoinSet;

use crate::Rfc2136Provider;
use crate::read::{Asking, derived, rrsets};

/// What each name of the plan is asked for, besides SOA, which comes first and shows a CNAME too, and the plan's types.
const TYPES: [RecordType; 10] = [
    RecordType::NS,
    RecordType::DNAME,
    RecordType::MX,
    RecordType::TXT,
    RecordType::A,
    RecordType::AAAA,
    RecordType::CAA,
    RecordType::SRV,
    RecordType::TLSA,
    RecordType::PTR,
];

/// Why questions do not show the zone.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no answer.
    Asking(SignedError),
    /// The answer is of no use.
    Answer(String),
    /// `name` is answered like `wildcard`.
    Wildcard { name: Name, wildcard: Name },
}

/// What the server says of one name.
#[derive(Debug)]
enum Node {
    /// It is not there.
    Missing,
    /// It holds these sets; none where names below it do.
    Held(Vec<RRset>),
    /// It is in other hands: the delegation or DNAME, and the DS at the delegation.
    Elsewhere(Vec<RRset>),
}

impl Node {
    fn sets(&self) -> &[RRset] {
        match self {
            Self::Missing => &[],
            Self::Held(sets) | Self::Elsewhere(sets) => sets,
        }
    }
}

/// What one answer says of its question.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Missing,
    NoData,
    /// The records asked for, or the CNAME in their place.
    Records(Vec<Record>),
    Elsewhere(Vec<Record>),
    /// The server has another zone with this apex, below ours.
    Child(Name),
}

impl Rfc2136Provider {
    /// What the server answers of `keys`, of what stands beside and above them, and of the apex.
    pub(crate) async fn ask_for(&self, zone: &Name, keys: &[RRsetKey]) -> Result<Snapshot, Fault> {
        let mut wanted: BTreeMap<Name, BTreeSet<RecordType>> = BTreeMap::from([(zone.clone(), BTreeSet::new())]);
        for key in keys.iter().filter(|key| key.name.is_at_or_below(zone)) {
            wanted.entry(key.name.clone()).or_default().insert(key.rtype);
        }
        let types: BTreeSet<RecordType> = TYPES
            .into_iter()
            .chain(wanted.values().flatten().copied())
            .filter(|&rtype| !matches!(rtype, RecordType::SOA | RecordType::CNAME) && !derived(rtype))
            .collect();
        let types: Vec<RecordType> = types.into_iter().collect();

        let mut questions: BTreeMap<Name, Vec<RecordType>> = BTreeMap::new();
        for name in wanted.keys() {
            // Of names in between nothing matters but whose they are. PowerDNS has a setting for heeding DNAMEs.
            for above in ancestors(name, zone) {
                questions.entry(above).or_insert_with(|| vec![RecordType::DNAME]);
            }
            questions.insert(name.clone(), types.clone());
        }
        let mut nodes = self.nodes(zone, questions).await?;
        let hosts = name_servers(nodes.get(zone), zone);
        let hosts = hosts.into_iter().filter(|host| !wanted.contains_key(host));
        let addresses = vec![RecordType::A, RecordType::AAAA];
        let hosts: BTreeMap<_, _> = hosts.map(|host| (host, addresses.clone())).collect();
        let mut looked_at: BTreeSet<Name> = wanted.keys().chain(hosts.keys()).cloned().collect();
        nodes.extend(self.nodes(zone, hosts).await?);
        looked_at.retain(|name| matches!(nodes.get(name), Some(Node::Held(_))));
        let wildcards = looked_at.iter().filter(|name| *name != zone).flat_map(|name| wildcards(name, zone));
        let wildcards = wildcards.map(|wildcard| (wildcard, types.clone())).collect();
        let wildcards = self.nodes(zone, wildcards).await?;

        let mut sets: BTreeMap<RRsetKey, RRset> = BTreeMap::new();
        for node in nodes.values() {
            let cut = |set: &&RRset| match node {
                Node::Elsewhere(_) => true,
                _ => set.rtype == RecordType::DNAME,
            };
            sets.extend(node.sets().iter().filter(cut).map(|set| (set.key(), set.clone())));
        }
        let cuts: Vec<Name> = sets.values().map(|set| set.name.clone()).collect();
        for name in &looked_at {
            let Some(Node::Held(held)) = nodes.get(name) else { continue };
            if cuts.iter().any(|cut| name != cut && name.is_at_or_below(cut)) {
                continue;
            }
            let none = BTreeSet::new();
            let wanted = wanted.get(name).unwrap_or(&none);
            if name == zone || !made_of_wildcard(name, zone, held, wanted, &wildcards)? {
                sets.extend(held.iter().map(|set| (set.key(), set.clone())));
            }
        }
        Ok(Snapshot::new(sets.into_values().collect(), None))
    }

    /// What a fault means to a user.
    pub(crate) fn fault(&self, zone: &Name, fault: Fault) -> ProviderError {
        let operation = format!("asking {} about {zone}, which it refuses to transfer", self.server);
        let remedy = "allow zone transfers (AXFR) of the zone for this key";
        match fault {
            Fault::Asking(error) => self.signed_error(operation, error),
            Fault::Answer(text) => ProviderError::new(operation, ProviderErrorKind::Refused(text), remedy),
            Fault::Wildcard { name, wildcard } => {
                let text = format!(
                    "{name} is answered like {wildcard}: whether the zone holds records at {name} cannot be told"
                );
                let remedy = format!("{remedy}, or take the wildcard away");
                ProviderError::new(operation, ProviderErrorKind::Refused(text), remedy)
            }
        }
    }

    /// Asks for the names, some at a time.
    async fn nodes(
        &self,
        zone: &Name,
        questions: BTreeMap<Name, Vec<RecordType>>,
    ) -> Result<BTreeMap<Name, Node>, Fault> {
        let mut running = JoinSet::new();
        for (name, types) in questions {
            let (asking, zone, gate) = (Asking::new(self), zone.clone(), Arc::clone(&self.gate));
            running.spawn(async move {
                // The semaphore is never closed, so this always yields a permit.
                let _permit = gate.acquire().await;
                node(asking, zone, name, types).await
            });
        }
        let mut nodes = BTreeMap::new();
        while let Some(answer) = running.join_next().await {
            // A task that was cancelled or has panicked has no answer; neither happens.
            let (name, node) = answer.map_err(|error| Fault::Answer(error.to_string()))??;
            nodes.insert(name, node);
        }
        Ok(nodes)
    }
}

/// Whether `name`, which holds `held` by the answers, may be no more than what a wildcard makes of it. An error
/// where that matters to a plan about the types `wanted`.
fn made_of_wildcard(
    name: &Name,
    zone: &Name,
    held: &[RRset],
    wanted: &BTreeSet<RecordType>,
    wildcards_there: &BTreeMap<Name, Node>,
) -> Result<bool, Fault> {
    for wildcard in wildcards(name, zone) {
        let Some(Node::Held(sets)) = wildcards_there.get(&wildcard) else { continue };
        let alike = |a: &RRset, b: &RRset| {
            a.rtype == b.rtype
                && a.values.iter().all(|value| b.values.iter().any(|other| other.rdata == value.rdata))
                && b.values.iter().all(|value| a.values.iter().any(|other| other.rdata == value.rdata))
        };
        // The wildcard may have been asked for more types (an address of a name server).
        let same = held.iter().all(|set| sets.iter().any(|other| alike(set, other)))
            && (wanted.is_empty() || held.len() == sets.len());
        if !same || sets.is_empty() {
            continue;
        }
        let matters = |set: &RRset| {
            set.rtype == RecordType::CNAME || wanted.contains(&set.rtype) || wanted.contains(&RecordType::CNAME)
        };
        if !wanted.is_empty() && sets.iter().any(matters) {
            return Err(Fault::Wildcard { name: name.clone(), wildcard });
        }
        return Ok(true);
    }
    Ok(false)
}

/// The names above `name` and below `zone`.
fn ancestors(name: &Name, zone: &Name) -> impl Iterator<Item = Name> {
    let below = move |name: &Name| name != zone && name.is_at_or_below(zone);
    std::iter::successors(name.parent(), Name::parent).take_while(below)
}

/// The wildcards that could answer for `name`.
fn wildcards(name: &Name, zone: &Name) -> Vec<Name> {
    let above = ancestors(name, zone).chain([zone.clone()]);
    above.filter_map(|above| above.prepend("*").ok()).filter(|wildcard| wildcard != name).collect()
}

/// The name servers that the zone itself holds.
fn name_servers(apex: Option<&Node>, zone: &Name) -> Vec<Name> {
    let Some(Node::Held(sets)) = apex else { return Vec::new() };
    let values = sets.iter().filter(|set| set.rtype == RecordType::NS).flat_map(|set| &set.values);
    let host = |rdata: &Rdata| match rdata {
        Rdata::Ns(host) if host != zone && host.is_at_or_below(zone) => Some(host.clone()),
        _ => None,
    };
    values.filter_map(|value| host(&value.rdata)).collect()
}

/// Asks for all that is at `name` of these types.
async fn node(asking: Asking, zone: Name, name: Name, types: Vec<RecordType>) -> Result<(Name, Node), Fault> {
    let ask = async |name: &Name, rtype| {
        let query = Query::authoritative(name.clone(), rtype);
        let answer = ask_signed(asking.server, &query, asking.key.as_ref(), asking.timeout).await;
        said(&zone, &query, &answer.map_err(Fault::Asking)?).map_err(Fault::Answer)
    };
    let mut records = match ask(&name, RecordType::SOA).await? {
        Said::Missing => return Ok((name, Node::Missing)),
        Said::Elsewhere(mut cut) => {
            let is_cut = cut.iter().any(|record| record.name == name);
            if is_cut
                && types.contains(&RecordType::DS)
                && let Said::Records(ds) = ask(&name, RecordType::DS).await?
            {
                cut.extend(ds);
            }
            return Ok((name, Node::Elsewhere(rrsets(cut))));
        }
        Said::Child(apex) => {
            return match ask(&apex, RecordType::NS).await? {
                Said::Records(cut) | Said::Elsewhere(cut) => Ok((name, Node::Elsewhere(rrsets(cut)))),
                _ => Err(Fault::Answer(format!("the server has a zone {apex} without NS records"))),
            };
        }
        Said::Records(alias) if alias.iter().any(|record| record.rtype() == RecordType::CNAME) => {
            return Ok((name, Node::Held(rrsets(alias))));
        }
        Said::Records(soa) => soa,
        Said::NoData => Vec::new(),
    };
    for rtype in types {
        match ask(&name, rtype).await? {
            Said::Records(found) => records.extend(found),
            Said::NoData => {}
            Said::Missing | Said::Elsewhere(_) | Said::Child(_) => {
                return Err(Fault::Answer(format!(
                    "{name} changes while it is read, or is answered differently by type"
                )));
            }
        }
    }
    Ok((name, Node::Held(rrsets(records))))
}

/// Reads an answer; a sentence if it says nothing about `zone`.
fn said(zone: &Name, query: &Query, answer: &Message) -> Result<Said, String> {
    let (name, rtype) = (&query.name, query.rtype);
    let of = |records: &[Record], wanted: &dyn Fn(&Record) -> bool| -> Vec<Record> {
        records.iter().filter(|record| wanted(record)).cloned().collect()
    };
    if !matches!(answer.rcode, Rcode::NoError | Rcode::NxDomain) {
        return Err(format!("the server answers {} when asked for {name} {rtype}", answer.rcode));
    }
    if !answer.authoritative {
        let cut = of(&answer.authority, &|record| {
            let within = record.name != *zone && record.name.is_at_or_below(zone);
            record.rtype() == RecordType::NS && within && name.is_at_or_below(&record.name)
        });
        let referral = answer.rcode == Rcode::NoError && answer.answers.is_empty() && !cut.is_empty();
        return if referral {
            Ok(Said::Elsewhere(cut))
        } else {
            Err(format!("the server answers for {name} {rtype} without authority"))
        };
    }
    let above = of(&answer.answers, &|record| {
        record.rtype() == RecordType::DNAME && record.name != *name && name.is_at_or_below(&record.name)
    });
    if !above.is_empty() {
        return Ok(Said::Elsewhere(above));
    }
    let own = of(&answer.answers, &|record| {
        record.name == *name && (record.rtype() == rtype || record.rtype() == RecordType::CNAME)
    });
    let is_soa = |record: &&Record| record.rtype() == RecordType::SOA && name.is_at_or_below(&record.name);
    let alias = own.iter().any(|record| record.rtype() == RecordType::CNAME);
    // Behind an alias comes the SOA of the alias's target.
    if !alias && let Some(soa) = answer.answers.iter().chain(&answer.authority).find(is_soa) {
        if soa.name != *zone && soa.name.is_at_or_below(zone) {
            return Ok(Said::Child(soa.name.clone()));
        }
        if soa.name != *zone {
            return Err(format!("the server answers for {name} {rtype} from the zone {}", soa.name));
        }
    }
    Ok(match answer.rcode {
        _ if !own.is_empty() => Said::Records(own),
        Rcode::NxDomain => Said::Missing,
        _ => Said::NoData,
    })
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Ttl, parse_rdata_text};
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn record((owner, rtype, text): (&str, &str, &str)) -> Record {
        let rdata = parse_rdata_text(rtype.parse().unwrap(), text, None).unwrap();
        Record { name: name(owner), ttl: Ttl::from_secs(60).unwrap(), rdata }
    }

    const SOA: &str = "ns.z. h.z. 1 2 3 4 5";

    /// What an answer about `x.y.z`, type TXT, says of the zone `z`.
    fn says(
        authoritative: bool,
        rcode: Rcode,
        answers: &[(&str, &str, &str)],
        authority: &[(&str, &str, &str)],
    ) -> String {
        let records = |list: &[(&str, &str, &str)]| list.iter().copied().map(record).collect();
        let (answers, authority) = (records(answers), records(authority));
        let answer = Message { rcode, authoritative, answers, authority, ..Message::default() };
        match said(&name("z"), &Query::authoritative(name("x.y.z"), RecordType::TXT), &answer) {
            Ok(Said::Records(records)) => format!("{} {}", records[0].rtype(), records[0].rdata),
            Ok(Said::Elsewhere(records)) => format!("elsewhere: {} {}", records[0].name, records[0].rtype()),
            Ok(other) => format!("{other:?}"),
            Err(text) => text,
        }
    }

    #[test]
    fn answers() {
        use Rcode::{NoError, NxDomain, Refused};
        assert_eq!(says(true, NoError, &[("X.y.z", "TXT", "a")], &[]), "TXT \"a\"");
        assert_eq!(says(true, NoError, &[("x.y.z", "CNAME", "a.b."), ("a.b", "TXT", "b")], &[]), "CNAME a.b.");
        // The name is there, and what it points to is not.
        assert_eq!(says(true, NxDomain, &[("x.y.z", "CNAME", "a.z.")], &[("z", "SOA", SOA)]), "CNAME a.z.");
        assert_eq!(says(true, NxDomain, &[], &[("z", "SOA", SOA)]), "Missing");
        assert_eq!(says(true, NoError, &[], &[("z", "SOA", SOA)]), "NoData");
        assert_eq!(says(true, NxDomain, &[], &[("y.z", "SOA", SOA)]), "Child(y.z.)");
        assert_eq!(says(false, NoError, &[], &[("y.z", "NS", "ns.b.")]), "elsewhere: y.z. NS");
        assert_eq!(
            says(true, NoError, &[("y.z", "DNAME", "b."), ("x.y.z", "CNAME", "x.b.")], &[]),
            "elsewhere: y.z. DNAME"
        );
        // Upward, sideways, or without authority it says nothing.
        let nothing = "the server answers for x.y.z. TXT without authority";
        assert_eq!(says(false, NoError, &[], &[("z", "NS", "ns.b.")]), nothing);
        assert_eq!(says(false, NoError, &[], &[("a.z", "NS", "ns.b.")]), nothing);
        assert_eq!(says(false, NoError, &[("x.y.z", "TXT", "a")], &[]), nothing);
        assert_eq!(
            says(true, NxDomain, &[], &[(".", "SOA", SOA)]),
            "the server answers for x.y.z. TXT from the zone ."
        );
        assert_eq!(says(false, Refused, &[], &[]), "the server answers REFUSED when asked for x.y.z. TXT");
    }

    fn sets(records: &[(&str, &str, &str)]) -> Vec<RRset> {
        rrsets(records.iter().copied().map(record).collect())
    }

    /// Whether what `x.z` holds may come from `*.z`, for a plan about TXT; `None` where that matters.
    fn made(held: &[(&str, &str, &str)], wildcard: &[(&str, &str, &str)]) -> Option<bool> {
        let there = BTreeMap::from([(name("*.z"), Node::Held(sets(wildcard)))]);
        made_of_wildcard(&name("x.z"), &name("z"), &sets(held), &BTreeSet::from([RecordType::TXT]), &there).ok()
    }

    #[test]
    fn answers_like_those_of_a_wildcard() {
        let text = |owner| [(owner, "TXT", "a"), (owner, "TXT", "b")];
        let address = |owner| [(owner, "A", "192.0.2.1")];
        assert_eq!(made(&text("x.z"), &text("*.z")), None);
        assert_eq!(made(&[("x.z", "TXT", "b"), ("x.z", "TXT", "a")], &text("*.z")), None);
        assert_eq!(made(&[("x.z", "CNAME", "b.")], &[("*.z", "CNAME", "b.")]), None);
        assert_eq!(made(&address("x.z"), &address("*.z")), Some(true));
        // A wildcard would have given more, less, or something else.
        assert_eq!(made(&text("x.z")[..1], &text("*.z")), Some(false));
        assert_eq!(made(&[], &text("*.z")), Some(false));
        assert_eq!(made(&text("x.z"), &address("*.z")), Some(false));
        assert_eq!(made(&[&text("x.z")[..], &address("x.z")].concat(), &text("*.z")), Some(false));
        assert_eq!(made(&text("x.z"), &[]), Some(false));
    }

    #[test]
    fn names_above() {
        let above = |text: &str| ancestors(&name(text), &name("z")).map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(above("a.b.c.z"), ["b.c.z.", "c.z."]);
        assert!(above("a.z").is_empty() && above("z").is_empty() && above("a.b").is_empty());
        let wild = |text: &str| wildcards(&name(text), &name("z")).iter().map(Name::to_string).collect::<Vec<_>>();
        assert_eq!(wild("a.b.z"), ["*.b.z.", "*.z."]);
        assert_eq!(wild("*.b.z"), ["*.z."]);
    }

    proptest! {
        /// Only records at the name asked for are taken for the name's.
        #[test]
        fn nothing_of_another_name(owners in prop::collection::vec("([xy]\\.)?([xyb]\\.)?z", 0..6), aa: bool, nx: bool) {
            let records: Vec<Record> = owners.iter().map(|owner| record((owner, "TXT", "a"))).collect();
            let rcode = if nx { Rcode::NxDomain } else { Rcode::NoError };
            let answer = Message { rcode, authoritative: aa, answers: records, ..Message::default() };
            if let Ok(Said::Records(found)) = said(&name("z"), &Query::authoritative(name("x.y.z"), RecordType::TXT), &answer) {
                prop_assert!(aa && found.iter().all(|record| record.name == name("x.y.z")));
            }
        }
    }
}
