use std::net::SocketAddr;
use std::time::Duration;

use crate::{Exchange, Query, TcpChannel, UdpChannel, WireError};

/// Asks `server` once: over UDP from a fresh source port, and over TCP if that answer was cut.
///
/// A question that stays unanswered for half of `timeout` is sent a second time, which
/// [`Exchange::attempts`] shows. `timeout` bounds what is done over UDP, and again the connection
/// and the exchange over TCP: at most three times `timeout` in all, and ordinarily one round trip.
/// No fallback to a question without EDNS: a server that answers FORMERR to it is seen to do so.
pub async fn exchange(server: SocketAddr, query: &Query, timeout: Duration) -> Result<Exchange, WireError> {
    let mut channel = UdpChannel::connect(server).await?;
    let over_udp = channel.ask_repeatedly(query, timeout, 2).await;
    tracing::trace!(%server, name = %query.name, rtype = %query.rtype, ok = over_udp.is_ok(), "asked over UDP");
    let over_udp = over_udp?;
    if !over_udp.message.truncated {
        return Ok(over_udp);
    }
    let mut channel = TcpChannel::connect(server, timeout).await?;
    let over_tcp = channel.ask(query, timeout).await?;
    Ok(Exchange { truncated_over_udp: true, attempts: over_udp.attempts, ..over_tcp })
}
