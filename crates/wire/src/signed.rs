//! One request over TCP, signed if there is a key, and the messages that answer it.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::names::Reader;
use crate::response::{QR, Received, encode_query, random_id, receive};
use crate::tsig::{OpenError, Opened, Signer};
use crate::{Message, Query, Rejection, TsigKey, WireError};

/// Why a signed question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// No answer came, or none that can be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server refuses it for the signature's sake, or the answer's signature is not right.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// Asks `server` once over TCP, signing the question with `key`, and takes an answer only if it is
/// signed, too. `timeout` bounds the connection, and again the exchange. The response code of an
/// answer that verifies is in the message and no error; without a key that of any answer.
pub async fn ask_signed(
    server: SocketAddr,
    query: &Query,
    key: Option<&TsigKey>,
    timeout: Duration,
) -> Result<Message, SignedError> {
    let stream = connect(server, timeout).await?;
    let id = random_id();
    let mut conversation = Conversation::start(stream, id, encode_query(query, id), key, timeout).await?;
    let answer = conversation.next(timeout).await?;
    match receive(&answer.message, query, id) {
        Received::Answer(message) => Ok(message),
        Received::Malformed(reason) => Err(WireError::Malformed(reason).into()),
        Received::OtherQuestion | Received::Stray => Err(WireError::Mismatch.into()),
    }
}

/// What a client makes of `answers`, in their order, to the octets `request`, both without lengths. It was sent, and they
/// came, at `now` (seconds since 1970), signed with `key`. What is returned is each answer with its signature verified and
/// taken off. Between two signed answers others may come without (RFC 8945 section 5.3.1).
///
/// # Errors
/// The first answer that cannot be read, that the server refuses, or whose signature is not right.
pub fn open_answers<'m>(
    key: &TsigKey,
    mut request: Vec<u8>,
    answers: impl IntoIterator<Item = &'m [u8]>,
    now: u64,
) -> Result<Vec<Vec<u8>>, SignedError> {
    let mut signer = Signer::sign(key.clone(), &mut request, now);
    answers.into_iter().map(|answer| Ok(open(&mut signer, answer, now)?.message)).collect()
}

/// Connects within `timeout`. Until this has succeeded nothing was asked for.
pub(crate) async fn connect(server: SocketAddr, timeout: Duration) -> Result<TcpStream, WireError> {
    let connected = timeout_at(Instant::now() + timeout, TcpStream::connect(server)).await;
    let stream = connected.map_err(|_| WireError::Timeout)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct Conversation {
    stream: TcpStream,
    buffer: Vec<u8>,
    id: u16,
    signer: Option<Signer>,
}

impl Conversation {
    /// Sends `request`, which has the id `id`, no signature, and room for one in 65,535 octets.
    pub(crate) async fn start(
        mut stream: TcpStream,
        id: u16,
        mut request: Vec<u8>,
        key: Option<&TsigKey>,
        timeout: Duration,
    ) -> Result<Self, WireError> {
        let signer = key.map(|key| Signer::sign(key.clone(), &mut request, now()));
        let length =
            u16::try_from(request.len()).map_err(|_| WireError::Malformed("a request of over 65,535 octets"))?;
        let mut framed = Vec::with_capacity(2 + request.len());
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&request);
        let sent = timeout_at(Instant::now() + timeout, stream.write_all(&framed)).await;
        sent.map_err(|_| WireError::Timeout)??;
        Ok(Self { stream, buffer: Vec::with_capacity(4096), id, signer })
    }

    /// The next message that answers, with its signature verified and taken off.
    pub(crate) async fn next(&mut self, timeout: Duration) -> Result<Opened, SignedError> {
        let deadline = Instant::now() + timeout;
        let bytes = timeout_at(deadline, self.frame()).await.map_err(|_| WireError::Timeout)??;
        let mut header = Reader::new(&bytes);
        let short = WireError::Malformed;
        let (id, flags) = (header.u16().map_err(short)?, header.u16().map_err(short)?);
        // On a connection of our own there are no leftovers: this is no server that we understand.
        if id != self.id || flags & QR == 0 {
            return Err(WireError::Mismatch.into());
        }
        match &mut self.signer {
            None => Ok(Opened { message: bytes, signed: true }),
            Some(signer) => open(signer, &bytes, now()),
        }
    }

    async fn frame(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            if let Some((&[a, b], rest)) = self.buffer.split_first_chunk()
                && let Some(message) = rest.get(..usize::from(u16::from_be_bytes([a, b])))
            {
                let message = message.to_vec();
                self.buffer.drain(..2 + message.len());
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(WireError::Closed);
            }
        }
    }
}

fn open(signer: &mut Signer, message: &[u8], now: u64) -> Result<Opened, SignedError> {
    signer.open(message, now).map_err(|error| match error {
        OpenError::Malformed(reason) => WireError::Malformed(reason).into(),
        OpenError::Rejected(rejection) => rejection.into(),
    })
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
