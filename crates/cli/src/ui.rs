//! The one door to the terminal: data to standard output, talk to standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mailzone_report::escape;
use tokio::sync::oneshot;

use crate::args::{Color, Global};

/// So long nothing is said of what goes on where there is no terminal.
const SILENCE: Duration = Duration::from_secs(30);

/// What the terminal is like and how much to say.
#[derive(Debug)]
pub(crate) struct Ui {
    stdout_color: bool,
    stderr_color: bool,
    quiet: bool,
    verbose: u8,
    width: usize,
    progress: Progress,
}

/// What goes on: the line at the bottom of a terminal; elsewhere, as in the log of a CI job, a line now and then
/// while a run takes long. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// Whether there is a terminal; nothing is said with `None`.
    terminal: Option<bool>,
    /// When the last line was written where there is none.
    said: Arc<Mutex<Instant>>,
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Ui {
    /// As the command line and the environment say.
    pub(crate) fn new(global: &Global) -> Self {
        let color = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !refused && (terminal || forced)
            }
        };
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let measured = terminal_width();
        Self {
            stdout_color: color(io::stdout().is_terminal()),
            stderr_color: color(io::stderr().is_terminal()),
            quiet: global.quiet,
            verbose: global.verbose,
            width: width.or(measured).unwrap_or(100).clamp(60, 200),
            progress: Progress {
                terminal: (!global.quiet).then(|| io::stderr().is_terminal()),
                said: Arc::new(Mutex::new(Instant::now())),
                bar: Arc::default(),
            },
        }
    }

    /// Whether results are coloured.
    pub(crate) fn color(&self) -> bool {
        self.stdout_color
    }

    /// How often `-v` was given.
    pub(crate) fn verbose(&self) -> u8 {
        self.verbose
    }

    /// The width of the terminal in columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Writes a result. Gives `false` when nobody reads any more.
    pub(crate) fn data(&self, text: &str) -> bool {
        self.finish_progress();
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }

    /// A sentence about what goes on.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            self.line(&escape::line(text));
        }
    }

    /// A block of text that is escaped already.
    pub(crate) fn talk(&self, text: &str) {
        if !self.quiet {
            self.line(text.trim_end_matches('\n'));
        }
    }

    /// Something that does not stop the run and should be known.
    pub(crate) fn warn(&self, text: &str) {
        let label = if self.stderr_color { "\u{1b}[33mwarning\u{1b}[0m" } else { "warning" };
        self.line(&format!("{label}: {}", escape::line(text)));
    }

    /// Why the run ends, and what to do about it.
    pub(crate) fn error(&self, text: &str, remedy: Option<&str>) {
        let label = if self.stderr_color { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        self.line(&format!("{label}: {}", escape::line(text)));
        if let Some(remedy) = remedy.filter(|remedy| !remedy.is_empty()) {
            self.line(&format!("  help: {}", escape::line(remedy)));
        }
    }

    /// A block that explains an error, escaped already.
    pub(crate) fn error_block(&self, text: &str) {
        self.line(text.trim_end_matches('\n'));
    }

    /// Says what goes on, on a terminal.
    pub(crate) fn progress(&self, message: &str) {
        self.progress.show(message);
    }

    /// The progress line, for what runs beside.
    pub(crate) fn progress_line(&self) -> Progress {
        self.progress.clone()
    }

    /// Removes the progress line.
    pub(crate) fn finish_progress(&self) {
        self.progress.finish();
    }

    /// Asks a question: the line that is typed, to wait for. `None` where nobody can be asked.
    pub(crate) fn ask(&self, question: &str) -> Option<oneshot::Receiver<String>> {
        if !io::stdin().is_terminal() {
            return None;
        }
        self.finish_progress();
        let mut err = io::stderr().lock();
        let _ = write!(err, "{} [yes/no] ", escape::line(question));
        let _ = err.flush();
        drop(err);
        let (sender, answer) = oneshot::channel();
        // A thread of its own: one that still waits for a line holds up no end of the program.
        std::thread::spawn(move || {
            let mut line = String::new();
            // What cannot be read is no answer; nobody may wait for it any more.
            let _ = io::stdin().read_line(&mut line);
            let _ = sender.send(line);
        });
        Some(answer)
    }

    fn line(&self, text: &str) {
        self.finish_progress();
        // A closed standard error is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

impl Progress {
    /// Shows `message` in the place of the one before.
    pub(crate) fn show(&self, message: &str) {
        match self.terminal {
            None => return,
            Some(false) => return self.say_now_and_then(message),
            Some(true) => {}
        }
        let Ok(mut slot) = self.bar.lock() else { return };
        let bar = slot.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(escape::line(message).into_owned());
    }

    fn say_now_and_then(&self, message: &str) {
        let Ok(mut said) = self.said.lock() else { return };
        if said.elapsed() >= SILENCE {
            *said = Instant::now();
            // A closed standard error is no reason to stop.
            let _ = writeln!(io::stderr().lock(), "{}", escape::line(message));
        }
    }

    fn finish(&self) {
        if let Ok(mut slot) = self.bar.lock()
            && let Some(bar) = slot.take()
        {
            bar.finish_and_clear();
        }
    }
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(terminal_size::Width(columns), _)| usize::from(columns))
}
