use std::num::NonZeroU64;
use std::time::Duration;

/// How a server misbehaves, for tests of what talks to it. The default is not at all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Switches {
    /// How long each answer is held. Queries do not wait for each other.
    pub delay: Duration,
    /// Up to this much is added to `delay`, another amount for each query, the same in each run.
    pub jitter: Duration,
    /// Which queries over UDP stay unanswered.
    pub loss: Loss,
    /// Zones are served as they were when this was set. Replacing and removing them is accepted
    /// and not seen until it is unset.
    pub stale: bool,
    /// Answer SERVFAIL.
    pub servfail: bool,
    /// Answer REFUSED; `servfail` goes first.
    pub refused: bool,
    /// Over UDP answer with TC and nothing else, so that clients come over TCP.
    pub truncate_udp: bool,
    /// Answer nothing over UDP.
    pub drop_udp: bool,
    /// Accept connections and answer nothing over TCP.
    pub drop_tcp: bool,
}

/// Which queries are lost, counted from when the switches were set.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each n-th: the n-th, the 2n-th and so on.
    EveryNth(NonZeroU64),
    /// Each with this probability (0 to 1), drawn from `seed`: the same in each run.
    Random {
        /// The share of queries that are lost.
        probability: f64,
        /// What the draw depends on.
        seed: u64,
    },
}

impl Switches {
    /// How long the answer to query number `n` (from 1) is held.
    pub(crate) fn hold(&self, n: u64) -> Duration {
        self.delay + self.jitter.mul_f64(share(0, n))
    }

    /// Whether query number `n` (from 1) over UDP is lost.
    pub(crate) fn loses(&self, n: u64) -> bool {
        match self.loss {
            Loss::None => false,
            Loss::EveryNth(every) => n.is_multiple_of(every.get()),
            Loss::Random { probability, seed } => share(seed, n) < probability,
        }
    }
}

/// A number from 0 up to 1 that looks random (the finaliser of splitmix64).
fn share(seed: u64, n: u64) -> f64 {
    let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses() {
        let every = Switches { loss: Loss::EveryNth(NonZeroU64::new(3).unwrap()), ..Switches::default() };
        assert_eq!((1..=7).filter(|&n| every.loses(n)).collect::<Vec<_>>(), [3, 6]);
        let lost = |probability| {
            let random = Switches { loss: Loss::Random { probability, seed: 7 }, ..Switches::default() };
            (1..=1000).filter(|&n| random.loses(n)).count()
        };
        assert_eq!((lost(0.0), lost(1.0)), (0, 1000));
        assert!((200..300).contains(&lost(0.25)), "{}", lost(0.25));
    }

    #[test]
    fn jitter_stays_within_its_bound() {
        let ms = Duration::from_millis;
        let switches = Switches { delay: ms(10), jitter: ms(5), ..Switches::default() };
        assert!((1..1000).all(|n| (ms(10)..ms(15)).contains(&switches.hold(n))));
        assert_ne!(switches.hold(1), switches.hold(2));
        assert_eq!(Switches::default().hold(9), Duration::ZERO);
    }
}
