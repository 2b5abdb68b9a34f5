//! The command line (`design.md` section 7).

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Keeps the DNS records that make a domain's mail trusted in TOML, and reconciles them with the live zone.
#[derive(Debug, Parser)]
#[command(name = "mailzone", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// A configuration file, a directory of them, or `-`; may be repeated [default: mailzone.toml]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Vec<PathBuf>,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Say more; twice for the log of every question
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// How the log on standard error is written
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Where the journal and the locks are [default: .mailzone beside the first configuration file]
    #[arg(long, global = true, value_name = "DIR", env = "MAILZONE_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For scripts
    Json,
    /// For comments and job summaries
    Markdown,
    /// For spreadsheets
    Csv,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE forces it
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A worked example on this machine: writes a small project, then plan, apply, verify, latency on it
    Try(TryArgs),
    /// Show the difference between the configuration and the live zones
    Plan(PlanArgs),
    /// Show the plan, ask, apply it in a safe order, verify it
    Apply(ApplyArgs),
    /// Is the desired state visible everywhere? Needs no credentials
    Verify(AskArgs),
    /// Measure the authoritative servers and resolvers of domains. Needs no credentials
    Latency(LatencyArgs),
    /// Audit domains as a receiver sees them: scores and findings. Needs no configuration
    Check(CheckArgs),
    /// Would this mail pass, now and as the configuration wants it? Needs no credentials
    Simulate(SimulateArgs),
    /// Check configuration and records offline. Needs no credentials
    Lint(LintArgs),
    /// Serve zone files as an authoritative server
    Serve(ServeArgs),
    /// Show each configured provider: credentials, rights, zones, limits
    Providers(ProvidersArgs),
    /// Print the configuration for what is live
    Import(ImportArgs),
    /// Show the services that send mail for domains, and what each asks for
    Senders(SendersArgs),
    /// DKIM keys and their records: generate, show, import, test
    Dkim(crate::cmd::dkim::DkimArgs),
    /// List what was applied
    History,
    /// Show what would take a run of apply back, ask, and go the way of apply
    Rollback(RollbackArgs),
    /// Print the JSON Schema of the configuration
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// The directory to write them to; without it the main page goes to standard output
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print version and features
    Version,
}

/// `try`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TryArgs {
    /// Where the project is written: a new or empty directory, or one that `try` made
    #[arg(default_value = "mailzone-try")]
    pub(crate) dir: PathBuf,
}

/// `plan`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    /// Configured domains; all without
    pub(crate) domains: Vec<String>,
    /// Save the plan to this file
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: Option<PathBuf>,
    /// End with 2 when there are differences
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Show what an earlier configuration managed and this one no longer does: a git revision, or a file
    #[arg(long, value_name = "REV|FILE")]
    pub(crate) base: Option<String>,
    #[command(flatten)]
    pub(crate) planning: Planning,
}

/// What `plan` and `apply` share.
#[derive(Debug, Clone, Args)]
pub(crate) struct Planning {
    /// Let a guard pass, everywhere or at one name; may be repeated
    #[arg(long, value_name = "CODE[:NAME]")]
    pub(crate) allow: Vec<String>,
    /// Rewrite equal and equivalent values too
    #[arg(long)]
    pub(crate) normalize: bool,
    /// Look up nothing outside the zones: what was not looked up is said to be unchecked
    #[arg(long)]
    pub(crate) no_look: bool,
    /// Show every zone and every value in full
    #[arg(long)]
    pub(crate) full: bool,
}

/// `apply`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApplyArgs {
    /// A saved plan (a path separator, or .json), or configured domains; all without
    #[arg(value_name = "PLANFILE|DOMAIN")]
    pub(crate) targets: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// What to wait for after the last write
    #[arg(long, value_enum, default_value_t = WaitFor::Authoritative)]
    pub(crate) wait: WaitFor,
    #[command(flatten)]
    pub(crate) planning: Planning,
}

/// `rollback`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RollbackArgs {
    /// The run, as `history` lists it [default: the latest that changed anything]
    pub(crate) id: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// What to wait for after the last write
    #[arg(long, value_enum, default_value_t = WaitFor::Authoritative)]
    pub(crate) wait: WaitFor,
    /// Let a guard pass, everywhere or at one name; may be repeated
    #[arg(long, value_name = "CODE[:NAME]")]
    pub(crate) allow: Vec<String>,
    /// Show every zone and every value in full
    #[arg(long)]
    pub(crate) full: bool,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitFor {
    /// Every authoritative server
    Authoritative,
    /// And every resolver
    Resolvers,
    /// Nothing: what would need a wait is held
    None,
}

/// Whom to ask instead.
#[derive(Debug, Clone, Args)]
pub(crate) struct Servers {
    /// Ask this resolver instead of the configured ones; may be repeated
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) resolver: Vec<SocketAddr>,
    /// Ask this authoritative server instead of the delegation; may be repeated
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) nameserver: Vec<SocketAddr>,
}

/// `verify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskArgs {
    /// Configured domains; all without
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) servers: Servers,
    /// What to wait for
    #[arg(long, value_enum, default_value_t = WaitFor::None)]
    pub(crate) wait: WaitFor,
}

/// `latency`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LatencyArgs {
    /// Domains, configured or not
    #[arg(required = true)]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) servers: Servers,
    /// Exchanges per server, address and transport [default: the configuration's, else 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) samples: Option<u32>,
}

/// `check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Domains, configured or not
    #[arg(required_unless_present = "domains_file")]
    pub(crate) domains: Vec<String>,
    /// Domains of this file too, one a line, # comments; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) domains_file: Option<PathBuf>,
    /// A DKIM selector that must have a key; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) selector: Vec<String>,
    /// Take selectors from the signatures of this message
    #[arg(long, value_name = "FILE.eml")]
    pub(crate) eml: Option<PathBuf>,
    /// The domains shall have no mail at all
    #[arg(long)]
    pub(crate) parked: bool,
    /// The domains send in bulk: what large receivers ask of such senders are errors
    #[arg(long, conflicts_with = "parked")]
    pub(crate) bulk: bool,
    /// Connect to no mail server
    #[arg(long)]
    pub(crate) no_smtp: bool,
    /// Ask no block list
    #[arg(long)]
    pub(crate) no_blocklists: bool,
    /// Show record data in full
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) servers: Servers,
}

/// `simulate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimulateArgs {
    /// The address of the client; without it the configured senders are simulated
    #[arg(long, value_name = "ADDR")]
    pub(crate) ip: Option<std::net::IpAddr>,
    /// What the client says in HELO
    #[arg(long, value_name = "NAME", requires = "ip")]
    pub(crate) helo: Option<String>,
    /// The envelope sender; empty for a bounce
    #[arg(long, value_name = "ADDRESS", requires = "ip")]
    pub(crate) mail_from: Option<String>,
    /// The address in From, or its domain [default: that of the message, else of the envelope sender]
    #[arg(long, value_name = "ADDRESS", requires = "ip")]
    pub(crate) header_from: Option<String>,
    /// The message, whose signatures are verified; `-` for standard input
    #[arg(long, value_name = "FILE.eml", requires = "ip")]
    pub(crate) eml: Option<PathBuf>,
    /// A file with a list of senders: tables [sender.NAME]
    #[arg(long, value_name = "FILE.toml", conflicts_with = "ip")]
    pub(crate) senders: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) servers: Servers,
}

/// `lint`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LintArgs {
    /// Show each effective key of a domain with file and line, or what a finding code means
    #[arg(long, value_name = "DOMAIN|CODE")]
    pub(crate) explain: Option<String>,
}

/// `serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// Serve the zone files of this directory instead of the configured ones
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Where to answer, UDP and TCP; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5353")]
    pub(crate) listen: SocketAddr,
    /// Answer on an address that is not loopback
    #[arg(long)]
    pub(crate) public: bool,
}

/// `providers`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProvidersArgs {
    /// Only these providers; all without
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Show every zone
    #[arg(long)]
    pub(crate) full: bool,
}

/// `import`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportArgs {
    /// Domains, at or below the name of a zone; with --from the zone that the file is of
    #[arg(value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    /// The configured provider that holds them [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Every zone of the provider
    #[arg(long, conflicts_with_all = ["domains", "from"])]
    pub(crate) all: bool,
    /// A zone file instead of a provider
    #[arg(long, value_name = "FILE.zone")]
    pub(crate) from: Option<PathBuf>,
    /// The provider's identifier of the zone, where it holds several of the name or does not list them
    #[arg(long, value_name = "ID", requires = "domains", conflicts_with_all = ["all", "from"])]
    pub(crate) zone_id: Option<String>,
}

/// `senders`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SendersArgs {
    /// One of them, with the lines to paste and the records that come of it; all without
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Reads the command line. On an error, or when help was asked for, gives the exit code.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        if let Some(what) = of_a_later_version(&error) {
            // A closed standard error is no reason to stop.
            let _ = writeln!(std::io::stderr(), "error: {what}: not in this version of mailzone");
            return ExitCode::from(1);
        }
        let code = if error.use_stderr() { 1 } else { 0 };
        // A closed output ends quietly.
        let _ = error.print();
        let _ = std::io::stdout().flush();
        ExitCode::from(code)
    })
}

/// What is planned and not there yet (`design.md` section 7): a wrong word is told from a word that comes later.
const LATER_COMMANDS: [&str; 2] = ["drift", "zone"];
const LATER_FLAGS: [&str; 3] = ["--live", "--shard", "--merge"];
const LATER_FORMATS: [&str; 1] = ["html"];

fn of_a_later_version(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand)?;
            LATER_COMMANDS.contains(&name).then(|| format!("mailzone {name}"))
        }
        ErrorKind::UnknownArgument => {
            let flag = argument.split('=').next().unwrap_or_default();
            LATER_FLAGS.contains(&flag).then(|| flag.to_owned())
        }
        ErrorKind::InvalidValue if argument.starts_with("--format") => {
            let format = text(ContextKind::InvalidValue)?;
            LATER_FORMATS.contains(&format).then(|| format!("--format {format}"))
        }
        _ => None,
    }
}

/// The command as clap knows it, for completions, manual pages and the documentation.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// An address with a port, or without: then 53.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<std::net::IpAddr>() {
        Ok(ip) => Ok(SocketAddr::new(ip, 53)),
        Err(_) => Err("an address is wanted: 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn what_comes_later_is_named() {
        let told = |args: &[&str]| {
            let error = Cli::try_parse_from([&["mailzone"], args].concat()).unwrap_err();
            of_a_later_version(&error)
        };
        for (args, name) in [
            (&["plan", "--live", "dns"][..], "--live"),
            (&["plan", "--live=dns"], "--live"),
            (&["apply", "--shard", "1/2"], "--shard"),
            (&["plan", "--merge", "a.json", "b.json"], "--merge"),
            (&["plan", "--format", "html"], "--format html"),
            (&["drift"], "mailzone drift"),
        ] {
            assert_eq!(told(args).as_deref(), Some(name), "{args:?}");
        }
        for args in [&["plan", "--lve"][..], &["plan", "--format", "yaml"], &["plam"]] {
            assert_eq!(told(args), None, "{args:?}");
        }
        assert!(!command().render_long_help().to_string().contains("html"));
    }

    #[test]
    fn addresses() {
        assert_eq!(address("192.0.2.1").unwrap().to_string(), "192.0.2.1:53");
        assert_eq!(address("[2001:db8::1]").unwrap().to_string(), "[2001:db8::1]:53");
        assert_eq!(address("[2001:db8::1]:5").unwrap().to_string(), "[2001:db8::1]:5");
        assert!(address("ns1.example.com").is_err());
    }
}
