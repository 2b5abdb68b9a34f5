use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The request budget of one account, shared by everything that uses the account: a token bucket.
///
/// Tokens are given out in the order in which they are asked for. Runs on tokio's clock.
#[derive(Debug)]
pub struct Budget {
    /// One token; zero without a limit.
    interval: Duration,
    /// How far behind the clock the bucket may be, full: what makes a burst.
    burst: Duration,
    /// Held by the one whose turn is next while it waits, so that nobody overtakes it.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the bucket is as full as it can be if nobody takes anything.
    full_at: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Budget {
    /// `per_second` tokens a second; up to `burst` (at least 1) at once after a quiet time. A rate that is not a
    /// positive number is no limit. Both should be a little below what the service allows: requests do not arrive as
    /// evenly as they are sent.
    pub fn new(per_second: f64, burst: u32) -> Self {
        let interval = Duration::try_from_secs_f64(per_second.recip()).unwrap_or_default();
        let burst = interval.saturating_mul(burst.saturating_sub(1));
        Self { interval, burst, turn: tokio::sync::Mutex::default(), state: Mutex::default() }
    }

    /// No limit. [`Budget::pause`] works all the same.
    pub fn unlimited() -> Self {
        Self::new(0.0, 1)
    }

    /// Waits for a token and takes it. Whoever stops waiting takes none.
    pub async fn take(&self) {
        // A pause is never that long.
        let _ = self.take_within(Duration::MAX).await;
    }

    /// As [`Budget::take`]; if there is a pause that goes on for longer than `patience`, its rest at once.
    pub(crate) async fn take_within(&self, patience: Duration) -> Result<(), Duration> {
        let _turn = self.turn.lock().await;
        loop {
            let now = Instant::now();
            let Some(until) = self.try_take(now) else { return Ok(()) };
            let pause = self.state().paused_until.map_or(Duration::ZERO, |end| end.saturating_duration_since(now));
            if pause > patience {
                return Err(pause);
            }
            sleep_until(until).await;
        }
    }

    /// Nobody gets a token for this long, at most a day; a longer pause that is under way stays. Afterwards tokens
    /// come one by one: the bucket is empty.
    pub fn pause(&self, duration: Duration) {
        let until = Instant::now() + duration.min(LONGEST_PAUSE);
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Some(until));
        state.full_at = state.full_at.max(until.checked_add(self.burst));
    }

    /// Takes a token, or says when to try again.
    fn try_take(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let free = state.full_at.and_then(|full_at| full_at.checked_sub(self.burst));
        if let Some(until) = free.max(state.paused_until).filter(|until| *until > now) {
            return Some(until);
        }
        state.full_at = state.full_at.max(Some(now)).and_then(|full_at| full_at.checked_add(self.interval));
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// When each of `count` tokens came, in milliseconds.
    async fn times(budget: &Budget, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            budget.take().await;
            times.push(start.elapsed().as_millis());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_rate() {
        let budget = Budget::new(10.0, 3);
        assert_eq!(times(&budget, 6).await, [0, 0, 0, 100, 200, 300]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(times(&budget, 5).await, [0, 0, 0, 100, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit() {
        for budget in [Budget::unlimited(), Budget::new(f64::NAN, 0), Budget::new(-1.0, 5), Budget::new(1e300, 1)] {
            assert_eq!(times(&budget, 1000).await.last(), Some(&0));
            budget.pause(Duration::from_secs(2));
            assert_eq!(times(&budget, 3).await, [2000, 2000, 2000]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_those_who_wait_already() {
        let budget = Arc::new(Budget::new(1.0, 1));
        budget.take().await;
        let start = Instant::now();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let budget = Arc::clone(&budget);
                tokio::spawn(async move {
                    budget.take().await;
                    start.elapsed().as_millis()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        budget.pause(Duration::from_secs(10));
        budget.pause(Duration::from_secs(5));
        let mut times = Vec::new();
        for task in waiting {
            times.push(task.await.unwrap());
        }
        assert_eq!(times, [10_000, 11_000, 12_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_burst_after_a_pause() {
        let budget = Budget::new(10.0, 5);
        budget.pause(Duration::from_secs(1));
        assert_eq!(times(&budget, 3).await, [1000, 1100, 1200]);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end() {
        let budget = Budget::unlimited();
        budget.pause(Duration::from_secs(100));
        let start = Instant::now();
        assert_eq!(budget.take_within(Duration::from_secs(99)).await, Err(Duration::from_secs(100)));
        assert!(start.elapsed().is_zero());
        assert_eq!(budget.take_within(Duration::from_secs(100)).await, Ok(()));
        assert_eq!(start.elapsed().as_secs(), 100);
        budget.pause(Duration::MAX);
        assert_eq!(budget.take_within(Duration::ZERO).await, Err(LONGEST_PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_takes_nothing() {
        let budget = Budget::new(1.0, 1);
        budget.take().await;
        let start = Instant::now();
        assert!(tokio::time::timeout(Duration::from_millis(10), budget.take()).await.is_err());
        budget.take().await;
        assert_eq!(start.elapsed().as_millis(), 1000);
    }
}
