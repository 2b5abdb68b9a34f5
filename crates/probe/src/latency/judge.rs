use std::time::Duration;

use mailzone_wire::Transport;

use super::{Figures, P95_SAMPLES, P99_SAMPLES, Series};

/// Which figure is held against the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Statistic {
    Min,
    #[default]
    Median,
    P95,
    P99,
    Max,
}

/// What the figures mean for a budget (design.md section 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every server is within it.
    Ok,
    /// The fastest server is within it, and another one is not, or does not answer.
    Warning,
    /// The fastest server is over it, or none answers.
    OverBudget,
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict; `None` if no server could be asked from here at all, or the time was over before.
    pub verdict: Option<Verdict>,
    /// The place in the list of the series that a resolver would prefer: the fastest over UDP.
    pub fastest: Option<usize>,
    /// For each series whether it is over the budget: its figure is, or nothing came back.
    /// `None`: nothing was sent that could be measured.
    pub over_budget: Vec<Option<bool>>,
}

/// Holds the servers' figures against a budget. A server whose figure is the budget is within it.
///
/// Resolvers ask over UDP and come to prefer the server that answers fastest, so that one decides;
/// TCP series and slower servers only warn. Where a series has too few answers for its quantile,
/// its longest time stands in: the quantile cannot be above that.
pub fn judge(series: &[Series], statistic: Statistic, budget: Duration) -> Judgement {
    let figure = |one: &Series| statistic.of(&one.figures());
    let asked = |one: &Series| one.was_tried() && !one.is_unreachable_from_here();
    let over =
        |one: &Series| (asked(one) && !one.samples.is_empty()).then(|| figure(one).is_none_or(|time| time > budget));
    let over_budget: Vec<Option<bool>> = series.iter().map(over).collect();
    // Refused a connection, or left even the first question unanswered.
    let silent = |one: &Series| asked(one) && one.samples.is_empty() && one.first_rtt().is_none();
    let any_silent = series.iter().any(silent);
    let over_udp = series.iter().enumerate().filter(|(_, one)| one.transport == Transport::Udp);
    let fastest = over_udp.filter_map(|(at, one)| Some((figure(one)?, at))).min();
    let any_over = over_budget.iter().flatten().any(|over| *over);
    let verdict = match fastest {
        _ if !any_silent && over_budget.iter().all(Option::is_none) => None,
        None => Some(Verdict::OverBudget),
        Some((time, _)) if time > budget => Some(Verdict::OverBudget),
        Some(_) if any_over || any_silent => Some(Verdict::Warning),
        Some(_) => Some(Verdict::Ok),
    };
    Judgement { verdict, fastest: fastest.map(|(_, at)| at), over_budget }
}

impl Statistic {
    /// Samples below which the figure is not given, if none is lost.
    pub fn least_samples(self) -> usize {
        match self {
            Self::Min | Self::Median | Self::Max => 1,
            Self::P95 => P95_SAMPLES,
            Self::P99 => P99_SAMPLES,
        }
    }

    /// The figure; of a quantile without enough answers the longest time.
    fn of(self, figures: &Figures) -> Option<Duration> {
        match self {
            Self::Min => figures.min,
            Self::Median => figures.median,
            Self::P95 => figures.p95.or(figures.max),
            Self::P99 => figures.p99.or(figures.max),
            Self::Max => figures.max,
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_wire::WireError;

    use super::*;
    use crate::latency::{Reply, Sample};
    use crate::testing::endpoint;

    fn series(port: u16, transport: Transport, times: &[u64]) -> Series {
        let sample = |reply| Sample { sent_at: Duration::ZERO, reply };
        let mut series = Series::new(endpoint(port), transport);
        let first = times.first().map_or(Reply::Lost(WireError::Timeout), |_| Reply::Answer(Duration::from_secs(9)));
        series.first = Some(sample(first));
        series.samples = times.iter().map(|&ms| sample(Reply::Answer(Duration::from_millis(ms)))).collect();
        series
    }

    fn verdict(series: &[Series]) -> Option<Verdict> {
        judge(series, Statistic::Median, Duration::from_millis(100)).verdict
    }

    #[test]
    fn the_fastest_decides_and_the_others_warn() {
        use Transport::{Tcp, Udp};
        let (fast, slow, dead) = (series(1, Udp, &[10, 100, 900]), series(2, Udp, &[150]), series(3, Udp, &[]));
        assert_eq!(verdict(std::slice::from_ref(&fast)), Some(Verdict::Ok));
        assert_eq!(verdict(&[slow.clone(), fast.clone()]), Some(Verdict::Warning));
        assert_eq!(verdict(&[fast.clone(), dead.clone()]), Some(Verdict::Warning));
        assert_eq!(verdict(&[slow.clone(), dead.clone()]), Some(Verdict::OverBudget));
        assert_eq!(verdict(std::slice::from_ref(&dead)), Some(Verdict::OverBudget));
        // TCP is no way that a resolver prefers.
        assert_eq!(verdict(&[slow.clone(), series(2, Tcp, &[10])]), Some(Verdict::OverBudget));
        assert_eq!(verdict(&[fast.clone(), series(1, Tcp, &[500])]), Some(Verdict::Warning));
        let all = judge(&[slow, fast, dead], Statistic::Median, Duration::from_millis(100));
        assert_eq!((all.fastest, all.over_budget), (Some(1), vec![Some(true), Some(false), None]));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        // The time was over after the first question.
        let mut cut = series(1, Transport::Udp, &[10]);
        cut.samples.clear();
        let budget = Duration::from_millis(100);
        let judgement = judge(std::slice::from_ref(&cut), Statistic::Median, budget);
        assert_eq!((judgement.verdict, judgement.over_budget), (None, vec![None]));
        assert_eq!(verdict(&[cut, series(2, Transport::Udp, &[10])]), Some(Verdict::Ok));
        let mut refused = series(1, Transport::Tcp, &[]);
        (refused.first, refused.error) = (None, Some(WireError::Timeout));
        let judgement = judge(&[series(1, Transport::Udp, &[10]), refused], Statistic::Median, budget);
        assert_eq!((judgement.verdict, judgement.over_budget), (Some(Verdict::Warning), vec![Some(false), None]));
        let mut lost = series(1, Transport::Udp, &[10]);
        lost.samples[0].reply = Reply::Lost(WireError::Timeout);
        assert_eq!(judge(&[lost], Statistic::Median, budget).over_budget, [Some(true)]);
    }

    #[test]
    fn what_cannot_be_reached_from_here_is_no_failure() {
        let mut away = series(4, Transport::Udp, &[]);
        away.first = None;
        away.error = Some(WireError::NoRoute);
        assert_eq!(verdict(&[away.clone(), series(1, Transport::Udp, &[10])]), Some(Verdict::Ok));
        assert_eq!(verdict(&[away]), None);
        assert_eq!(verdict(&[]), None);
    }

    #[test]
    fn a_quantile_without_samples_falls_back_to_the_longest_time() {
        let few = [series(1, Transport::Udp, &[10, 20, 300])];
        let of = |statistic| judge(&few, statistic, Duration::from_millis(100)).verdict;
        assert_eq!(of(Statistic::Min), Some(Verdict::Ok));
        for statistic in [Statistic::P95, Statistic::P99, Statistic::Max] {
            assert_eq!(of(statistic), Some(Verdict::OverBudget));
        }
        let many = [series(1, Transport::Udp, &[&[10; 99][..], &[300]].concat())];
        let of = |statistic| judge(&many, statistic, Duration::from_millis(100)).verdict;
        assert_eq!((of(Statistic::P95), of(Statistic::Max)), (Some(Verdict::Ok), Some(Verdict::OverBudget)));
    }
}
