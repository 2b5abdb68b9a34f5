use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use mailzone_wire::{Exchange, Query, Rcode, TcpChannel, Transport, UdpChannel, WireError};
use tokio::time::{Instant, MissedTickBehavior};

/// An open way to one server, for one question after the other.
pub trait Channel: Send {
    /// Sends the question once. [`Exchange::rtt`] is what is measured.
    fn ask(&mut self, query: &Query, timeout: Duration) -> impl Future<Output = Result<Exchange, WireError>> + Send;
}

/// Opens channels: the seam between the order of sampling and the network.
pub trait Dial: Clone + Send + Sync + 'static {
    /// What it opens.
    type Channel: Channel;

    /// Opens a channel; with it the time that the connection took, over TCP.
    fn dial(
        &self,
        server: SocketAddr,
        transport: Transport,
        timeout: Duration,
    ) -> impl Future<Output = Result<(Self::Channel, Option<Duration>), WireError>> + Send;
}

/// Opens sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network;

/// An open socket.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Socket {
    Udp(UdpChannel),
    Tcp(TcpChannel),
}

/// What became of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was sent, from the beginning of its series.
    pub sent_at: Duration,
    /// What came.
    pub reply: Reply,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A usable answer, after this time.
    Answer(Duration),
    /// An answer, and it is an error or of no authority: it counts as not received.
    Useless(Duration, Rcode),
    /// No answer.
    Lost(WireError),
}

impl Channel for UdpChannel {
    async fn ask(&mut self, query: &Query, timeout: Duration) -> Result<Exchange, WireError> {
        Self::ask(self, query, timeout).await
    }
}

impl Channel for Socket {
    async fn ask(&mut self, query: &Query, timeout: Duration) -> Result<Exchange, WireError> {
        match self {
            Self::Udp(channel) => channel.ask(query, timeout).await,
            Self::Tcp(channel) => channel.ask(query, timeout).await,
        }
    }
}

impl Dial for Network {
    type Channel = Socket;

    async fn dial(
        &self,
        server: SocketAddr,
        transport: Transport,
        timeout: Duration,
    ) -> Result<(Socket, Option<Duration>), WireError> {
        match transport {
            Transport::Udp => Ok((Socket::Udp(UdpChannel::connect(server).await?), None)),
            Transport::Tcp => {
                let channel = TcpChannel::connect(server, timeout).await?;
                let took = channel.connect_time();
                Ok((Socket::Tcp(channel), Some(took)))
            }
        }
    }
}

/// Asks `query` `count` times over one channel, `interval` apart (a slow answer delays the
/// next question). The bare loop, without a rate limit: for figures of servers use
/// [`super::measure`].
pub async fn sample(
    channel: &mut impl Channel,
    query: &Query,
    count: usize,
    interval: Duration,
    timeout: Duration,
) -> Vec<Sample> {
    let began = Instant::now();
    let mut ticks = ticks(interval);
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        ticks.tick().await;
        samples.push(ask_once(channel, query, timeout, began).await);
    }
    samples
}

/// [`sample`] over a fresh UDP socket, connected to `server`.
pub async fn sample_udp(
    server: SocketAddr,
    query: &Query,
    count: usize,
    interval: Duration,
    timeout: Duration,
) -> Result<Vec<Sample>, WireError> {
    let mut channel = UdpChannel::connect(server).await?;
    Ok(sample(&mut channel, query, count, interval, timeout).await)
}

/// Ticks at least `interval` apart, however long what is between them takes.
pub(crate) fn ticks(interval: Duration) -> tokio::time::Interval {
    // tokio refuses an interval of zero.
    let mut ticks = tokio::time::interval(interval.max(Duration::from_nanos(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

pub(crate) async fn ask_once(channel: &mut impl Channel, query: &Query, timeout: Duration, began: Instant) -> Sample {
    let sent_at = began.elapsed();
    let reply = match channel.ask(query, timeout).await {
        Ok(exchange) if usable(query, &exchange) => Reply::Answer(exchange.rtt),
        Ok(exchange) => Reply::Useless(exchange.rtt, exchange.message.rcode),
        Err(error) => Reply::Lost(error),
    };
    Sample { sent_at, reply }
}

/// From a server the answer of an authority, from a resolver that of one who recurses or knows.
fn usable(query: &Query, exchange: &Exchange) -> bool {
    let message = &exchange.message;
    let role = message.authoritative || query.recursion_desired && message.recursion_available;
    role && matches!(message.rcode, Rcode::NoError | Rcode::NxDomain)
}

impl Reply {
    /// The time of a usable answer.
    pub fn rtt(&self) -> Option<Duration> {
        match self {
            Self::Answer(rtt) => Some(*rtt),
            Self::Useless(..) | Self::Lost(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use mailzone_record::{Name, RecordType};
    use mailzone_wire::Message;

    use super::*;
    use crate::testing::exchange;

    #[test]
    fn whose_answer_is_usable() {
        let server = Query::authoritative(Name::root(), RecordType::SOA);
        let resolver = Query::recursive(Name::root(), RecordType::SOA);
        let from = |authoritative, recursion_available, rcode| {
            let exchange = exchange(Message { authoritative, recursion_available, rcode, ..Message::default() });
            (usable(&server, &exchange), usable(&resolver, &exchange))
        };
        assert_eq!(from(true, false, Rcode::NoError), (true, true));
        assert_eq!(from(false, true, Rcode::NxDomain), (false, true));
        assert_eq!(from(false, false, Rcode::NoError), (false, false));
        assert_eq!(from(true, true, Rcode::ServFail), (false, false));
    }
}
