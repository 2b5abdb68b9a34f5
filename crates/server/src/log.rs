use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mailzone_record::{Name, RecordType};
use mailzone_wire::{Rcode, Transport};

/// How many entries are kept; older ones go.
const LIMIT: usize = 65_536;

/// What a server did to one query.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// Just after the query was read from its socket.
    pub received: Instant,
    /// Just before the answer was written; `None` if none was.
    pub answered: Option<Instant>,
    /// Who asked.
    pub peer: SocketAddr,
    /// What carried the query.
    pub transport: Transport,
    /// The question, if it could be read.
    pub question: Option<(Name, RecordType)>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered whole.
    Answered(Rcode),
    /// Answered with TC.
    Truncated,
    /// Dropped by a switch.
    Dropped,
    /// Not answered: no request, or too many at a time.
    Ignored,
    /// The answer could not be sent.
    Failed,
}

impl LogEntry {
    /// How long the server held the answer.
    pub fn held(&self) -> Option<Duration> {
        Some(self.answered?.duration_since(self.received))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<LogEntry>,
    /// How many entries were dropped in front.
    gone: u64,
}

impl Log {
    /// Adds an entry and returns its number.
    pub(crate) fn push(&mut self, entry: LogEntry) -> u64 {
        if self.entries.len() >= LIMIT {
            self.entries.pop_front();
            self.gone += 1;
        }
        self.entries.push_back(entry);
        self.gone + self.entries.len() as u64 - 1
    }

    /// Notes that the answer of this entry did not go out.
    pub(crate) fn failed(&mut self, number: u64) {
        let at = number.checked_sub(self.gone).and_then(|at| usize::try_from(at).ok());
        if let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) {
            entry.answered = None;
            entry.outcome = Outcome::Failed;
        }
    }

    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.gone += self.entries.len() as u64;
        self.entries.clear();
    }
}
