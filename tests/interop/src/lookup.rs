use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use mailzone_record::{Name, RecordType, parse_rdata_text};
use mailzone_wire::{Message, Record, Transport};

/// A program that asks a name server and prints the answer.
#[derive(Debug, Clone)]
pub struct Tool {
    /// `dig`, `kdig` or `drill`.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// An answer with what all of us tell about it, in an order that does not depend on the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The response code's mnemonic.
    pub rcode: String,
    /// AA.
    pub authoritative: bool,
    /// TC.
    pub truncated: bool,
    /// The answer section: `owner TTL type data`, sorted, the owner in lower case: some repeat the
    /// question's case and some the zone's.
    pub answers: Vec<String>,
    /// The authority section.
    pub authority: Vec<String>,
    /// The additional section without OPT.
    pub additional: Vec<String>,
}

impl Tool {
    /// Asks without recursion, once, and without going over to TCP.
    pub fn ask(&self, server: SocketAddr, owner: &Name, rtype: RecordType, transport: Transport) -> Seen {
        let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
        let (owner, rtype) = (owner.to_string(), rtype.to_string());
        let mut command = Command::new(&self.path);
        let tcp = transport == Transport::Tcp;
        if self.name == "drill" {
            command.args(["-p", &port, "-o", "rd", if tcp { "-t" } else { "-u" }, &owner, &at, &rtype]);
        } else {
            command.args([&*at, "-p", &port, &owner, &rtype, "+norecurse", "+ignore", "+time=20"]);
            command.arg(if tcp { "+tcp" } else { "+notcp" });
        }
        // The user's own settings (~/.digrc) have no say here.
        let output = command.env("HOME", "/nonexistent").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{} {owner} {rtype}: {text}", self.name);
        Seen::parse(&text)
    }
}

impl Seen {
    /// What our client has received.
    pub fn of(message: &Message) -> Self {
        Self {
            rcode: message.rcode.to_string(),
            authoritative: message.authoritative,
            truncated: message.truncated,
            answers: lines(&message.answers),
            authority: lines(&message.authority),
            additional: lines(&message.additional),
        }
    }

    /// Reads what dig, kdig and drill print: they differ in a few words of the header.
    fn parse(text: &str) -> Self {
        let mut seen = Self::default();
        let mut section = None;
        for line in text.lines() {
            let lower = line.to_ascii_lowercase();
            if let Some((_, rest)) = lower.split_once("status: ").or_else(|| lower.split_once("rcode: ")) {
                seen.rcode = rest.split([',', ';']).next().unwrap_or_default().to_ascii_uppercase();
            } else if let Some(flags) = lower.strip_prefix(";; flags:") {
                let flags: Vec<_> = flags.split(';').next().unwrap_or_default().split_whitespace().collect();
                seen.authoritative = flags.contains(&"aa");
                seen.truncated = flags.contains(&"tc");
            } else if line.starts_with(";;") {
                section = ["answer section", "authority section", "additional section"]
                    .iter()
                    .position(|title| lower.contains(title));
            } else if let Some(section) = section
                && !line.trim().is_empty()
                && !line.starts_with(';')
            {
                [&mut seen.answers, &mut seen.authority, &mut seen.additional][section].push(record(line));
            }
        }
        assert!(!seen.rcode.is_empty(), "no header in {text:?}");
        for section in [&mut seen.answers, &mut seen.authority, &mut seen.additional] {
            section.sort();
        }
        seen
    }
}

fn lines(records: &[Record]) -> Vec<String> {
    let mut lines: Vec<_> =
        records.iter().map(|r| format!("{} {} {} {}", r.name.to_lowercase(), r.ttl, r.rtype(), r.rdata)).collect();
    lines.sort();
    lines
}

/// `owner TTL IN type data` in our own spelling.
fn record(line: &str) -> String {
    let mut rest = line;
    let mut word = || {
        let (word, tail) = rest.trim_start().split_once([' ', '\t']).unwrap();
        rest = tail;
        word
    };
    let (owner, ttl, class, rtype) = (word(), word(), word(), word());
    assert_eq!(class, "IN", "{line}");
    let rtype: RecordType = rtype.parse().unwrap();
    let rdata = parse_rdata_text(rtype, rest.trim(), None).unwrap();
    format!("{} {ttl} {rtype} {rdata}", Name::parse(owner).unwrap().to_lowercase())
}
