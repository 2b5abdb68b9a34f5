//! `mailzone dkim`: keys and their records.

mod ask;
mod generate;
mod import;
mod input;
mod key_view;
mod show;
mod signers;
mod test;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use mailzone_engine::Code;

use crate::args::Global;
use crate::ui::Ui;

/// `dkim`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DkimArgs {
    #[command(subcommand)]
    what: What,
}

/// What to do with keys.
#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Make a key: its files, its record, and the lines for the signer
    Generate(GenerateArgs),
    /// Show what is in key files: type, size, fingerprint, record
    Show(ShowArgs),
    /// Print the configuration for keys as signers print them
    Import(ImportArgs),
    /// Does the published key match the private one, on every authoritative server? Needs no credentials
    Test(TestArgs),
}

/// `dkim generate`.
#[derive(Debug, Clone, Args)]
struct GenerateArgs {
    /// The domain that signs; without it only the record is printed
    domain: Option<String>,
    /// The selector: one that was never used
    #[arg(long, short, value_name = "NAME")]
    selector: String,
    /// The type of the key
    #[arg(long, value_enum, default_value_t = KeyKind::Rsa)]
    r#type: KeyKind,
    /// The size of an RSA key: 2048, 3072 or 4096 [default: 2048]
    #[arg(long, value_name = "N")]
    bits: Option<u32>,
    /// A directory, which gets DOMAIN.SELECTOR.key and .pub, or the file of the private key
    #[arg(long, value_name = "DIR|FILE")]
    out: PathBuf,
}

/// The type of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyKind {
    /// What every receiver verifies
    Rsa,
    /// For use beside an RSA key: not every receiver verifies it
    Ed25519,
}

/// `dkim show`.
#[derive(Debug, Clone, Args)]
struct ShowArgs {
    /// Private keys, public keys or records; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// `dkim import`.
#[derive(Debug, Clone, Args)]
struct ImportArgs {
    /// What the signer printed; `-` or none is standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Whose keys they are, where the text does not say
    #[arg(long)]
    domain: Option<String>,
    /// The selector, where the text does not say
    #[arg(long, short, value_name = "NAME")]
    selector: Option<String>,
}

/// `dkim test`.
#[derive(Debug, Clone, Args)]
struct TestArgs {
    /// Domains: configured ones, all without; with --selector one, configured or not
    #[arg(value_name = "DOMAIN")]
    domains: Vec<String>,
    /// This selector only
    #[arg(long, short, value_name = "NAME")]
    selector: Option<String>,
    /// The signer's private key; it is read here and goes nowhere
    #[arg(long, value_name = "FILE", requires = "selector")]
    private_key: Option<PathBuf>,
    /// Ask this authoritative server instead of the delegation; may be repeated
    #[arg(long, value_name = "ADDR", value_parser = crate::args::address)]
    nameserver: Vec<SocketAddr>,
}

/// Makes, shows, imports or tests keys.
pub(super) fn run(global: &Global, args: &DkimArgs, ui: &Ui) -> Result<Code, Code> {
    match &args.what {
        What::Generate(args) => generate::run(global, args, ui),
        What::Show(args) => show::run(global, args, ui),
        What::Import(args) => import::run(global, args, ui),
        What::Test(args) => test::run(global, args, ui),
    }
}

/// Says an error, and is its code.
fn fail(ui: &Ui, message: &str, remedy: &str) -> Code {
    ui.error(message, Some(remedy));
    Code::Error
}
