use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use crate::response::{Received, encode_query, random_id, receive};
use crate::{Exchange, Query, Transport, WireError};

/// Room for one datagram: three times what we advertise. A longer one is cut and so malformed.
const BUFFER: usize = 4096;

/// A UDP socket connected to one server, for questions one after the other.
///
/// Nothing is sent twice, so a lost packet is seen as one. Being connected, the socket learns at
/// once that nothing listens, and takes datagrams from that server alone.
#[derive(Debug)]
pub struct UdpChannel {
    socket: UdpSocket,
    buffer: Box<[u8]>,
}

impl UdpChannel {
    /// Opens a socket with a source port of the system's choice. Sends nothing.
    pub async fn connect(server: SocketAddr) -> Result<Self, WireError> {
        let local = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(server).await?;
        Ok(Self { socket, buffer: vec![0; BUFFER].into() })
    }

    /// Sends the question once and waits for its answer up to `timeout`. A truncated answer is
    /// returned as it is. Late answers to earlier questions are skipped.
    pub async fn ask(&mut self, query: &Query, timeout: Duration) -> Result<Exchange, WireError> {
        self.ask_repeatedly(query, timeout, 1).await
    }

    /// Sends the question up to `sends` times in equal intervals within `timeout`. An answer is
    /// told by its id from which send it is, so `rtt` is exact whichever comes.
    pub(crate) async fn ask_repeatedly(
        &mut self,
        query: &Query,
        timeout: Duration,
        sends: u8,
    ) -> Result<Exchange, WireError> {
        self.drain();
        let started = Instant::now();
        let mut sent: Vec<(u16, Instant)> = Vec::with_capacity(usize::from(sends));
        let mut failure = WireError::Timeout;
        for attempt in 1..=sends {
            let id = random_id();
            let question = encode_query(query, id);
            let now = Instant::now();
            if self.socket.send(&question).await.is_err() {
                // A connected socket reports here what became of an earlier datagram.
                self.socket.send(&question).await?;
            }
            sent.push((id, now));
            let deadline = started + timeout * u32::from(attempt) / u32::from(sends);
            while let Ok(result) = timeout_at(deadline.into(), self.socket.recv(&mut self.buffer)).await {
                let received = Instant::now();
                let length = result?;
                let bytes = self.buffer.get(..length).unwrap_or_default();
                for &(id, at) in &sent {
                    match receive(bytes, query, id) {
                        Received::Answer(message) => {
                            return Ok(Exchange {
                                truncated_over_udp: message.truncated,
                                message,
                                transport: Transport::Udp,
                                rtt: received.duration_since(at),
                                attempts: attempt,
                            });
                        }
                        Received::Malformed(reason) => return Err(WireError::Malformed(reason)),
                        Received::OtherQuestion => failure = WireError::Mismatch,
                        Received::Stray => {}
                    }
                }
                // A flood of strays would never let the timer have its turn.
                if received >= deadline {
                    break;
                }
            }
        }
        Err(failure)
    }

    /// Throws away what came too late, and errors that belong to earlier questions.
    fn drain(&mut self) {
        for _ in 0..256 {
            match self.socket.try_recv(&mut self.buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => {}
            }
        }
    }
}
