use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailzone_wire::{Exchange, Query, Rcode, WireError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Asks one server one question: the seam between what is decided here and the network.
///
/// A clone asks through the same limits. Dropping the future gives up the question.
pub trait Ask: Clone + Send + Sync + 'static {
    /// Asks `server`; must end by itself, with [`WireError::Timeout`] if nothing comes.
    fn ask(&self, server: SocketAddr, query: Query) -> impl Future<Output = Result<Exchange, WireError>> + Send;
}

/// Asks the network: one [`mailzone_wire::exchange`] with this time limit, and another without
/// EDNS where the server does not understand the first (RFC 6891 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// How long an answer may take; see [`mailzone_wire::exchange`].
    pub timeout: Duration,
}

impl Ask for Wire {
    async fn ask(&self, server: SocketAddr, query: Query) -> Result<Exchange, WireError> {
        let answer = mailzone_wire::exchange(server, &query, self.timeout).await?;
        let old = matches!(answer.message.rcode, Rcode::FormErr | Rcode::NotImp) && !answer.message.edns;
        if !old {
            return Ok(answer);
        }
        let plain = Query { edns: false, dnssec_ok: false, ..query };
        mailzone_wire::exchange(server, &plain, self.timeout).await
    }
}

/// Bounds the questions that are outstanding at one time, to one server and altogether.
///
/// Clones share the bounds. Waiting for a turn is not part of a question's time limit.
#[derive(Debug, Clone)]
pub struct Polite<A> {
    ask: A,
    gates: Arc<Gates>,
}

#[derive(Debug)]
struct Gates {
    total: Semaphore,
    per_server: usize,
    servers: Mutex<HashMap<SocketAddr, Arc<Semaphore>>>,
}

impl<A: Ask> Polite<A> {
    /// At most `per_server` questions to one address and port, and `total` to all; zero counts as one.
    pub fn new(ask: A, per_server: usize, total: usize) -> Self {
        let gates = Gates {
            total: Semaphore::new(total.clamp(1, Semaphore::MAX_PERMITS)),
            per_server: per_server.clamp(1, Semaphore::MAX_PERMITS),
            servers: Mutex::default(),
        };
        Self { ask, gates: Arc::new(gates) }
    }

    fn gate(&self, server: SocketAddr) -> Arc<Semaphore> {
        // A panic elsewhere cannot leave the map half-written: inserting is all that happens to it.
        let mut servers = self.gates.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = servers.entry(server).or_insert_with(|| Arc::new(Semaphore::new(self.gates.per_server)));
        Arc::clone(gate)
    }
}

impl<A: Ask> Ask for Polite<A> {
    async fn ask(&self, server: SocketAddr, query: Query) -> Result<Exchange, WireError> {
        // The server's turn first: questions that queue for a dead server take no one else's turn.
        // The semaphores are never closed, so both always yield a permit.
        let gate = self.gate(server);
        let _turn = gate.acquire().await;
        let _slot = self.gates.total.acquire().await;
        self.ask.ask(server, query).await
    }
}

/// Runs all futures, at most `width` at a time, and returns their results in the order given.
pub(crate) async fn run_all<F, T>(futures: Vec<F>, width: usize) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut waiting = futures.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut results = Vec::new();
    loop {
        while running.len() < width.max(1) {
            let Some((at, future)) = waiting.next() else { break };
            running.spawn(async move { (at, future.await) });
        }
        match running.join_next().await {
            None => break,
            Some(Ok(result)) => results.push(result),
            Some(Err(error)) => {
                // Nobody aborts these tasks while this future is polled: what is left is a panic in one.
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mailzone_record::{Name, RecordType};

    use super::*;

    #[derive(Clone, Default)]
    struct Slow {
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl Ask for Slow {
        async fn ask(&self, _: SocketAddr, _: Query) -> Result<Exchange, WireError> {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            Err(WireError::Timeout)
        }
    }

    async fn most_at_once(per_server: usize, total: usize) -> usize {
        let slow = Slow::default();
        let polite = Polite::new(slow.clone(), per_server, total);
        let questions = (0..20u16).map(|i| {
            let polite = polite.clone();
            let server = SocketAddr::from(([127, 0, 0, 1], 53 + i % 2));
            async move { polite.ask(server, Query::authoritative(Name::root(), RecordType::NS)).await }
        });
        assert_eq!(run_all(questions.collect(), 100).await.len(), 20);
        slow.most.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn outstanding_questions_are_bounded() {
        assert_eq!(most_at_once(2, 100).await, 4);
        assert_eq!(most_at_once(100, 3).await, 3);
        assert_eq!(most_at_once(0, 0).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn results_keep_their_order() {
        let futures = (0..9u64).map(|i| async move {
            tokio::time::sleep(Duration::from_secs(10 - i)).await;
            i
        });
        assert_eq!(run_all(futures.collect(), 4).await, (0..9).collect::<Vec<_>>());
    }
}
