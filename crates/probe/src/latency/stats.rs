use std::time::Duration;

/// Figures of a series of round-trip times.
///
/// Quantiles are of *nearest rank*: the smallest time measured that at least that share of all
/// times does not exceed. So every figure is one that was measured, and none lies between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// How many questions were sent.
    pub sent: usize,
    /// How many got a usable answer.
    pub received: usize,
    /// The shortest time.
    pub min: Option<Duration>,
    /// Half of the times are not longer.
    pub median: Option<Duration>,
    /// 95 of 100 are not longer; `None` below [`P95_SAMPLES`] answers.
    pub p95: Option<Duration>,
    /// 99 of 100 are not longer; `None` below [`P99_SAMPLES`] answers.
    pub p99: Option<Duration>,
    /// The longest time.
    pub max: Option<Duration>,
    /// The mean difference of an answer's time from that of the answer before it; `None` below two.
    pub jitter: Option<Duration>,
}

/// Answers without which no 95th percentile is given: three of them lie above it.
pub const P95_SAMPLES: usize = 60;

/// Answers without which no 99th percentile is given: three of them lie above it.
pub const P99_SAMPLES: usize = 300;

impl Figures {
    /// The figures of the times `received` in the order measured, of `sent` questions.
    pub fn new(sent: usize, received: &[Duration]) -> Self {
        let mut sorted = received.to_vec();
        sorted.sort_unstable();
        let enough = |least: usize| sorted.len() >= least;
        Self {
            sent,
            received: received.len(),
            min: sorted.first().copied(),
            median: quantile(&sorted, 500),
            p95: quantile(&sorted, 950).filter(|_| enough(P95_SAMPLES)),
            p99: quantile(&sorted, 990).filter(|_| enough(P99_SAMPLES)),
            max: sorted.last().copied(),
            jitter: jitter(received),
        }
    }

    /// The share of questions without a usable answer, 0 to 1; 0 if none was sent.
    pub fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { self.sent.saturating_sub(self.received) as f64 / self.sent as f64 }
    }
}

/// The quantile of nearest rank of ascending times, `per_mille` thousandths (at most 1000);
/// 0 is the minimum. `None` of no times.
pub fn quantile(sorted: &[Duration], per_mille: u32) -> Option<Duration> {
    let rank = (sorted.len() as u128 * u128::from(per_mille.min(1000))).div_ceil(1000);
    // The rank is at most the length, as `per_mille` is at most 1000.
    sorted.get((rank as usize).saturating_sub(1)).copied()
}

fn jitter(times: &[Duration]) -> Option<Duration> {
    let steps = u32::try_from(times.len().checked_sub(1)?).ok().filter(|&steps| steps > 0)?;
    let sum: Duration = times.windows(2).map(|pair| pair[0].abs_diff(pair[1])).sum();
    Some(sum / steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(times: &[u64]) -> Vec<Duration> {
        times.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn nearest_rank() {
        let times = ms(&[15, 20, 35, 40, 50]);
        let of = |per_mille| quantile(&times, per_mille).unwrap().as_millis();
        assert_eq!([0, 50, 300, 400, 500, 1000, 2000].map(of), [15, 15, 20, 20, 35, 50, 50]);
        assert_eq!(quantile(&[], 500), None);
    }

    #[test]
    fn figures_of_few() {
        let none = Figures::new(3, &[]);
        assert_eq!((none.min, none.median, none.jitter, none.loss()), (None, None, None, 1.0));
        assert_eq!(Figures::new(0, &[]).loss(), 0.0);
        let one = Figures::new(1, &ms(&[7]));
        assert_eq!((one.median, one.p95, one.jitter), (Some(Duration::from_millis(7)), None, None));
        let four = Figures::new(5, &ms(&[10, 30, 20, 20]));
        assert_eq!(four.jitter, Some(Duration::from_millis(10)));
        assert_eq!(four.median, Some(Duration::from_millis(20)));
        assert!((four.loss() - 0.2).abs() < 1e-9);
        assert!(Figures::new(60, &ms(&[1; 60])).p95.is_some());
        assert!(Figures::new(299, &ms(&[1; 299])).p99.is_none());
    }

    proptest! {
        #[test]
        fn quantiles_are_measured_bounded_and_monotone(
            times in prop::collection::vec(0u64..5_000_000, 1..400),
            a in 0u32..=1000,
            b in 0u32..=1000,
        ) {
            let mut sorted: Vec<Duration> = times.iter().copied().map(Duration::from_micros).collect();
            sorted.sort_unstable();
            let (low, high) = (quantile(&sorted, a.min(b)).unwrap(), quantile(&sorted, a.max(b)).unwrap());
            prop_assert!(sorted.binary_search(&low).is_ok());
            prop_assert!(sorted[0] <= low && low <= high && high <= sorted[sorted.len() - 1]);
            // What "nearest rank" means: at least the share is not above it, and less is below it.
            let not_above = sorted.iter().filter(|t| **t <= low).count() * 1000;
            let below = sorted.iter().filter(|t| **t < low).count() * 1000;
            let share = sorted.len() * a.min(b) as usize;
            prop_assert!(not_above >= share);
            prop_assert!(below < share.max(1));
        }

        #[test]
        fn order_matters_to_jitter_alone(times in prop::collection::vec(0u64..5_000_000, 0..400), lost in 0usize..9) {
            let times: Vec<Duration> = times.into_iter().map(Duration::from_micros).collect();
            let mut reversed = times.clone();
            reversed.reverse();
            let mut sorted = times.clone();
            sorted.sort_unstable();
            let sent = times.len() + lost;
            let figures = Figures::new(sent, &times);
            // Backwards, the differences are the same; sorted, they are the smallest.
            prop_assert_eq!(figures, Figures::new(sent, &reversed));
            let ordered = Figures::new(sent, &sorted);
            prop_assert!(ordered.jitter <= figures.jitter);
            prop_assert_eq!(Figures { jitter: None, ..figures }, Figures { jitter: None, ..ordered });
            prop_assert!((0.0..=1.0).contains(&figures.loss()));
            prop_assert!(figures.jitter.is_none_or(|j| j <= figures.max.unwrap() - figures.min.unwrap()));
        }
    }
}
