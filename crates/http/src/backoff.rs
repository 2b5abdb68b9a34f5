use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long to wait before a request is repeated, and how often that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait before the second attempt; each further one doubles it.
    pub first: Duration,
    /// The longest wait of the doubling.
    pub max: Duration,
    /// How many times a request is sent at most; 0 is as 1.
    pub attempts: u32,
    /// Whether each wait is shortened at random by up to a half, so that many clients do not return together.
    pub jitter: bool,
    /// The longest wait that a service may ask for (`Retry-After`). If it asks for more the request fails.
    pub patience: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_secs(30),
            attempts: 5,
            jitter: true,
            patience: Duration::from_secs(300),
        }
    }
}

impl Backoff {
    /// The wait after attempt number `attempt`, counted from 1.
    pub fn delay(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let delay = self.first.saturating_mul(1 << doublings).min(self.max);
        if self.jitter { delay / 2 + (delay / 2).mul_f64(random()) } else { delay }
    }
}

/// At least 0, at most 1. Each new state of the hasher has a key of its own.
fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0u8) >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_longest() {
        let backoff = Backoff { jitter: false, ..Backoff::default() };
        let seconds: Vec<u64> = (1..=7).map(|attempt| backoff.delay(attempt).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.delay(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn jitter_differs() {
        let backoff = Backoff::default();
        let first = backoff.delay(5);
        assert!((0..100).any(|_| backoff.delay(5) != first));
    }

    proptest! {
        #[test]
        fn jitter_takes_at_most_a_half(attempt in 0u32..100, first in 0u64..100_000, max in 0u64..100_000) {
            let even = Backoff {
                first: Duration::from_millis(first),
                max: Duration::from_millis(max),
                jitter: false,
                ..Backoff::default()
            };
            let whole = even.delay(attempt);
            let delay = Backoff { jitter: true, ..even }.delay(attempt);
            prop_assert!(delay <= whole && delay >= whole / 2, "{delay:?} of {whole:?}");
        }
    }
}
