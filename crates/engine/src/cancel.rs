//! Stopping a run: the request in flight is finished, nothing new is sent.

use tokio::sync::watch;

/// Whether the run shall stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cancel {
    receiver: watch::Receiver<bool>,
}

/// Stops a run.
#[derive(Debug)]
pub struct Canceller {
    sender: watch::Sender<bool>,
}

impl Cancel {
    /// A switch and what it switches.
    pub fn new() -> (Canceller, Self) {
        let (sender, receiver) = watch::channel(false);
        (Canceller { sender }, Self { receiver })
    }

    /// One that nobody switches.
    pub fn never() -> Self {
        Self::new().1
    }

    /// Whether the run shall stop.
    pub fn is_cancelled(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Returns when the run shall stop; never, if nobody can say so any more.
    pub async fn cancelled(&self) {
        let mut receiver = self.receiver.clone();
        if receiver.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Canceller {
    /// Stops the run.
    pub fn cancel(&self) {
        self.sender.send_replace(true);
    }
}
