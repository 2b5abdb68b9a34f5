//! The lines that signers want for a key, as of OpenDKIM 2.11, amavisd 2.13, rspamd 3.4 and Postfix 3.7.

use std::fmt::Write as _;
use std::path::Path;

use mailzone_report::escape;
use serde::Serialize;

/// What goes into the files of each signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Signers {
    opendkim: OpenDkim,
    /// A line of amavisd.conf; null where amavisd cannot read the key.
    amavisd: Option<String>,
    /// For `local.d/dkim_signing.conf`.
    rspamd: String,
    /// For `main.cf`, where the signer is a milter.
    postfix: &'static str,
    /// What has to be known of single signers.
    notes: Vec<String>,
}

/// OpenDKIM's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OpenDkim {
    key_table: String,
    /// Read with `refile:`.
    signing_table: String,
    /// Lines of opendkim.conf.
    conf: &'static str,
}

const OPENDKIM_CONF: &str = "KeyTable      /etc/opendkim/key.table\n\
                             SigningTable  refile:/etc/opendkim/signing.table\n\
                             Socket        inet:8891@localhost";

const POSTFIX: &str = "smtpd_milters = inet:localhost:8891\n\
                       non_smtpd_milters = $smtpd_milters\n\
                       milter_default_action = tempfail";

impl Signers {
    /// For the key of this domain and selector in this file, whose path is absolute.
    pub(super) fn new(domain: &str, selector: &str, key: &Path, ed25519: bool) -> Self {
        let path = key.to_string_lossy();
        let name = format!("{selector}._domainkey.{domain}");
        let mut notes = Vec::new();
        if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@".contains(&b)) {
            notes.push("the path has characters that the signers' files cannot hold: move the key before".to_owned());
        }
        notes
            .push("the signer must be able to read the key: `chown` it to its user (opendkim, amavis, _rspamd)".into());
        if ed25519 {
            notes.push(
                "OpenDKIM: `SignatureAlgorithm ed25519-sha256` in a second instance; one signs with one algorithm"
                    .into(),
            );
            notes.push("amavisd: reads RSA keys only".into());
            notes.push(format!(
                "rspamd 3.4: reads the bare seed, not PEM: `openssl pkey -in {path} -outform DER | tail -c 32 | base64`"
            ));
        }
        Self {
            opendkim: OpenDkim {
                key_table: format!("{name} {domain}:{selector}:{path}"),
                signing_table: format!("*@{domain} {name}"),
                conf: OPENDKIM_CONF,
            },
            amavisd: (!ed25519).then(|| format!("dkim_key('{domain}', '{selector}', '{path}');")),
            rspamd: format!(
                "domain {{\n  {domain} {{\n    path = \"{path}\";\n    selector = \"{selector}\";\n  }}\n}}"
            ),
            postfix: POSTFIX,
            notes,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut section = |title: &str, lines: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n{title}");
            for line in lines.lines() {
                let _ = writeln!(text, "  {}", escape::line(line));
            }
        };
        section("OpenDKIM: KeyTable", &self.opendkim.key_table);
        section("OpenDKIM: SigningTable", &self.opendkim.signing_table);
        section("OpenDKIM: opendkim.conf", self.opendkim.conf);
        if let Some(amavisd) = &self.amavisd {
            section("amavisd: amavisd.conf", amavisd);
        }
        section("rspamd: local.d/dkim_signing.conf", &self.rspamd);
        section("Postfix: main.cf, for a milter such as OpenDKIM", self.postfix);
        section("To know", &self.notes.join("\n"));
        text
    }
}
