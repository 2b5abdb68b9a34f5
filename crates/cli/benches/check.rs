//! `mailzone check` of 100 domains on loopback: `cargo bench -p mailzone --bench check`.
//!
//! A root, the domains' server and a resolver run in this process; answers come at once, then each 30 ms late. Nothing
//! listens at the mail servers' port. Figures and what they mean: `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

#[allow(dead_code, reason = "exit codes of the other benches")]
mod measure;

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use mailzone_record::zonefile::ZoneFile;
use mailzone_record::{Name, Ttl};
use mailzone_server::{Server, Switches, Zone};
use measure::{Outcome, bench, load};
use tokio::runtime::Runtime;

const DOMAINS: usize = 100;

/// An error is found in each: their mail servers are at addresses that are not routed.
const FOUND: i32 = 4;

const DELAY: Duration = Duration::from_millis(30);

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs this too, without the argument: nothing to do then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let servers = world(&runtime, directory.path())?;
    println!("load before: {}", load());
    println!("\n{:44}{:>10}{:>10}{:>10}{:>10}", "", "median", "min", "max", "peak");
    let all = ["check", "--domains-file", "domains.txt", "--format", "json"];
    let quietly = [&all[..], &["--no-smtp", "--no-blocklists"]].concat();
    for (heading, delay) in [("at once", Duration::ZERO), ("30 ms late", DELAY)] {
        for server in &servers {
            server.handle().set_switches(Switches { delay, ..Switches::default() });
        }
        asked(&servers);
        bench(&format!("100 domains, answers {heading}"), 7, directory.path(), &all, FOUND, || Ok(()))?;
        println!("    questions that the servers saw: {}", asked(&servers) / 7);
        bench(&format!("no SMTP, no block lists, {heading}"), 7, directory.path(), &quietly, FOUND, || Ok(()))?;
    }
    println!("\nload after: {}", load());
    Ok(())
}

/// How many questions there were since this was called last; the log holds 65,536.
fn asked(servers: &[Server]) -> usize {
    servers
        .iter()
        .map(|server| {
            let asked = server.handle().log().len();
            server.handle().clear_log();
            asked
        })
        .sum()
}

/// A root at 127.0.0.1, the domains at 127.0.0.2, and at 127.0.0.3 all of them for a resolver; the configuration.
fn world(runtime: &Runtime, directory: &Path) -> Outcome<Vec<Server>> {
    let mut root = "$ORIGIN .\n$TTL 3600\n. SOA a.root. h.root. 1 7200 3600 1209600 300\n. NS a.root.\n\
                    a.root. A 127.0.0.1\n"
        .to_owned();
    let mut zones = vec![zone("0.0.127.in-addr.arpa", "@ NS ns1\nns1 A 127.0.0.2\n* PTR mx.d000.test.\n")?];
    writeln!(root, "0.0.127.in-addr.arpa. NS ns1.0.0.127.in-addr.arpa.\nns1.0.0.127.in-addr.arpa. A 127.0.0.2")?;
    let mut names = String::new();
    for number in 0..DOMAINS {
        let name = format!("d{number:03}.test");
        writeln!(root, "{name}. NS ns1.{name}.\nns1.{name}. A 127.0.0.2")?;
        writeln!(names, "{name}")?;
        zones.push(zone(&name, &records(&name))?);
    }
    let root = zone(".", &root)?;
    let all = || zones.iter().cloned().chain([root.clone()]).collect::<Vec<_>>();
    let first = runtime.block_on(Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), vec![root.clone()]))?;
    let port = first.local_addr().port();
    let second = runtime.block_on(Server::start(SocketAddr::from(([127, 0, 0, 2], port)), zones.clone()))?;
    let third = runtime.block_on(Server::start(SocketAddr::from(([127, 0, 0, 3], port)), all()))?;
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config = format!(
        "[dns]\nresolvers = [\"127.0.0.3:{port}\"]\nroots = [\"127.0.0.1:{port}\"]\nport = {port}\n\
         [look]\nsmtp_port = {closed}\nhttps_port = {closed}\n"
    );
    fs::write(directory.join("mailzone.toml"), config)?;
    fs::write(directory.join("domains.txt"), names)?;
    Ok(vec![first, second, third])
}

/// A mail domain with everything, its includes among it.
fn records(name: &str) -> String {
    format!(
        "@ NS ns1\nns1 A 127.0.0.2\n@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.11\nmx2 A 127.0.0.12\n\
         @ TXT \"v=spf1 mx include:_spf.{name} include:_spf2.{name} -all\"\n_spf TXT \"v=spf1 ip4:198.51.100.0/24 a:mx1.{name} -all\"\n\
         _spf2 TXT \"v=spf1 include:_spf.{name} ~all\"\n\
         s1._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n\
         _dmarc TXT \"v=DMARC1; p=reject; rua=mailto:d@{name}\"\n\
         _mta-sts TXT \"v=STSv1; id=1\"\nmta-sts A 127.0.0.1\n_smtp._tls TXT \"v=TLSRPTv1; rua=mailto:t@{name}\"\n\
         @ CAA 0 issue \"letsencrypt.org\"\n_imaps._tcp SRV 0 1 993 mx1\n"
    )
}

fn zone(origin: &str, records: &str) -> Outcome<Zone> {
    let name = Name::parse(origin)?;
    let text = match origin {
        "." => records.to_owned(),
        _ => format!("$ORIGIN {origin}.\n$TTL 3600\n@ SOA ns1 hostmaster 17 7200 3600 1209600 300\n{records}"),
    };
    let file = ZoneFile::parse(text.as_bytes(), &name).map_err(|error| format!("{origin}: {error}"))?;
    Ok(Zone::new(name, file.rrsets(), Ttl::from_wire(3600))?)
}
