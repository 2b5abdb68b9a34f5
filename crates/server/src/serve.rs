use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailzone_wire::Transport;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::shared::Verdict;
use crate::{Handle, Outcome, Zone, tcp};

/// How many held answers over UDP there may be at a time; queries beyond that are dropped.
const MAX_HELD: usize = 16_384;

/// How often another port is tried when the one that TCP got is taken for UDP.
const PORT_ATTEMPTS: usize = 64;

/// A running server. It ends with [`Server::stop`], or when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    handle: Handle,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be bound: another program has it, it is not this machine's, or the port
    /// is a privileged one.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl Server {
    /// Listens on UDP and TCP at `address` and serves `zones`. Port 0 takes one that is free for
    /// both. When this returns, queries are answered. Needs a tokio runtime, which runs the server.
    pub async fn start(address: SocketAddr, zones: Vec<Zone>) -> Result<Self, ServeError> {
        let (udp, listener) = bind(address).await.map_err(|source| ServeError::Bind { address, source })?;
        let address = udp.local_addr().map_err(|source| ServeError::Bind { address, source })?;
        let handle = Handle::default();
        for zone in zones {
            handle.replace_zone(zone);
        }
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(serve_udp(udp, handle.clone(), stopped.clone())),
            tokio::spawn(tcp::serve(listener, handle.clone(), stopped)),
        ];
        Ok(Self { address, handle, stop, tasks })
    }

    /// Where it listens, with the port that it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle to change it and to ask it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops at once, held answers included. When this returns, the port is free.
    pub async fn stop(self) {
        // An error says that both tasks have ended by themselves.
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// Both sockets on one port.
async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts = 1..PORT_ATTEMPTS;
    loop {
        let listener = TcpListener::bind(address).await?;
        match UdpSocket::bind(listener.local_addr()?).await {
            Ok(udp) => return Ok((udp, listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.port() == 0 => {
                if attempts.next().is_none() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn serve_udp(socket: UdpSocket, handle: Handle, mut stopped: watch::Receiver<bool>) {
    let socket = Arc::new(socket);
    let mut held = JoinSet::new();
    let mut buffer = vec![0; 4096];
    loop {
        let received = tokio::select! {
            biased;
            _ = stopped.changed() => break,
            received = socket.recv_from(&mut buffer) => received,
        };
        let at = Instant::now();
        while held.try_join_next().is_some() {}
        let Ok((length, peer)) = received else {
            // What became of an earlier answer, or a lack of memory: it passes.
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        let mut verdict = handle.judge(bytes, peer, Transport::Udp, at);
        if verdict.hold.is_zero() {
            send(&socket, peer, &handle, verdict).await;
        } else if held.len() < MAX_HELD {
            let (socket, handle) = (Arc::clone(&socket), handle.clone());
            held.spawn(async move {
                tokio::time::sleep_until((at + verdict.hold).into()).await;
                send(&socket, peer, &handle, verdict).await;
            });
        } else {
            verdict.entry.outcome = Outcome::Ignored;
            handle.record(verdict.entry);
        }
    }
    held.shutdown().await;
}

async fn send(socket: &UdpSocket, peer: SocketAddr, handle: &Handle, mut verdict: Verdict) {
    verdict.entry.answered = verdict.reply.is_some().then(Instant::now);
    let number = handle.record(verdict.entry);
    if let Some(reply) = &verdict.reply
        && socket.send_to(reply, peer).await.is_err()
    {
        handle.record_failure(number);
    }
}
