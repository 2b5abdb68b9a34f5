use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use mailzone_record::Name;
use mailzone_wire::{EncodeError, Message, Query, Rcode, Request, RequestError, Transport};
use mailzone_wire::{decode_request, encode_response};

use crate::answer::{answer, failure};
use crate::log::Log;
use crate::zone::Zones;
use crate::{LogEntry, Outcome, Switches, Zone};

/// Changes a running server, and asks it what it did. Cheap to clone; it may outlive the server.
#[derive(Debug, Clone, Default)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: RwLock<State>,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct State {
    zones: Arc<Zones>,
    /// What is served instead of `zones` while [`Switches::stale`] is set.
    frozen: Option<Arc<Zones>>,
    switches: Switches,
    /// Queries since the switches were set.
    count: Arc<AtomicU64>,
}

/// What to do with a query: after `hold`, send `reply` if there is one, and log `entry`.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) hold: Duration,
    pub(crate) reply: Option<Vec<u8>>,
    pub(crate) entry: LogEntry,
}

impl Handle {
    /// Serves `zone` from now on, in place of the one of that name if there is one. Each answer is
    /// wholly from one version.
    pub fn replace_zone(&self, zone: Zone) {
        Arc::make_mut(&mut self.write().zones).insert(zone);
    }

    /// Stops serving the zone; whether it was there.
    pub fn remove_zone(&self, apex: &Name) -> bool {
        Arc::make_mut(&mut self.write().zones).remove(apex)
    }

    /// Makes the server misbehave from now on. Queries are counted anew.
    pub fn set_switches(&self, switches: Switches) {
        let mut state = self.write();
        state.switches = switches;
        state.count = Arc::default();
        match (switches.stale, state.frozen.is_some()) {
            (true, false) => state.frozen = Some(Arc::clone(&state.zones)),
            (false, true) => state.frozen = None,
            _ => {}
        }
    }

    /// The switches in force.
    pub fn switches(&self) -> Switches {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner).switches
    }

    /// What became of the latest queries (at most 65,536), in the order in which they were answered. An answer
    /// that a client has is in it.
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).entries()
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Logs a query before its answer is sent, so that whoever has the answer finds the entry.
    pub(crate) fn record(&self, entry: LogEntry) -> u64 {
        tracing::trace!(?entry, "query");
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(entry)
    }

    /// Takes back that the answer of entry `number` was sent.
    pub(crate) fn record_failure(&self, number: u64) {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).failed(number);
    }

    /// Decides what to do with the octets received.
    pub(crate) fn judge(&self, bytes: &[u8], peer: SocketAddr, transport: Transport, received: Instant) -> Verdict {
        let (zones, switches, n) = {
            let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
            let zones = Arc::clone(state.frozen.as_ref().unwrap_or(&state.zones));
            (zones, state.switches, 1 + state.count.fetch_add(1, Ordering::Relaxed))
        };
        let mut entry =
            LogEntry { received, answered: None, peer, transport, question: None, outcome: Outcome::Ignored };
        let hold = switches.hold(n);
        let request = match decode_request(bytes) {
            Ok(request) => request,
            Err(RequestError::Rejected { rcode, reply, .. }) => {
                entry.outcome = Outcome::Answered(rcode);
                return Verdict { hold, reply: Some(reply.to_vec()), entry };
            }
            Err(_) => return Verdict { hold: Duration::ZERO, reply: None, entry },
        };
        entry.question = Some((request.name.clone(), request.rtype));
        let udp = transport == Transport::Udp;
        if if udp { switches.drop_udp || switches.loses(n) } else { switches.drop_tcp } {
            entry.outcome = Outcome::Dropped;
            return Verdict { hold: Duration::ZERO, reply: None, entry };
        }
        let message = match switches {
            Switches { servfail: true, .. } => failure(Rcode::ServFail),
            Switches { refused: true, .. } => failure(Rcode::Refused),
            Switches { truncate_udp: true, .. } if udp => Message { truncated: true, ..Message::default() },
            _ => answer(&zones, &request),
        };
        let (reply, outcome) = fit(&request, message, transport);
        entry.outcome = outcome;
        Verdict { hold, reply, entry }
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message in octets, cut to nothing but its header and question where it is too long for the
/// transport: half an RRset is of no use (RFC 2181 section 9), and glue may not be missing without
/// TC (RFC 9471).
fn fit(request: &Request, mut message: Message, transport: Transport) -> (Option<Vec<u8>>, Outcome) {
    let limit = match (transport, request.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => 512,
        (Transport::Udp, Some(edns)) => usize::from(edns.udp_payload.clamp(512, Query::UDP_PAYLOAD)),
    };
    let outcome = |message: &Message| {
        if message.truncated { Outcome::Truncated } else { Outcome::Answered(message.rcode) }
    };
    match encode_response(request, &message, limit) {
        Ok(bytes) => return (Some(bytes), outcome(&message)),
        Err(EncodeError::TooLong) if transport == Transport::Udp => {
            message = Message { truncated: true, answers: vec![], authority: vec![], additional: vec![], ..message };
        }
        // Longer than any message, or without a wire form.
        Err(_) => message = failure(Rcode::ServFail),
    }
    match encode_response(request, &message, limit) {
        Ok(bytes) => (Some(bytes), outcome(&message)),
        Err(_) => (None, Outcome::Failed),
    }
}
