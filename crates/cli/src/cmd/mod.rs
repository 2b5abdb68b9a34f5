//! One module for each command.

mod apply;
mod check;
mod confirm;
pub(crate) mod dkim;
mod history;
mod import;
mod info;
mod latency;
mod lint;
mod plan;
mod providers;
mod rollback;
mod senders;
mod serve;
mod shared;
mod simulate;
mod try_it;
mod verify;

use std::process::ExitCode;

use crate::args::{Cli, Command, Global, LogFormat};
use crate::ui::Ui;

/// Runs a command to its exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let ui = Ui::new(&cli.global);
    start_log(&cli.global);
    let global = &cli.global;
    let code = match cli.command {
        Command::Try(args) => try_it::run(global, &args, &ui),
        Command::Plan(args) => plan::run(global, &args, &ui),
        Command::Apply(args) => apply::run(global, &args, &ui),
        Command::Verify(args) => verify::run(global, &args, &ui),
        Command::Latency(args) => latency::run(global, &args, &ui),
        Command::Check(args) => check::run(global, &args, &ui),
        Command::Simulate(args) => simulate::run(global, &args, &ui),
        Command::Lint(args) => lint::run(global, &args, &ui),
        Command::Serve(args) => serve::run(global, &args, &ui),
        Command::Providers(args) => providers::run(global, &args, &ui),
        Command::Import(args) => import::run(global, &args, &ui),
        Command::Senders(args) => senders::run(global, &args, &ui),
        Command::Dkim(args) => dkim::run(global, &args, &ui),
        Command::History => history::run(global, &ui),
        Command::Rollback(args) => rollback::run(global, &args, &ui),
        Command::Schema => info::schema(&ui),
        Command::Completions { shell } => info::completions(shell, &ui),
        Command::Man { out } => info::man(out.as_deref(), &ui),
        Command::Version => info::version(global.format, &ui),
    };
    ui.finish_progress();
    ExitCode::from(code.unwrap_or_else(|code| code).number())
}

/// The log goes to standard error; `-vv` shows each question and request. Of the libraries' own logs only warnings
/// are shown: they know nothing of secrets.
fn start_log(global: &Global) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        (_, 2) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("mailzone", level).with_default(level.min(LevelFilter::WARN));
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false);
    // Fails only if a log is set already, which nobody does before.
    let _ = match global.log_format {
        LogFormat::Text => log.finish().with(ours).try_init(),
        LogFormat::Json => log.json().finish().with(ours).try_init(),
    };
}
