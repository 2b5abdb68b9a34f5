//! Replies of a mail server, read within limits (RFC 5321 section 4.2).

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Octets in one line; RFC 5321 section 4.5.3.1.5 grants 512.
pub const MAX_LINE: usize = 2048;

/// Lines in one reply.
pub const MAX_LINES: usize = 100;

/// Octets of all replies of a session.
pub const MAX_OCTETS: usize = 64 << 10;

/// A connection that speaks in lines.
pub(crate) struct Lines<S> {
    stream: S,
    buffer: Vec<u8>,
    octets: usize,
    deadline: Instant,
}

/// A reply: its code, and the text of each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) lines: Vec<String>,
}

/// Why there is no reply, as a fragment that continues "the server".
pub(crate) type Broken = String;

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    pub(crate) fn new(stream: S, deadline: Instant) -> Self {
        Self { stream, buffer: Vec::new(), octets: 0, deadline }
    }

    /// Sends a command and reads its reply.
    pub(crate) async fn command(&mut self, command: &str) -> Result<Reply, Broken> {
        let line = format!("{command}\r\n");
        let sent = timeout_at(self.deadline, async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.flush().await
        });
        match sent.await {
            Ok(Ok(())) => self.reply().await,
            Ok(Err(error)) => Err(format!("broke the connection: {error}")),
            Err(_) => Err("took no command in time".to_owned()),
        }
    }

    /// The next reply.
    pub(crate) async fn reply(&mut self) -> Result<Reply, Broken> {
        let mut reply: Option<Reply> = None;
        loop {
            let line = self.line().await?;
            let Some((code, last, text)) = split(&line) else {
                return Err(format!("does not speak SMTP: it sent `{}`", String::from_utf8_lossy(&line)));
            };
            let reply = reply.get_or_insert_with(|| Reply { code, lines: Vec::new() });
            if reply.code != code {
                return Err(format!("mixed the codes {} and {code} in one reply", reply.code));
            }
            reply.lines.push(String::from_utf8_lossy(text).into_owned());
            if last {
                return Ok(reply.clone());
            }
            if reply.lines.len() >= MAX_LINES {
                return Err(format!("sent a reply of more than {MAX_LINES} lines"));
            }
        }
    }

    /// Takes leave, for a second at most.
    pub(crate) async fn quit(mut self) {
        self.deadline = Instant::now() + std::time::Duration::from_secs(1);
        // What it answers, and whether, is of no interest.
        let _ = self.command("QUIT").await;
        let _ = timeout_at(self.deadline, self.stream.shutdown()).await;
    }

    /// The connection, unless there is more from it than was read.
    pub(crate) fn into_stream(self) -> Option<S> {
        self.buffer.is_empty().then_some(self.stream)
    }

    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                line.pop_if(|octet| *octet == b'\r');
                return Ok(line);
            }
            if self.buffer.len() > MAX_LINE {
                return Err(format!("sent a line of more than {MAX_LINE} octets"));
            }
            let mut chunk = [0; 1024];
            let length = match timeout_at(self.deadline, self.stream.read(&mut chunk)).await {
                Ok(Ok(0)) => return Err("closed the connection".to_owned()),
                Ok(Ok(length)) => length,
                Ok(Err(error)) => return Err(format!("broke the connection: {error}")),
                Err(_) => return Err("did not finish its reply in time".to_owned()),
            };
            self.octets += length;
            if self.octets > MAX_OCTETS {
                return Err(format!("sent more than {MAX_OCTETS} octets"));
            }
            self.buffer.extend_from_slice(chunk.get(..length).unwrap_or_default());
        }
    }
}

/// The code of a reply line, whether it is the last, and its text.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(code).ok().filter(|code| code.bytes().all(|b| b.is_ascii_digit()))?;
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    match rest.split_first() {
        None => Some((code, true, rest)),
        Some((b' ', text)) => Some((code, true, text)),
        Some((b'-', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    async fn read(bytes: &[u8]) -> (Result<Reply, Broken>, usize) {
        let (mut there, here) = tokio::io::duplex(bytes.len().max(1));
        there.write_all(bytes).await.unwrap();
        drop(there);
        let mut lines = Lines::new(here, Instant::now() + std::time::Duration::from_secs(1));
        let reply = lines.reply().await;
        (reply, lines.octets)
    }

    #[tokio::test(start_paused = true)]
    async fn replies_and_what_is_none() {
        let (reply, _) = read(b"250-mx.example greets you\r\n250-SIZE 10\n250\r\nmore").await;
        assert_eq!(
            reply.unwrap(),
            Reply { code: 250, lines: vec!["mx.example greets you".into(), "SIZE 10".into(), String::new()] }
        );
        for (bytes, why) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "does not speak SMTP"),
            (b"250-a\r\n550 b\r\n", "mixed the codes 250 and 550"),
            (b"220 half a li", "closed the connection"),
            (b"", "closed the connection"),
            (b"+20 x\r\n", "does not speak SMTP"),
            (&[b'2'; 5000], "a line of more than 2048"),
            (&b"220-x\r\n".repeat(200), "more than 100 lines"),
        ] {
            let error = read(bytes).await.0.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_octets_do_no_harm(bytes in vec(any::<u8>(), 0..9000)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let (_, octets) = runtime.block_on(read(&bytes));
            prop_assert!(octets <= MAX_LINE + 1024);
        }
    }
}
