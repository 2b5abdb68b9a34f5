use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailzone_mailauth::lookup::{Answer, Question};
use mailzone_record::Rdata;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// The longest that an answer is kept, whatever its TTL: a day.
pub const LONGEST: Duration = Duration::from_secs(86_400);

/// The longest that a denial is kept: an hour (RFC 2308 section 5 advises one to three).
pub const LONGEST_DENIAL: Duration = Duration::from_secs(3600);

/// How long a failure is kept (RFC 9520 section 3.2 asks for at least a second).
pub const FAILURE: Duration = Duration::from_secs(5);

/// About as much memory the answers take, in octets; beyond it what has run out goes, then everything.
const ROOM: usize = 64 << 20;

/// Answers for as long as their TTLs say, and the questions that are under way.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    state: Mutex<State>,
}

/// A question's answer, or the place that it will have: who fills it answers for all that wait.
pub(crate) type Slot = Arc<OnceCell<Known>>;

#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) answer: Answer,
    until: Instant,
}

#[derive(Debug, Default)]
struct State {
    slots: HashMap<Question, Slot>,
    octets: usize,
}

/// Values that are got once for as long as this lives, by key.
#[derive(Debug)]
pub(crate) struct Once<K, V> {
    slots: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
}

impl Known {
    /// An answer that is kept for `ttl`, within bounds; from now.
    pub(crate) fn new(answer: Answer, ttl: Duration) -> Self {
        let most = match answer {
            Answer::Records(..) => LONGEST,
            Answer::NoData | Answer::NxDomain => LONGEST_DENIAL,
            Answer::TempError => FAILURE,
            Answer::Unknown => Duration::ZERO,
        };
        Self { answer, until: Instant::now() + ttl.min(most) }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }

    fn octets(&self) -> usize {
        let data = |value: &Rdata| match value {
            Rdata::Txt(txt) => txt.strings().iter().map(|string| string.len() + 16).sum(),
            Rdata::Opaque(mailzone_record::Opaque::Wire { data, .. }) => data.len(),
            _ => 64,
        };
        match &self.answer {
            Answer::Records(values, _) => 512 + values.iter().map(|value| 64 + data(value)).sum::<usize>(),
            _ => 512,
        }
    }
}

impl Cache {
    /// The question's place: with an answer that is still good, or to be filled.
    pub(crate) fn slot(&self, question: &Question) -> Slot {
        let mut state = self.state();
        if let Some(slot) = state.slots.get(question)
            && slot.get().is_none_or(Known::is_fresh)
        {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        state.slots.insert(question.clone(), Arc::clone(&slot));
        slot
    }

    /// Keeps an answer that came beside another one. One that is still good stays.
    pub(crate) fn put(&self, question: &Question, known: Known) {
        let slot = self.slot(question);
        let octets = known.octets();
        // Somebody may be asking it just now: their answer will be as good.
        if slot.set(known).is_ok() {
            self.filled(octets);
        }
    }

    /// Counts an answer that was filled in.
    pub(crate) fn count(&self, known: &Known) {
        self.filled(known.octets());
    }

    fn filled(&self, octets: usize) {
        let mut state = self.state();
        state.octets = state.octets.saturating_add(octets);
        if state.octets <= ROOM {
            return;
        }
        state.slots.retain(|_, slot| slot.get().is_none_or(Known::is_fresh));
        let size = |state: &State| state.slots.values().filter_map(|slot| slot.get()).map(Known::octets).sum::<usize>();
        if size(&state) > ROOM / 2 {
            state.slots.retain(|_, slot| slot.get().is_none());
        }
        state.octets = size(&state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is done under the lock cannot panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V: Clone> Once<K, V> {
    /// The value of `key`; `make` gets it if nobody did. Who comes meanwhile waits for the same, and goes on with
    /// it if the first one is given up.
    pub(crate) async fn get(&self, key: K, make: impl Future<Output = V>) -> V {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(key).or_default())
        };
        slot.get_or_init(|| make).await.clone()
    }
}

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Name, RecordType, Ttl, Txt};

    use super::*;

    fn question(n: usize) -> Question {
        Question { name: Name::parse(&format!("n{n}.test")).unwrap(), rtype: RecordType::TXT }
    }

    #[tokio::test(start_paused = true)]
    async fn hostile_sizes_do_not_fill_the_memory() {
        let cache = Cache::default();
        let long = Rdata::Txt(Txt::from_text("x".repeat(65_000)));
        for n in 0..4000 {
            let answer = Answer::records([long.clone()], Ttl::MAX);
            cache.put(&question(n), Known::new(answer, Duration::from_secs(300)));
            assert!(cache.state().octets <= ROOM);
        }
        assert!(cache.slot(&question(3999)).get().is_some());
        assert!(cache.slot(&question(0)).get().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn bounds_of_what_is_kept() {
        for (answer, seconds) in [
            (Answer::NoData, 3600),
            (Answer::NxDomain, 3600),
            (Answer::TempError, 5),
            (Answer::Unknown, 0),
            (Answer::records([], Ttl::MAX), 86_400),
        ] {
            let known = Known::new(answer, Duration::from_secs(1 << 31));
            assert_eq!(known.until - Instant::now(), Duration::from_secs(seconds));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_got_once_survives_who_began() {
        let once: Arc<Once<u8, u8>> = Arc::default();
        let first = tokio::spawn({
            let once = Arc::clone(&once);
            async move { once.get(1, async { std::future::pending().await }).await }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let once = Arc::clone(&once);
            async move { once.get(1, async { 7 }).await }
        });
        tokio::task::yield_now().await;
        first.abort();
        assert_eq!(second.await.unwrap(), 7);
        assert_eq!(once.get(1, async { 8 }).await, 7);
    }
}
