//! What to answer: pure, from zones and a request to a message.

use mailzone_record::{Name, Opaque, Rdata, RecordType, Ttl};
use mailzone_wire::{Message, Rcode, Record, Request};

use crate::zone::{Found, Set, Zone, Zones};

const IN: u16 = 1;
const BADVERS: Rcode = Rcode::Other(16);
const YXDOMAIN: Rcode = Rcode::Other(6);
const MAILB: RecordType = RecordType(253);
const MAILA: RecordType = RecordType(254);

/// How many CNAMEs are followed: resolvers give up at about as many.
const MAX_CHAIN: usize = 16;

/// The answer to `request` from `zones` (RFC 1034 section 4.3.2).
///
/// ANY is answered with all sets of the name. Sections hold what is needed and no more: the SOA
/// in a negative answer, name servers and glue in a referral.
pub(crate) fn answer(zones: &Zones, request: &Request) -> Message {
    if request.edns.is_some_and(|edns| edns.version > 0) {
        return failure(BADVERS);
    }
    match request.rtype {
        _ if request.class != IN => return failure(Rcode::Refused),
        RecordType::AXFR | RecordType::IXFR => return failure(Rcode::Refused),
        RecordType::OPT | RecordType::TKEY | RecordType::TSIG => return failure(Rcode::FormErr),
        MAILA | MAILB => return failure(Rcode::NotImp),
        _ => {}
    }
    let Some(zone) = zones.closest(&request.name, request.rtype) else { return failure(Rcode::Refused) };
    let mut message = Message { authoritative: true, ..Message::default() };
    let mut name = request.name.clone();
    for _ in 0..MAX_CHAIN {
        match step(zone, &name, request, &mut message) {
            Step::Done => break,
            Step::Unservable => return failure(Rcode::ServFail),
            Step::Follow(target) => name = target,
        }
        // What another zone says is not this one's to tell, and a chain may be a ring.
        let leaves = zones.closest(&name, request.rtype).is_none_or(|next| next.apex() != zone.apex());
        if leaves || message.answers.iter().any(|record| record.name == name) {
            break;
        }
    }
    message
}

/// A message that is only a response code.
pub(crate) fn failure(rcode: Rcode) -> Message {
    Message { rcode, ..Message::default() }
}

enum Step {
    Done,
    Follow(Name),
    Unservable,
}

/// One name of a chain.
fn step(zone: &Zone, name: &Name, request: &Request, message: &mut Message) -> Step {
    match zone.find(name, request.rtype) {
        Found::Node(sets) => node(zone, name, sets, request.rtype, message),
        Found::Cut { owner, sets } => refer(zone, owner, sets, request, message),
        Found::Dname { owner, set } => redirect(name, owner, set, request.rtype, message),
        Found::Nothing => {
            message.rcode = Rcode::NxDomain;
            message.authority.push(zone.negative().clone());
            Step::Done
        }
    }
}

fn node(zone: &Zone, name: &Name, sets: &[Set], rtype: RecordType, message: &mut Message) -> Step {
    let of = |rtype| sets.iter().find(|set| set.rtype == rtype);
    if rtype == RecordType::ANY && !sets.is_empty() {
        let mut servable = sets.iter().filter(|set| set.servable).peekable();
        if servable.peek().is_none() {
            return Step::Unservable;
        }
        message.answers.extend(servable.flat_map(|set| records(name, set)));
        return Step::Done;
    }
    match (of(rtype), of(RecordType::CNAME)) {
        (Some(set), _) if !set.servable => Step::Unservable,
        (Some(set), _) => {
            message.answers.extend(records(name, set));
            Step::Done
        }
        (None, Some(set)) => match set.data.first() {
            Some(Rdata::Cname(target)) => {
                message.answers.extend(records(name, set));
                Step::Follow(target.clone())
            }
            _ => Step::Unservable,
        },
        (None, None) => {
            message.authority.push(zone.negative().clone());
            Step::Done
        }
    }
}

/// A referral (RFC 1034 section 4.3.2 step 3b), with all glue that the zone has.
fn refer(zone: &Zone, owner: &Name, sets: &[Set], request: &Request, message: &mut Message) -> Step {
    // AA speaks of the first name of a chain.
    message.authoritative = !message.answers.is_empty();
    let dnssec_ok = request.edns.is_some_and(|edns| edns.dnssec_ok);
    for set in sets {
        if set.rtype == RecordType::NS || (set.rtype == RecordType::DS && dnssec_ok) {
            if !set.servable {
                return Step::Unservable;
            }
            message.authority.extend(records(owner, set));
        }
        if set.rtype == RecordType::NS {
            for rdata in &set.data {
                let Rdata::Ns(host) = rdata else { continue };
                let addresses =
                    zone.sets(host).iter().filter(|set| matches!(set.rtype, RecordType::A | RecordType::AAAA));
                message.additional.extend(addresses.filter(|set| set.servable).flat_map(|set| records(host, set)));
            }
        }
    }
    Step::Done
}

/// A DNAME and the CNAME made from it (RFC 6672 section 3.2).
fn redirect(name: &Name, owner: &Name, set: &Set, rtype: RecordType, message: &mut Message) -> Step {
    let target = match set.data.as_slice() {
        [Rdata::Opaque(Opaque::Wire { data, .. })] => Name::from_wire(data).ok(),
        _ => None,
    };
    let (Some(target), Some(prefix)) = (target, name.without_suffix(owner)) else { return Step::Unservable };
    message.answers.extend(records(owner, set));
    let mut wire = prefix.as_wire().to_vec();
    wire.pop();
    wire.extend_from_slice(target.as_wire());
    let Ok(target) = Name::from_wire(&wire) else {
        message.rcode = YXDOMAIN;
        return Step::Done;
    };
    message.answers.push(record(name, set.ttl, Rdata::Cname(target.clone())));
    // Those ask for the CNAME itself, as if it were in the zone.
    if matches!(rtype, RecordType::CNAME | RecordType::ANY) { Step::Done } else { Step::Follow(target) }
}

fn records<'a>(owner: &'a Name, set: &'a Set) -> impl Iterator<Item = Record> + 'a {
    set.data.iter().map(move |rdata| record(owner, set.ttl, rdata.clone()))
}

fn record(owner: &Name, ttl: Ttl, rdata: Rdata) -> Record {
    Record { name: owner.clone(), ttl, rdata }
}
