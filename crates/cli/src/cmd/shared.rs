//! What several commands do alike.

use mailzone_engine::{Cancel, Code, Providers, close};
use mailzone_plan::document::{Exit, FORMAT_VERSION};
use mailzone_report::text::TextOptions;
use mailzone_report::{json, view};

use crate::args::{Format, Global};
use crate::context;
use crate::ui::Ui;

/// Refuses a format that a command has no form for.
pub(super) fn only(global: &Global, allowed: &[Format], ui: &Ui) -> Result<(), Code> {
    if allowed.contains(&global.format) {
        return Ok(());
    }
    ui.error("this command has no output in that format", Some("use --format text or json"));
    Err(Code::Error)
}

/// How text is laid out on this terminal.
pub(super) fn text_options(full: bool, ui: &Ui) -> TextOptions {
    TextOptions { width: ui.width(), color: ui.color(), full, verbose: ui.verbose() > 0, ..TextOptions::default() }
}

/// A document of any command as JSON.
pub(super) fn envelope<T: serde::Serialize>(body: T, exit: Exit) -> String {
    let document = view::Envelope {
        format_version: FORMAT_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").into(),
        created: context::now(),
        body,
        exit,
    };
    // Our views have string keys only, which is all that can fail.
    json::to_string(&document).unwrap_or_default()
}

/// Does something with providers and ends what they hold open at their services, whatever came of it. Where `cancel`
/// is switched first, the work is dropped: for what writes nothing.
pub(super) async fn with_providers<T>(
    providers: &Providers,
    cancel: &Cancel,
    work: impl Future<Output = T>,
) -> Result<T, Code> {
    let done = tokio::select! {
        biased;
        done = work => Ok(done),
        () = cancel.cancelled() => Err(Code::Interrupted),
    };
    close(providers).await;
    done
}

/// A switch that Ctrl-C and SIGTERM throw. A second one ends the program at once.
pub(super) fn on_interrupt() -> Cancel {
    let (canceller, cancel) = Cancel::new();
    // Caught from here on, not only once the task runs.
    let signals = Signals::listen();
    tokio::spawn(async move {
        if let Some(mut signals) = signals {
            signals.next().await;
            canceller.cancel();
            signals.next().await;
            std::process::exit(i32::from(Code::Interrupted.number()));
        }
    });
    cancel
}

/// The requests to end: Ctrl-C, and SIGTERM where there is one.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on no request ends the program by itself. `None` where they cannot be caught.
    #[cfg(unix)]
    pub(super) fn listen() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let interrupt = signal(SignalKind::interrupt()).ok()?;
        Some(Self { interrupt, terminate: signal(SignalKind::terminate()).ok()? })
    }

    /// From now on no request ends the program by itself.
    #[cfg(not(unix))]
    pub(super) fn listen() -> Option<Self> {
        Some(Self {})
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
