//! Something between the provider and its server that loses what it is told to lose.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing; answers come in small pieces.
    None,
    /// Answers end after so many octets.
    CutAfter(usize),
    /// The first update reaches the server, its answer is lost.
    FirstUpdateAnswer,
    /// The first update is lost.
    FirstUpdate,
    /// Every update is lost.
    EveryUpdate,
}

/// Requests so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) questions: AtomicUsize,
    pub(crate) updates: AtomicUsize,
}

/// A proxy for TCP connections with one request each.
pub(crate) async fn start(server: SocketAddr, fault: Fault) -> (SocketAddr, Arc<Counters>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let counters = Arc::new(Counters::default());
    let seen = counters.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A connection that breaks is what this is for.
            tokio::spawn(pass(client, server, fault, seen.clone()));
        }
    });
    (address, counters)
}

async fn pass(mut client: TcpStream, server: SocketAddr, fault: Fault, seen: Arc<Counters>) -> Option<()> {
    let mut request = vec![0; 2];
    client.read_exact(&mut request).await.ok()?;
    let length = usize::from(u16::from_be_bytes([request[0], request[1]]));
    request.resize(2 + length, 0);
    client.read_exact(&mut request[2..]).await.ok()?;
    let is_update = request[4] >> 3 & 0xf == 5;
    let count = if is_update { &seen.updates } else { &seen.questions };
    let first = count.fetch_add(1, Ordering::SeqCst) == 0;
    if is_update && (fault == Fault::EveryUpdate || (first && fault == Fault::FirstUpdate)) {
        return None;
    }
    let mut upstream = TcpStream::connect(server).await.ok()?;
    upstream.write_all(&request).await.ok()?;
    let mut passed = 0;
    let mut piece = [0; 1000];
    loop {
        let count = tokio::select! {
            count = upstream.read(&mut piece) => count.ok()?,
            // A client asks once; it has gone, and the server need not wait for more.
            _ = client.read_u8() => return None,
        };
        if count == 0 || (is_update && first && fault == Fault::FirstUpdateAnswer) {
            return None;
        }
        let room = match fault {
            Fault::CutAfter(limit) => count.min(limit - passed),
            _ => count,
        };
        client.write_all(&piece[..room]).await.ok()?;
        passed += room;
        if room < count {
            return None;
        }
        tokio::task::yield_now().await;
    }
}
