use std::time::Duration;

use mailzone_record::{Name, RecordType};
use mailzone_wire::{Query, Transport, WireError};
use tokio::time::Instant;

use super::sample::{ask_once, ticks};
use super::{Dial, Figures, Reply, Sample};
use crate::ask::run_all;
use crate::{Endpoint, Server};

/// How much to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Questions to each address over each transport, beyond the first.
    pub samples: usize,
    /// From one question to a server to the next; under 100 ms counts as 100 ms.
    pub interval: Duration,
    /// How long an answer may take until it counts as lost.
    pub timeout: Duration,
    /// Also over TCP, on one connection to each address.
    pub tcp: bool,
    /// After this time no further question is sent: series end with fewer samples. What is out
    /// then is waited for, up to `timeout`. `None`: no limit.
    pub limit: Option<Duration>,
}

/// What was measured at one address over one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Who was asked.
    pub endpoint: Endpoint,
    /// Over what.
    pub transport: Transport,
    /// The time that the TCP connection took: apart from all other figures.
    pub connect: Option<Duration>,
    /// The first question, which pays for what later ones find ready (address resolution on the
    /// link, routes, the server's caches): in none of the figures. `None` if nothing could be sent.
    pub first: Option<Sample>,
    /// The others, in the order sent.
    pub samples: Vec<Sample>,
    /// Why there was no socket, or no connection.
    pub error: Option<WireError>,
}

/// The least time from one question to a server to the next: ten a second.
pub(crate) const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// An address that left so many questions in a row unanswered from the first on is asked no more.
const GIVE_UP_AFTER: usize = 5;

impl Default for Plan {
    /// Twenty samples at full rate over UDP and TCP, two seconds for an answer, no limit.
    fn default() -> Self {
        Self { samples: 20, interval: MIN_INTERVAL, timeout: Duration::from_secs(2), tcp: true, limit: None }
    }
}

/// Measures every address of every server with questions for the zone's SOA record.
///
/// All servers at a time, with their questions spread over the interval; the addresses and
/// transports of one server take turns, so that the rate holds for the server and all its figures
/// are of the same minute. An address that does not answer at all is given up after five
/// questions. The result is in the order of servers, addresses, UDP before TCP.
pub async fn measure(dial: &impl Dial, zone: &Name, servers: &[Server], plan: &Plan) -> Vec<Series> {
    let query = Query::authoritative(zone.clone(), RecordType::SOA);
    let interval = plan.interval.max(MIN_INTERVAL);
    let began = Instant::now();
    let lanes = servers.iter().enumerate().map(|(at, server)| {
        let offset = interval.mul_f64(at as f64 / servers.len() as f64);
        let (dial, query, server, plan) = (dial.clone(), query.clone(), server.clone(), *plan);
        async move {
            tokio::time::sleep(offset).await;
            lane(&dial, &query, &server, &Plan { interval, ..plan }, began).await
        }
    });
    run_all(lanes.collect(), usize::MAX).await.into_iter().flatten().collect()
}

async fn lane(dial: &impl Dial, query: &Query, server: &Server, plan: &Plan, began: Instant) -> Vec<Series> {
    let transports: &[Transport] = if plan.tcp { &[Transport::Udp, Transport::Tcp] } else { &[Transport::Udp] };
    let series = |endpoint: Endpoint| transports.iter().map(move |&t| Series::new(endpoint.clone(), t));
    let mut all: Vec<(Series, Option<_>)> = server.endpoints().flat_map(series).map(|series| (series, None)).collect();
    let over = |now: Instant| plan.limit.is_some_and(|limit| now.duration_since(began) >= limit);
    let mut ticks = ticks(plan.interval);
    for _ in 0..=plan.samples {
        for (series, channel) in all.iter_mut().filter(|(series, _)| !series.is_given_up()) {
            ticks.tick().await;
            if over(Instant::now()) {
                return all.into_iter().map(|(series, _)| series).collect();
            }
            series.take(dial, channel, query, plan.timeout, began).await;
        }
    }
    all.into_iter().map(|(series, _)| series).collect()
}

impl Series {
    pub(crate) fn new(endpoint: Endpoint, transport: Transport) -> Self {
        Self { endpoint, transport, connect: None, first: None, samples: Vec::new(), error: None }
    }

    /// The figures of all samples but the first.
    pub fn figures(&self) -> Figures {
        let received: Vec<Duration> = self.samples.iter().filter_map(|sample| sample.reply.rtt()).collect();
        Figures::new(self.samples.len(), &received)
    }

    /// The time of the first question's answer.
    pub fn first_rtt(&self) -> Option<Duration> {
        self.first.as_ref()?.reply.rtt()
    }

    /// Whether the address cannot be reached from here for want of a route: no failure of the server.
    pub fn is_unreachable_from_here(&self) -> bool {
        let lost_here = |sample: &Sample| matches!(&sample.reply, Reply::Lost(e) if e.is_unreachable_from_here());
        self.error.as_ref().is_some_and(WireError::is_unreachable_from_here)
            || self.first.as_ref().is_some_and(lost_here)
    }

    /// Whether anything was tried: not so if the limit of time came first.
    pub fn was_tried(&self) -> bool {
        self.first.is_some() || self.error.is_some()
    }

    pub(super) fn is_given_up(&self) -> bool {
        let unanswered = |sample: &Sample| matches!(sample.reply, Reply::Lost(_));
        self.error.is_some()
            || self.is_unreachable_from_here()
            || (self.samples.len() + 1 >= GIVE_UP_AFTER
                && self.first.as_ref().is_some_and(unanswered)
                && self.samples.iter().all(unanswered))
    }

    /// Takes one sample, over a connection that is opened where there is none.
    async fn take<D: Dial>(
        &mut self,
        dial: &D,
        channel: &mut Option<D::Channel>,
        query: &Query,
        timeout: Duration,
        began: Instant,
    ) {
        if channel.is_none() && !self.open(dial, channel, timeout).await {
            return;
        }
        let Some(open) = channel.as_mut() else { return };
        let mut sample = ask_once(open, query, timeout, began).await;
        if sample.reply == Reply::Lost(WireError::Closed) {
            // A server may close an idle connection at any time (RFC 7766 section 6.2.3): no loss.
            *channel = None;
            if self.open(dial, channel, timeout).await
                && let Some(open) = channel.as_mut()
            {
                sample = ask_once(open, query, timeout, began).await;
            }
        }
        if self.first.is_none() {
            self.first = Some(sample);
        } else {
            self.samples.push(sample);
        }
    }

    async fn open<D: Dial>(&mut self, dial: &D, channel: &mut Option<D::Channel>, timeout: Duration) -> bool {
        match dial.dial(self.endpoint.address, self.transport, timeout).await {
            Ok((open, took)) => {
                self.connect = self.connect.or(took);
                *channel = Some(open);
                true
            }
            Err(error) => {
                self.error = Some(error);
                false
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};

    use mailzone_wire::{Exchange, Message, Rcode};

    use super::*;
    use crate::latency::Channel;
    use crate::testing::{exchange, name};

    type Log = Arc<Mutex<Vec<(SocketAddr, Transport, Instant, Query)>>>;
    type Answer = dyn Fn(SocketAddr, Transport, usize) -> Result<Duration, WireError> + Send + Sync;

    /// Answers by (server, transport, number of the question there), in that time.
    #[derive(Clone)]
    pub(crate) struct Fake {
        answer: Arc<Answer>,
        pub(crate) log: Log,
    }

    pub(crate) struct FakeChannel(Fake, SocketAddr, Transport);

    impl Fake {
        pub(crate) fn new(
            answer: impl Fn(SocketAddr, Transport, usize) -> Result<Duration, WireError> + Send + Sync + 'static,
        ) -> Self {
            Self { answer: Arc::new(answer), log: Arc::default() }
        }
    }

    impl Dial for Fake {
        type Channel = FakeChannel;

        async fn dial(
            &self,
            server: SocketAddr,
            transport: Transport,
            _: Duration,
        ) -> Result<(FakeChannel, Option<Duration>), WireError> {
            if server.is_ipv6() {
                return Err(WireError::NoRoute);
            }
            let took = (transport == Transport::Tcp).then_some(Duration::from_millis(7));
            Ok((FakeChannel(self.clone(), server, transport), took))
        }
    }

    impl Channel for FakeChannel {
        async fn ask(&mut self, query: &Query, timeout: Duration) -> Result<Exchange, WireError> {
            let Self(fake, server, transport) = self;
            let number = {
                let mut log = fake.log.lock().unwrap();
                log.push((*server, *transport, Instant::now(), query.clone()));
                log.iter().filter(|(s, t, ..)| s == server && t == transport).count() - 1
            };
            let rtt = match (fake.answer)(*server, *transport, number) {
                Ok(rtt) => rtt,
                Err(error) => {
                    if error == WireError::Timeout {
                        tokio::time::sleep(timeout).await;
                    }
                    return Err(error);
                }
            };
            tokio::time::sleep(rtt).await;
            let rcode = if rtt.is_zero() { Rcode::Refused } else { Rcode::NoError };
            let message = Message { authoritative: true, recursion_available: true, rcode, ..Message::default() };
            Ok(Exchange { rtt, ..exchange(message) })
        }
    }

    fn server(addresses: &[&str]) -> Server {
        Server { name: None, addresses: addresses.iter().map(|a| a.parse().unwrap()).collect() }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_for_a_server() {
        let fake = Fake::new(|_, _, number| Ok(ms(if number == 0 { 250 } else { 10 })));
        let servers = [server(&["192.0.2.1:53", "192.0.2.2:53"]), server(&["192.0.2.3:53"])];
        let plan = Plan { samples: 5, interval: ms(1), ..Plan::default() };
        let series = measure(&fake, &name("example"), &servers, &plan).await;
        assert_eq!(series.len(), 6);
        for one in &series {
            assert_eq!((one.first_rtt(), one.samples.len()), (Some(ms(250)), 5));
            assert_eq!((one.figures().max, one.figures().loss()), (Some(ms(10)), 0.0));
            assert_eq!(one.connect.is_some(), one.transport == Transport::Tcp);
        }
        let log = fake.log.lock().unwrap();
        for server in &servers {
            let to = log.iter().filter(|(address, ..)| server.addresses.contains(address));
            let times: Vec<Instant> = to.map(|(_, _, at, _)| *at).collect();
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= MIN_INTERVAL));
        }
        // The servers' questions do not leave in the same moment.
        let start = |port: &str| log.iter().find(|(a, ..)| *a == port.parse().unwrap()).unwrap().2;
        assert_eq!(start("192.0.2.3:53") - start("192.0.2.1:53"), ms(50));
    }

    #[tokio::test(start_paused = true)]
    async fn losses_lameness_and_routes() {
        let fake = Fake::new(|server, transport, number| match (server.port(), transport) {
            (1, _) => Err(WireError::Timeout),
            (2, _) if number == 3 => Err(WireError::Timeout),
            (3, _) => Ok(Duration::ZERO),
            (4, Transport::Tcp) if number % 2 == 1 => Err(WireError::Closed),
            _ => Ok(ms(5)),
        });
        let addresses = ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4", "[2001:db8::1]:5"];
        let series = measure(&fake, &name("example"), &addresses.map(|a| server(&[a])), &Plan::default()).await;
        let figures: Vec<_> = series.iter().map(|s| (s.figures().sent, s.figures().received)).collect();
        assert_eq!(figures, [(4, 0), (4, 0), (20, 19), (20, 19), (20, 0), (20, 0), (20, 20), (20, 20), (0, 0), (0, 0)]);
        assert!(series[8].is_unreachable_from_here() && !series[0].is_unreachable_from_here());
        assert_eq!(series[4].first.as_ref().unwrap().reply, Reply::Useless(Duration::ZERO, Rcode::Refused));
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_ends_it() {
        let fake = Fake::new(|_, _, _| Ok(ms(5)));
        let began = Instant::now();
        let plan = Plan { samples: 1000, limit: Some(Duration::from_secs(3)), ..Plan::default() };
        let series = measure(&fake, &name("example"), &[server(&["192.0.2.1:53"])], &plan).await;
        assert!(began.elapsed() < Duration::from_secs(4));
        assert!(series.iter().all(|s| s.figures().received > 10 && s.figures().sent < 30));
    }
}
