use std::path::PathBuf;

use mailzone_config::{SourceFile, parse};

use super::text;

pub(super) const WORDS: &[&str] = &[
    "[providers.p]\n",
    "type = \"zonefile\"\n",
    "type = \"rfc2136\"\n",
    "type = \"cloudflare\"\n",
    "directory = \"zones\"\n",
    "[domains.\"example.com\"]\n",
    "[domains.\"b\u{fc}cher.example\"]\n",
    "[domains.\"example.com\".",
    "provider = \"p\"\n",
    "[profiles.x]\n",
    "profiles = [\"x\"]\n",
    "spf = ",
    "[\"ip4:192.0.2.0/24\", \"-all\"]\n",
    "\"v=spf1 -all\"\n",
    "dmarc = { p = \"reject\" }\n",
    "mx = [\"10 mail\"]\n",
    "dkim.s = { ",
    "p = \"",
    "mta_sts = ",
    "tls_rpt = ",
    "caa = ",
    "tlsa = ",
    "records = [",
    "hosts = ",
    "ptr",
    "token = { env = \"T\" }\n",
    "token = { file = \"t\" }\n",
    "{",
    "}",
    "[",
    "]",
    "=",
    "\"",
    "'",
    "'''",
    "\"\"\"",
    "true",
    "false",
    "-1",
    "1979-05-27",
    "1e400",
    "nan",
    "0x10",
    "#",
    "\\u0000",
    "\\U0010ffff",
    "\n[",
    "[[domains]]\n",
    ".",
    "a.b.c.d = 1\n",
];

pub(super) fn config(input: &[u8]) {
    let text = text(input);
    let file = SourceFile::new("mailzone.toml", text.as_ref());
    // No file is there but this one.
    match parse(&[file], PathBuf::from("."), &mut |path| Err(format!("cannot read {}", path.display()))) {
        Ok(settings) => {
            for warning in &settings.warnings {
                shown(warning, &text);
            }
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty());
            for diagnostic in &diagnostics {
                shown(diagnostic, &text);
            }
        }
    }
}

/// Each message can be shown, and its place is one.
fn shown(diagnostic: &mailzone_config::Diagnostic, text: &str) {
    let shown = diagnostic.to_string();
    assert!(!shown.is_empty());
    let related = diagnostic.related.iter().map(|related| &related.place);
    for place in diagnostic.place.iter().chain(related) {
        if place.file() == std::path::Path::new("mailzone.toml") {
            assert!(text.get(place.start as usize..place.end as usize).is_some(), "{place:?}");
            assert!(place.line() >= 1 && place.column() >= 1, "{place:?}");
        }
    }
}
