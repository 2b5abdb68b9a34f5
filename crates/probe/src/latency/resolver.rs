use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;

use mailzone_record::{Name, RecordType};
use mailzone_wire::{Query, Transport};
use tokio::time::Instant;

use super::measure::MIN_INTERVAL;
use super::sample::{ask_once, ticks};
use super::{Dial, Plan, Series};
use crate::Endpoint;
use crate::ask::run_all;

/// What was measured at one resolver, over UDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverSeries {
    /// Names that were never asked before: the resolver has to ask the zone's servers. It may
    /// still answer some by itself where a signed zone's denials cover ranges (RFC 8198).
    pub cold: Series,
    /// The same names asked again at once: the way to the resolver and its cache.
    pub warm: Series,
}

/// Measures each resolver with names right below `zone` that nobody has asked before, and again
/// with the same names. All resolvers at a time, at most ten questions a second to each; of `plan`,
/// `samples` counts the names, and `tcp` has no meaning. The answers are denials, or a wildcard's.
///
/// Of the cold answers the first is kept apart, since it may have to find the zone's servers too.
pub async fn measure_resolvers(
    dial: &impl Dial,
    zone: &Name,
    resolvers: &[SocketAddr],
    plan: &Plan,
) -> Vec<ResolverSeries> {
    let began = Instant::now();
    let lanes = resolvers.iter().map(|&resolver| {
        let (dial, zone, plan) = (dial.clone(), zone.clone(), *plan);
        async move { lane(&dial, &zone, resolver, &plan, began).await }
    });
    run_all(lanes.collect(), usize::MAX).await
}

async fn lane(dial: &impl Dial, zone: &Name, resolver: SocketAddr, plan: &Plan, began: Instant) -> ResolverSeries {
    let endpoint = Endpoint { server: None, address: resolver };
    let mut cold = Series::new(endpoint.clone(), Transport::Udp);
    let mut warm = Series::new(endpoint, Transport::Udp);
    let mut ticks = ticks(plan.interval.max(MIN_INTERVAL));
    let mut channel = match dial.dial(resolver, Transport::Udp, plan.timeout).await {
        Ok((channel, _)) => channel,
        Err(error) => {
            cold.error = Some(error.clone());
            warm.error = Some(error);
            return ResolverSeries { cold, warm };
        }
    };
    'names: for _ in 0..=plan.samples {
        // A zone's name that leaves no room for a label has no names to ask for.
        let Some(name) = fresh_name(zone) else { break };
        let query = Query::recursive(name, RecordType::TXT);
        for series in [&mut cold, &mut warm] {
            ticks.tick().await;
            if plan.limit.is_some_and(|limit| began.elapsed() >= limit) || series.is_given_up() {
                break 'names;
            }
            let sample = ask_once(&mut channel, &query, plan.timeout, began).await;
            if series.first.is_none() {
                series.first = Some(sample);
            } else {
                series.samples.push(sample);
            }
        }
    }
    ResolverSeries { cold, warm }
}

/// A name below the zone that nobody has asked for: 64 random bits.
fn fresh_name(zone: &Name) -> Option<Name> {
    let random = RandomState::new().build_hasher().finish();
    zone.prepend(&format!("mailzone-{random:016x}")).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use mailzone_wire::WireError;

    use super::super::measure::tests::Fake;
    use super::*;
    use crate::testing::{endpoint, name};

    #[tokio::test(start_paused = true)]
    async fn cold_and_warm() {
        let fake = Fake::new(|server, _, number| match server.port() {
            1 => Ok(Duration::from_millis(if number % 2 == 0 { 90 } else { 2 })),
            _ => Err(WireError::Timeout),
        });
        let resolvers = [endpoint(1).address, endpoint(2).address];
        let plan = Plan { samples: 4, ..Plan::default() };
        let series = measure_resolvers(&fake, &name("example"), &resolvers, &plan).await;
        assert_eq!(series[0].cold.figures().min, Some(Duration::from_millis(90)));
        assert_eq!(series[0].warm.figures().max, Some(Duration::from_millis(2)));
        assert_eq!((series[0].cold.samples.len(), series[0].warm.samples.len()), (4, 4));
        assert_eq!(series[1].cold.figures().loss(), 1.0);
        let log = fake.log.lock().unwrap();
        let mut times: HashMap<Name, usize> = HashMap::new();
        for (_, _, _, query) in log.iter().filter(|(server, ..)| server.port() == 1) {
            assert!(query.recursion_desired && query.name.parent() == Some(name("example")));
            *times.entry(query.name.clone()).or_default() += 1;
        }
        assert!(times.len() == 5 && times.values().all(|&count| count == 2));
    }
}
