//! Connections: many questions on one, answered in the order in which they are ready (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailzone_wire::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Handle;
use crate::shared::Verdict;

/// How many connections there may be at a time; further ones are closed at once.
const MAX_CONNECTIONS: usize = 256;

/// How many answers of one connection are held at a time; it is not read meanwhile.
const MAX_HELD: usize = 256;

/// How long a connection may be silent, and how long a client may take to read an answer.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) async fn serve(listener: TcpListener, handle: Handle, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.changed() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) if connections.len() < MAX_CONNECTIONS => {
                connections.spawn(converse(stream, peer, handle.clone()));
            }
            Ok(_) => tracing::debug!("too many connections"),
            // No file descriptor left, or the client is gone: it passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, peer: SocketAddr, handle: Handle) {
    let _ = stream.set_nodelay(true);
    let (mut reader, writer) = stream.into_split();
    let writer = Arc::new(Mutex::new(writer));
    let mut held = JoinSet::new();
    while let Ok(Ok(bytes)) = timeout(IDLE, read(&mut reader)).await {
        let received = Instant::now();
        let verdict = handle.judge(&bytes, peer, Transport::Tcp, received);
        if verdict.hold.is_zero() {
            if !send(&writer, &handle, verdict).await {
                return;
            }
            continue;
        }
        while held.try_join_next().is_some() {}
        if held.len() >= MAX_HELD {
            held.join_next().await;
        }
        let (writer, handle) = (Arc::clone(&writer), handle.clone());
        held.spawn(async move {
            tokio::time::sleep_until((received + verdict.hold).into()).await;
            send(&writer, &handle, verdict).await;
        });
    }
    // A client that closes its side may still want its answers.
    while held.join_next().await.is_some() {}
}

async fn read(reader: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(reader.read_u16().await?)];
    reader.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Writes the answer if there is one; whether the connection is still good.
async fn send(writer: &Mutex<OwnedWriteHalf>, handle: &Handle, mut verdict: Verdict) -> bool {
    let Some(reply) = &verdict.reply else {
        handle.record(verdict.entry);
        return true;
    };
    // An encoded message has at most 65,535 octets.
    let framed = [&(reply.len() as u16).to_be_bytes(), reply.as_slice()].concat();
    let mut writer = writer.lock().await;
    verdict.entry.answered = Some(Instant::now());
    let number = handle.record(verdict.entry);
    let good = matches!(timeout(IDLE, writer.write_all(&framed)).await, Ok(Ok(())));
    if !good {
        handle.record_failure(number);
        // Part of it may be out, so nothing can follow.
        let _ = writer.shutdown().await;
    }
    good
}
