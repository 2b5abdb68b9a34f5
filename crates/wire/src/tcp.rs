use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::response::{Received, encode_query, random_id, receive};
use crate::{Exchange, Query, Transport, WireError};

/// A TCP connection to one server, for questions one after the other (RFC 7766).
#[derive(Debug)]
pub struct TcpChannel {
    stream: TcpStream,
    /// Octets received and not yet used: a message that came in part stays here when the time is up.
    buffer: Vec<u8>,
    connect_time: Duration,
    /// A question was sent in part: nothing sent after it would be understood.
    broken: bool,
}

impl TcpChannel {
    /// Connects within `timeout`.
    pub async fn connect(server: SocketAddr, timeout: Duration) -> Result<Self, WireError> {
        let started = Instant::now();
        let connected = timeout_at((started + timeout).into(), TcpStream::connect(server)).await;
        let connect_time = started.elapsed();
        let stream = connected.map_err(|_| WireError::Timeout)??;
        // A question is one small segment and should leave at once.
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(2048), connect_time, broken: false })
    }

    /// How long the handshake took.
    pub fn connect_time(&self) -> Duration {
        self.connect_time
    }

    /// Sends the question and waits for its answer up to `timeout`. After `Timeout` the connection
    /// can be used further unless it says `Closed`.
    pub async fn ask(&mut self, query: &Query, timeout: Duration) -> Result<Exchange, WireError> {
        if self.broken {
            return Err(WireError::Closed);
        }
        let id = random_id();
        let question = encode_query(query, id);
        let mut framed = Vec::with_capacity(2 + question.len());
        // A question has at most 12 + 255 + 4 + 11 octets.
        framed.extend_from_slice(&(question.len() as u16).to_be_bytes());
        framed.extend_from_slice(&question);
        let sent = Instant::now();
        let deadline = sent + timeout;
        self.broken = true;
        timeout_at(deadline.into(), self.stream.write_all(&framed)).await.map_err(|_| WireError::Timeout)??;
        self.broken = false;
        let mut failure = WireError::Timeout;
        loop {
            let Ok(result) = timeout_at(deadline.into(), self.message()).await else { return Err(failure) };
            let rtt = sent.elapsed();
            match receive(&result?, query, id) {
                Received::Answer(message) => {
                    let transport = Transport::Tcp;
                    return Ok(Exchange { message, transport, rtt, truncated_over_udp: false, attempts: 0 });
                }
                Received::Malformed(reason) => return Err(WireError::Malformed(reason)),
                Received::OtherQuestion => failure = WireError::Mismatch,
                Received::Stray => {}
            }
            // A flood of strays would never let the timer have its turn.
            if rtt >= timeout {
                return Err(failure);
            }
        }
    }

    /// The next whole message. Nothing is lost when this is dropped before it ends.
    async fn message(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            if let Some((&[a, b], rest)) = self.buffer.split_first_chunk()
                && let Some(message) = rest.get(..usize::from(u16::from_be_bytes([a, b])))
            {
                let message = message.to_vec();
                self.buffer.drain(..2 + message.len());
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                self.broken = true;
                return Err(WireError::Closed);
            }
        }
    }
}
