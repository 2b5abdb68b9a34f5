//! `mailzone dkim`: what it makes signers read, what signers print it reads, and what it says is published is.

mod signers;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mailzone_server::Switches;
use serde_json::Value;

use crate::daemons::tools;
use crate::harness::{DnsServer, Output, Project, SERVED, servers_on_one_port, zone_text};

/// The seed and the public key of RFC 8032 section 7.1, test 1.
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// The same key as PKCS#8.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/// Another key, RSA with 1024 bits, made for these tests.
const SMALL: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB";

/// The record of the key in [`PEM`].
fn record() -> String {
    format!("v=DKIM1; k=ed25519; p={PUBLIC}")
}

/// A project with the key of [`PEM`] as `s1.key`.
fn project() -> Project {
    let project = Project::empty();
    private_file(&project, "s1.key", PEM);
    project
}

/// A file that its owner alone can read.
fn private_file(project: &Project, name: &str, text: &str) {
    project.write(name, text);
    fs::set_permissions(project.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Nothing of a private key was printed.
#[track_caller]
fn discreet(project: &Project, key: &str, output: &Output) {
    let text = project.read(key);
    let body: Vec<&str> = text.lines().filter(|line| !line.starts_with("-----")).collect();
    for part in body.iter().filter(|line| line.len() > 16) {
        for printed in [&output.stdout, &output.stderr] {
            assert!(!printed.contains(&part[..16]), "{printed}");
        }
    }
}

/// Text with the keys and fingerprints, which differ from run to run, as placeholders.
fn without_keys(text: &str) -> String {
    let mut shown = String::new();
    for line in text.split_inclusive('\n') {
        let mut words: Vec<String> = Vec::new();
        for word in line.split(' ') {
            let word = match (word.split_once("SHA256:"), word.split_once("p=")) {
                (Some((before, _)), _) => {
                    format!("{before}SHA256:[HASH]{}", if word.ends_with('\n') { "\n" } else { "" })
                }
                (_, Some((before, _))) => format!("{before}p=[KEY]{}", if word.ends_with('\n') { "\n" } else { "" }),
                _ if word.len() > 120 => format!("[KEY]{}", if word.ends_with('\n') { "\n" } else { "" }),
                _ => word.to_owned(),
            };
            words.push(word);
        }
        shown.push_str(&words.join(" "));
    }
    shown
}

#[test]
fn generate_makes_the_files_and_says_where_everything_goes() {
    let project = Project::empty();
    fs::create_dir(project.path("keys")).unwrap();
    let output = project.run_to(0, ["dkim", "generate", "example.com", "--selector", "s2026", "--out", "keys"]);
    let mode = fs::metadata(project.path("keys/example.com.s2026.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    discreet(&project, "keys/example.com.s2026.key", &output);
    insta::assert_snapshot!(without_keys(&output.shown()), @r#"
    s2026._domainkey.example.com  RSA 2048 bits, SHA256:[HASH]
      private key  keys/example.com.s2026.key  (only you can read it)
      public key   keys/example.com.s2026.pub

    The record
      s2026._domainkey.example.com. TXT "v=DKIM1; k=rsa; p=[KEY] [KEY]

    mailzone.toml; the path is relative to it
      [domains."example.com".dkim.s2026]
      public_key_file = "keys/example.com.s2026.pub"

    OpenDKIM: KeyTable
      s2026._domainkey.example.com example.com:s2026:[DIR]/keys/example.com.s2026.key

    OpenDKIM: SigningTable
      *@example.com s2026._domainkey.example.com

    OpenDKIM: opendkim.conf
      KeyTable      /etc/opendkim/key.table
      SigningTable  refile:/etc/opendkim/signing.table
      Socket        inet:8891@localhost

    amavisd: amavisd.conf
      dkim_key('example.com', 's2026', '[DIR]/keys/example.com.s2026.key');

    rspamd: local.d/dkim_signing.conf
      domain {
        example.com {
          path = "[DIR]/keys/example.com.s2026.key";
          selector = "s2026";
        }
      }

    Postfix: main.cf, for a milter such as OpenDKIM
      smtpd_milters = inet:localhost:8891
      non_smtpd_milters = $smtpd_milters
      milter_default_action = tempfail

    To know
      the signer must be able to read the key: `chown` it to its user (opendkim, amavis, _rspamd)

    First publish the record, and let the signer use the key only when this says that it is safe:
      mailzone dkim test example.com --selector s2026 --private-key keys/example.com.s2026.key
    "#);
    assert_eq!(output.stderr, "");
}

#[test]
fn generate_ed25519_as_json() {
    let project = Project::empty();
    let args =
        ["dkim", "generate", "example.com", "-s", "e1", "--type", "ed25519", "--out", "e1.key", "--format", "json"];
    let output = project.run_to(0, args);
    discreet(&project, "e1.key", &output);
    let made = output.json();
    assert_eq!((&made["type"], &made["bits"]), (&Value::from("ed25519"), &Value::from(256)));
    assert_eq!((&made["private_key_file"], &made["public_key_file"]), (&Value::from("e1.key"), &Value::from("e1.pub")));
    assert!(made["signers"]["amavisd"].is_null() && made["exit"]["code"] == 0, "{made:#}");
    // What it prints for the configuration is taken there.
    let toml = format!("{SERVED}\n[domains.\"example.com\"]\n{}\n", made["toml"].as_str().unwrap());
    project.write("mailzone.toml", toml);
    project.write("zones/.keep", "");
    project.run_to(0, ["lint"]);
    let text = project.run_to(0, ["dkim", "generate", "-s", "e2", "--type", "ed25519", "--out", "./"]).stdout;
    assert!(text.contains("e2._domainkey TXT \"v=DKIM1; k=ed25519; p="), "{text}");
    assert!(project.exists("e2.key") && !text.contains("OpenDKIM"), "{text}");
}

#[test]
fn generate_refuses() {
    let project = project();
    let mut told = String::new();
    for args in [
        &["example.com", "-s", "s1", "--out", "s1.key"][..],
        &["example.com", "-s", "s1", "--out", "missing/s1.key"],
        &["example.com", "-s", "s1._domainkey", "--out", "x.key"],
        &["ex ample", "-s", "s1", "--out", "x.key"],
        &["example.com", "-s", "s1", "--out", "x.key", "--bits", "1024"],
        &["example.com", "-s", "s1", "--out", "x.key", "--bits", "8192"],
        &["example.com", "-s", "s1", "--out", "x.key", "--bits", "2500"],
        &["example.com", "-s", "s1", "--out", "x.key", "--type", "ed25519", "--bits", "2048"],
    ] {
        let output = project.run_to(1, [&["dkim", "generate"], args].concat());
        assert_eq!(output.stdout, "");
        told.push_str(&output.said());
    }
    assert_eq!(project.read("s1.key"), PEM);
    assert!(!project.exists("x.key") && !project.exists("s1.pub"));
    // The temporary file's name differs.
    let told: Vec<&str> = told.lines().map(|line| line.split(" at path ").next().unwrap()).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    error: s1.key is there already, and a key is never overwritten
      help: name another file with --out, or take a selector that was never used
    error: making a temporary file beside missing/s1.key: No such file or directory (os error 2)
      help: make the directory first
    error: `s1._domainkey` is more than a selector: write only the part before `._domainkey`
      help: give the selector alone, such as s2026
    error: ex ample is no domain name: a blank, control or non-ASCII character that is not escaped
    error: an RSA key of 1024 bits is too small: signers should use 2048 (RFC 8301 section 3.2)
      help: leave --bits out
    error: an RSA key of 8192 bits is too large: receivers need not verify it (RFC 8301 section 3.2)
      help: leave --bits out
    error: no RSA keys of 2500 bits are made here
      help: take 2048, 3072 or 4096
    error: an Ed25519 key has one size
      help: leave --bits out
    ");
}

#[test]
fn show_tells_the_public_half() {
    let project = project();
    project.write("s1.txt", format!("s1._domainkey.example.com. IN TXT \"{}\"\n", record()));
    project.write("small.pub", SMALL);
    let output = project.run_to(0, ["dkim", "show", "s1.key", "s1.txt", "small.pub"]);
    discreet(&project, "s1.key", &output);
    insta::assert_snapshot!(output.shown(), @r#"
    s1.key
      private key (PKCS#8): Ed25519
        fingerprint  SHA256:If4x36FUomFia/hUBG/SJxt77UtqvkWqWId+9H+XIbk
        record       v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        zone file    TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    s1.txt
      record of s1._domainkey.example.com.: Ed25519
        fingerprint  SHA256:If4x36FUomFia/hUBG/SJxt77UtqvkWqWId+9H+XIbk
        record       v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        zone file    TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    small.pub
      public key: RSA 1024 bits
        fingerprint  SHA256:+2zLj79GbnVsBVFCil5+SzOqE8wGqHoC96Fb5xBEeSU
        record       v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB
        zone file    TXT "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB"
        warning DKIM-03: an RSA key of 1024 bits: signers should use 2048; make a new key of 2048 bits under a new selector
    "#);
    let json = project.run_to(0, ["dkim", "show", "s1.key", "--format", "json"]).json();
    let key = &json["files"][0]["keys"][0];
    assert_eq!((&key["what"], &key["form"]), (&Value::from("private key"), &Value::from("PKCS#8")));
    assert_eq!(key["record"], record());
    // The seed of a private key looks like a public key: it is not shown as one.
    private_file(&project, "seed", SEED);
    let output = project.run_to(1, ["dkim", "show", "seed"]);
    discreet(&project, "seed", &output);
}

#[test]
fn show_says_what_is_wrong_with_a_file() {
    let project = project();
    let damaged = PEM.replace("MC4CAQAw", "MC4CAQBw");
    for (name, text) in [
        ("empty", ""),
        ("certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
        ("elliptic", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"),
        ("damaged", &damaged),
        ("torn", &PEM[..60]),
    ] {
        project.write(name, text);
    }
    project.write("open.key", PEM);
    fs::set_permissions(project.path("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let told: String = ["empty", "certificate", "encrypted", "elliptic", "damaged", "torn", "missing", "."]
        .into_iter()
        .map(|name| project.run_to(1, ["dkim", "show", name]).said())
        .collect();
    let warned = project.run_to(0, ["dkim", "show", "open.key"]).said();
    insta::assert_snapshot!(format!("{told}{warned}"), @"
    error: empty: no key in it
      help: name a key file, or a record as the signer prints it
    error: certificate, line 1: PEM of something else than a key: wanted is `BEGIN PUBLIC KEY`
    error: encrypted: the private key is encrypted with a passphrase
      help: signers cannot read it either; `openssl pkey -in FILE -out NEW` writes it without a passphrase
    error: elliptic: the private key is of another algorithm than RSA and Ed25519
      help: DKIM knows RSA and Ed25519: make a new key with mailzone dkim generate
    error: damaged: the private key is damaged
      help: copy the file again from the signer, or make a new key: mailzone dkim generate
    error: torn: the private key is cut off
      help: copy the file again from the signer, or make a new key: mailzone dkim generate
    error: missing cannot be read: No such file or directory (os error 2)
      help: check the path
    error: . is a directory: name a file in it
      help: name the file of one key or record
    warning: open.key: everybody on this machine can read it (mode 0644); OpenDKIM refuses such a file; `chmod 600 open.key` mends it
    ");
}

#[test]
fn import_reads_several_keys_at_once() {
    let project = Project::empty();
    let text = format!(
        "s1._domainkey\tIN\tTXT\t( \"v=DKIM1; h=sha256; k=rsa; t=s; \"\n\t  \"p={}\"\n\t  \"{}\" )  ; ----- DKIM key s1 for example.com\n\
         {PEM}rs._domainkey.example.org. IN TXT ( \"v=DKIM1; k=ed25519; \"\n\t\"p={PUBLIC}\" ) ;\n\
         www.example.org. A 192.0.2.1\nold._domainkey.example.org. TXT \"v=DKIM1; p=\"\n\
         c1._domainkey.example.org. 300 IN CNAME c1.keys.example.net.\n",
        &SMALL[..100],
        &SMALL[100..],
    );
    let output = project.run_with_input(["dkim", "import"], text.as_bytes()).expect_code(0);
    assert!(!output.stdout.contains(&SEED[..16]) && !output.stderr.contains("MC4CAQ"));
    insta::assert_snapshot!(format!("{}---\n{}", output.shown(), output.said()), @r#"
    # RSA 1024 bits, SHA256:+2zLj79GbnVsBVFCil5+SzOqE8wGqHoC96Fb5xBEeSU
    # warning DKIM-03: an RSA key of 1024 bits: signers should use 2048; make a new key of 2048 bits under a new selector
    [domains."example.com".dkim.s1]
    txt = "v=DKIM1; h=sha256; k=rsa; t=s; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDOnA6hpZR0J5mqXLZGwMV9VreUuoLzpgOROioMKzyoPptQrmPjvA1fFE1FURlevavmlOoCtV++ct5d14B/JtmfkZoDaR/cTNHqvrvsPThZwPyvBwB1Br1WLdDWVSMb6HieJWv1BKUuxsYlTUvMlU2sulucH/F6XBO7AQiW/1Ku4wIDAQAB"

    [domains."example.org".dkim.c1]
    cname = "c1.keys.example.net."

    # revoked
    [domains."example.org".dkim.old]
    revoked = true

    # Ed25519, SHA256:If4x36FUomFia/hUBG/SJxt77UtqvkWqWId+9H+XIbk
    [domains."example.org".dkim.rs]
    txt = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    ---
    warning: line 4: a private key, which is left out: keep it with the signer alone
    line 9: no DKIM record, left out
    "#);
    // What it prints is a configuration.
    project.write(
        "mailzone.toml",
        format!("{SERVED}\n[domains.\"example.com\"]\n[domains.\"example.org\"]\n{}", output.stdout),
    );
    project.write("zones/.keep", "");
    project.run_to(0, ["lint"]);
    project.write("pasted.txt", text);
    let json = project.run_to(0, ["dkim", "import", "pasted.txt", "--format", "json"]).json();
    assert_eq!(json["keys"].as_array().unwrap().len(), 4, "{json:#}");
}

#[test]
fn import_leaves_out_rspamds_private_keys() {
    let project = Project::empty();
    // `rspamadm dkim_keygen` with the types ed25519 and ed25519-seed; the same octets in another base64.
    let both = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==\n".to_owned();
    for private in [both, format!("{SEED}\n")] {
        let text = format!("{private}rs._domainkey IN TXT ( \"v=DKIM1; k=ed25519; \"\n\t\"p={PUBLIC}\" ) ;\n");
        let output = project.run_with_input(["dkim", "import", "--domain", "example.com"], text.as_bytes());
        let output = output.expect_code(0);
        assert!(output.stdout.contains(PUBLIC) && !output.stdout.contains(&SEED[..20]), "{}", output.stdout);
        assert!(output.stderr.contains("left out") && !output.stderr.contains(&SEED[..20]), "{}", output.stderr);
    }
}

#[test]
fn import_reads_mailcows_api() {
    let project = Project::empty();
    let answer = format!(
        "{{\"pubkey\":\"{SMALL}\",\"length\":\"1024\",\"dkim_txt\":\"v=DKIM1;k=rsa;t=s;s=email;p={SMALL}\",\
         \"dkim_selector\":\"dkim\",\"privkey\":\"\"}}"
    );
    let output = project.run_with_input(["dkim", "import", "-", "--domain", "example.com"], answer.as_bytes());
    let output = output.expect_code(0);
    assert!(
        output.stdout.contains("[domains.\"example.com\".dkim.dkim]\ntxt = \"v=DKIM1; k=rsa; s=email; t=s; p=MIGf")
    );
    let by_domain = format!("[{{\"example.com\": {answer}, \"example.org\": {answer}}}]");
    let output = project.run_with_input(["dkim", "import"], by_domain.as_bytes()).expect_code(0);
    assert_eq!(output.stdout.matches(".dkim.dkim]").count(), 2, "{}", output.stdout);
    // Answers without the domain need it.
    project.run_with_input(["dkim", "import"], answer.as_bytes()).expect_code(1);
    project.run_with_input(["dkim", "import"], &answer.as_bytes()[..40]).expect_code(1);
}

#[test]
fn import_says_what_is_missing_or_wrong() {
    let project = Project::empty();
    let bare = format!("-----BEGIN PUBLIC KEY-----\n{SMALL}\n-----END PUBLIC KEY-----\n");
    let one = format!("s1._domainkey.example.com. TXT \"v=DKIM1; k=ed25519; p={PUBLIC}\"\n");
    let other = one.replace("11qY", "12qY");
    let mut told = String::new();
    for (args, text) in [
        (&[][..], ""),
        (&[], "s1._domainkey TXT \"v=DKIM1; p=\""),
        (&["--domain", "example.com"], &bare),
        (&["--domain", "example.org"], &one),
        (&["--selector", "s2"], &one),
        (&[], &format!("{one}{other}")),
        (&[], "s1.domainkey.example.com. TXT \"v=DKIM1; p=\""),
        (&[], "s1._domainkey.example.com. TXT \u{201c}v=DKIM1; p=\u{201d}"),
        (&["--domain", "example.com", "--selector", "s1"], SEED),
    ] {
        let output = project.run_with_input([&["dkim", "import"], args].concat(), text.as_bytes());
        let output = output.expect_code(1);
        told.push_str(&output.said());
        assert!(!output.stdout.contains(SEED) && !output.stderr.contains(SEED));
    }
    insta::assert_snapshot!(told, @r#"
    error: standard input: no DKIM key in it
      help: paste what opendkim-genkey, `amavisd showkeys`, rspamd or mailcow's API printed, or PEM
    error: standard input, line 1: the text does not say whose key it is
      help: name it: --domain DOMAIN
    error: standard input, line 1: the text does not say which selector it is
      help: name it: --selector NAME
    error: standard input, line 1: a key of example.com, not of example.org
      help: leave --domain out, or paste the keys of one domain
    error: standard input, line 1: a key of the selector s1, not s2
      help: leave --selector out
    error: standard input, line 2: another key for s1._domainkey.example.com.
      help: keep the one that the signer uses
    error: standard input, line 1: s1.domainkey.example.com. lacks the underscore of `_domainkey`: s1._domainkey.example.com is meant
      help: the owner is SELECTOR._domainkey.DOMAIN
    error: standard input, line 1: s1._domainkey.example.com.: line 1, column 32: a typographic quote '“'; replace it by a plain `"`
      help: copy the whole record again from the signer
    error: standard input, line 1: 32 octets alone: an Ed25519 public key, or a private one as rspamd writes it
      help: if it is public, write it as `k=ed25519; p=…`; a private key must never be published
    "#);
    let args = ["dkim", "import", "--domain", "example.com", "--selector", "s1"];
    let output = project.run_with_input(args, bare.as_bytes()).expect_code(0);
    assert!(output.stdout.contains(&format!("txt = \"{SMALL}\"")), "{}", output.stdout);
    project.run_with_input(["dkim", "import"], &[0xff; 100]).expect_code(1);
    project.run_with_input(["dkim", "import"], &[b'a'; 70_000]).expect_code(1);
}

#[test]
fn what_is_pasted_or_published_is_escaped() {
    const HOSTILE: &str = "\u{1b}[31mred\u{7}\u{9b}2J\u{202e}txet\u{200b}";
    let project = project();
    let harmful =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    let clean = |output: Output| {
        for text in [&output.stdout, &output.stderr] {
            assert!(!text.contains(harmful), "{}", text.escape_debug());
            assert!(!text.lines().any(|line| line.starts_with("::")), "{text}");
        }
        output
    };
    let note = format!("s1._domainkey.example.com. TXT \"v=DKIM1; k=ed25519; n={HOSTILE}; x={HOSTILE}; p={PUBLIC}\"\n");
    for text in [
        note.clone(),
        format!("s{HOSTILE}._domainkey.example.com. TXT \"v=DKIM1; p=\"\n"),
        format!("s1._domainkey.example.com. CNAME ::{HOSTILE}\n"),
        format!("s1._domainkey.example.com. TXT \"v=DKIM1; k={HOSTILE}; p=\"\n"),
        format!("::error::{HOSTILE}\n"),
        format!("{{\"::{HOSTILE}\": {{\"dkim_txt\": \"v=DKIM1; p=\", \"dkim_selector\": \"{}\"}}}}", "\\u001b[31m"),
    ] {
        clean(project.run_with_input(["dkim", "import"], text.as_bytes()));
        clean(project.run_with_input(["dkim", "import", "--format", "json"], text.as_bytes()));
        project.write("pasted", &text);
        clean(project.run(["dkim", "show", "pasted"]));
    }
    // What is printed for a note that hides something is read back as it is.
    let output = clean(project.run_with_input(["dkim", "import"], note.as_bytes()).expect_code(0));
    project.write("mailzone.toml", format!("{SERVED}\n[domains.\"example.com\"]\n{}", output.stdout));
    project.write("zones/.keep", "");
    clean(project.run_to(0, ["lint"]));
    fs::remove_file(project.path("mailzone.toml")).unwrap();
    for args in [
        &["dkim", "generate", HOSTILE, "-s", "s1", "--out", "x.key"][..],
        &["dkim", "generate", "example.com", "-s", HOSTILE, "--out", "x.key"],
        &["dkim", "generate", "example.com", "-s", "s1", "--out", &format!("no/{HOSTILE}")],
        &["dkim", "generate", "example.com", "-s", "s1", "--type", "ed25519", "--out", &format!("x{HOSTILE}.key")],
        &["dkim", "show", &format!("no{HOSTILE}")],
        &["dkim", "test", HOSTILE, "-s", "s1"],
    ] {
        clean(project.run(args));
    }
    let wire = r"\027[31m\194\155\226\128\174::error::";
    for record in [
        format!("s1._domainkey TXT \"v=DKIM1; k=ed25519; {wire}={wire}; n={wire}; p={PUBLIC}\""),
        format!("s1._domainkey TXT \"{wire}\""),
        r"s1._domainkey CNAME \027[31m\226\128\174".to_owned(),
    ] {
        let server = server(&[&record]);
        clean(test_at(&project, &[&server], &[]));
        clean(test_at(&project, &[&server], &["--format", "json"]));
    }
}

/// A server with these records in `example.test`.
fn server(records: &[&str]) -> DnsServer {
    DnsServer::start(&[("example.test", zone_text("example.test", records))])
}

/// `dkim test example.test -s s1 --private-key s1.key` at these servers.
fn test_at(project: &Project, servers: &[&DnsServer], more: &[&str]) -> Output {
    let addresses: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
    let mut args = vec!["dkim", "test", "example.test", "--selector", "s1", "--private-key", "s1.key"];
    for address in &addresses {
        args.extend(["--nameserver", address]);
    }
    args.extend(more);
    project.run(args)
}

#[test]
fn a_key_is_safe_when_every_server_has_it() {
    let project = project();
    let good = format!("s1._domainkey TXT \"{}\"", record());
    let [a, b] = [(); 2].map(|()| server(&[&good]));
    let output = test_at(&project, &[&a, &b], &[]).expect_code(0);
    discreet(&project, "s1.key", &output);
    insta::assert_snapshot!(output.shown(), @"
    s1._domainkey.example.test
      expected     Ed25519, SHA256:If4x36FUomFi… (private key)
      current      [ADDR]
      current      [ADDR]
      DNSSEC       not checked: this version validates no signatures of zones
      safe to sign now: yes
    ");
    let json = test_at(&project, &[&a, &b], &["--format", "json"]).expect_code(0).json();
    let key = &json["keys"][0];
    assert_eq!((&key["answer"], &key["safe_to_sign"]), (&Value::from("yes"), &Value::from(true)));
    assert_eq!(key["dnssec"], "not checked");
    // In the form of rspamd it is the same key.
    private_file(&project, "s1.key", SEED);
    test_at(&project, &[&a, &b], &[]).expect_code(0);
    // One that does not answer is no hindrance; two that do not are nobody.
    let dead = a.address();
    drop(a);
    let dead = dead.to_string();
    let output = test_at(&project, &[&b], &["--nameserver", &dead]).expect_code(0);
    assert!(output.stdout.contains("unreachable"), "{}", output.stdout);
    b.switch(Switches { refused: true, ..Switches::default() });
    let output = test_at(&project, &[&b], &["--nameserver", &dead, "--format", "json"]).expect_code(1);
    assert_eq!(output.json()["keys"][0]["answer"], "not_asked");
}

#[test]
fn a_key_is_not_safe_where_a_server_lacks_it() {
    let project = project();
    let good = format!("s1._domainkey TXT \"{}\"", record());
    let other = format!("s1._domainkey TXT \"v=DKIM1; p={SMALL}\"");
    let (has, lacks, has_other) = (server(&[&good]), server(&[]), server(&[&other]));
    for (code, servers) in [
        (3, &[&has, &lacks][..]),
        (3, &[&has, &has_other]),
        (3, &[&lacks]),
        (1, &[&has_other]),
        (1, &[&has_other, &lacks]),
    ] {
        let output = test_at(&project, servers, &[]).expect_code(code);
        assert!(output.stdout.contains("safe to sign now: no"), "{}", output.stdout);
    }
    let output = test_at(&project, &[&has_other], &[]);
    insta::assert_snapshot!(output.shown(), @"
    s1._domainkey.example.test
      expected     Ed25519, SHA256:If4x36FUomFi… (private key)
      other        [ADDR]: another key: RSA 1024 bits, SHA256:+2zLj79GbnVs…
      warning DKIM-03: an RSA key of 1024 bits: signers should use 2048; make a new key of 2048 bits under a new selector
      DNSSEC       not checked: this version validates no signatures of zones
      safe to sign now: no: [ADDR] has another key: RSA 1024 bits, SHA256:+2zLj79GbnVs…
    ");
}

#[test]
fn the_right_key_in_a_record_that_nobody_takes_is_not_safe() {
    let project = project();
    let p = PUBLIC;
    for (records, reason) in [
        (vec!["s1._domainkey TXT \"v=DKIM1; k=ed25519; p=\"".to_owned()], "a revoked key"),
        (vec![format!("s1._domainkey TXT \"v=DKIM1; p={p}\"")], "no receiver takes"),
        (vec![format!("s1._domainkey TXT \"k=ed25519; v=DKIM1; p={p}\"")], "must be the first tag"),
        (vec![format!("s1._domainkey TXT \"v=DKIM1; k=ed25519; h=sha1; p={p}\"")], "sha256"),
        (vec![format!("s1._domainkey TXT \"v=DKIM1; k=ed25519; s=tlsrpt; p={p}\"")], "does not work for mail"),
        (
            vec![format!("s1._domainkey TXT \"{}\"", record()), "s1._domainkey TXT \"another\"".to_owned()],
            "2 TXT records",
        ),
        (vec!["s1._domainkey TXT \"\\027[31m\\226\\128\\174\"".to_owned()], "no receiver takes"),
    ] {
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let output = test_at(&project, &[&server(&records)], &[]).expect_code(1);
        let last = output.stdout.lines().last().unwrap();
        assert!(last.contains("safe to sign now: no") && last.contains(reason), "{reason}:\n{}", output.stdout);
        assert!(!output.stdout.contains('\u{1b}') && !output.stdout.contains('\u{202e}'));
    }
}

#[test]
fn an_alias_is_followed() {
    let project = project();
    let keys = zone_text("keys.test", &[&format!("s1 TXT \"{}\"", record()), "loop CNAME s1._domainkey.example.test."]);
    let zone = zone_text("example.test", &["s1._domainkey CNAME s1.keys.test."]);
    let both = DnsServer::start(&[("example.test", zone), ("keys.test", keys)]);
    let output = test_at(&project, &[&both], &[]).expect_code(0);
    assert!(output.stdout.contains("a CNAME to s1.keys.test"), "{}", output.stdout);
    for (target, code) in [("nothing.keys.test.", 3), ("loop.keys.test.", 1)] {
        both.replace("example.test", &zone_text("example.test", &[&format!("s1._domainkey CNAME {target}")]));
        test_at(&project, &[&both], &[]).expect_code(code);
    }
}

#[test]
fn the_servers_of_the_delegation_are_asked() {
    let root = "$ORIGIN .\n$TTL 3600\n@ SOA ns.test. h 1 7200 3600 1209600 300\n@ NS ns.test.\nns.test. A 127.0.0.1\n\
                example.test. NS ns2.example.test.\nns2.example.test. A 127.0.0.2\n\
                example.test. NS ns3.example.test.\nns3.example.test. A 127.0.0.3\n";
    let zone = |records: &str| {
        format!(
            "$ORIGIN example.test.\n$TTL 3600\n@ SOA ns2 h 9 7200 3600 1209600 300\n@ NS ns2\n@ NS ns3\n\
             ns2 A 127.0.0.2\nns3 A 127.0.0.3\n{records}"
        )
    };
    let good = format!("s1._domainkey TXT \"{}\"\ns1._domainkey.news TXT \"{}\"\n", record(), record());
    let servers = servers_on_one_port(&[
        &[(".", root.to_owned())],
        &[("example.test", zone(&good))],
        &[("example.test", zone(""))],
    ]);
    let project = project();
    let address = servers[0].address();
    let settings = format!("[dns]\nroots = [\"{address}\"]\nport = {}\ntimeout = \"1s\"\n", address.port());
    project.write("mailzone.toml", settings);
    let test = |code, domain: &str| {
        project.run_to(code, ["dkim", "test", domain, "--selector", "s1", "--private-key", "s1.key"]).shown()
    };
    insta::assert_snapshot!(test(3, "example.test"), @"
    s1._domainkey.example.test
      expected     Ed25519, SHA256:If4x36FUomFi… (private key)
      current      ns2.example.test (127.0.0.2)
      missing      ns3.example.test (127.0.0.3)
      DNSSEC       not checked: this version validates no signatures of zones
      safe to sign now: no, not visible everywhere: [ADDR] has no record
    ");
    servers[2].replace("example.test", &zone(&good));
    test(0, "example.test");
    // A name inside the zone: the zone's servers answer for it.
    test(0, "news.example.test");
    test(1, "example.org");
    // A key in a zone that was replaced at all of them.
    for server in &servers[1..] {
        server.replace("example.test", &zone(&format!("s1._domainkey TXT \"v=DKIM1; p={SMALL}\"\n")));
    }
    test(1, "example.test");
}

#[test]
fn configured_selectors_are_tested() {
    let project = Project::new(
        &format!(
            "[domains.\"example.test\".dkim]\ns1 = {{ txt = \"{}\" }}\ns2 = {{ txt = \"{SMALL}\" }}\n\
             gone = {{ revoked = true }}\nother = \"unmanaged\"\n",
            record()
        ),
        &[("example.test", zone_text("example.test", &[&format!("s1._domainkey TXT \"{}\"", record())]))],
    );
    let json = project.run_to(3, ["dkim", "test", "--format", "json"]).json();
    let answers: Vec<_> =
        json["keys"].as_array().unwrap().iter().map(|key| (&key["selector"], &key["answer"])).collect();
    assert_eq!(answers, [(&"s1".into(), &"yes".into()), (&"s2".into(), &Value::from("not_visible"))]);
    assert_eq!(json["exit"]["zones"][0]["zone"], "s2._domainkey.example.test");
    project.run_to(0, ["dkim", "test", "example.test", "-s", "s1"]);
    project.run_to(3, ["dkim", "test", "example.test", "-s", "s3"]);
    project.run_to(1, ["dkim", "test", "example.org"]);
    project.run_to(1, ["dkim", "test", "--private-key", "s1.key"]);
    let empty = Project::empty();
    let told = empty.run_to(1, ["dkim", "test"]).said() + &empty.run_to(1, ["dkim", "test", "-s", "s1"]).said();
    insta::assert_snapshot!(told, @"
    error: no selector to test
      help: name one with --selector, or a configuration with --config
    error: --selector is of one domain
      help: name one domain
    ");
}

#[test]
fn without_a_key_to_compare_with_nothing_is_called_safe() {
    let project = Project::empty();
    let server = server(&[&format!("s1._domainkey TXT \"{}\"", record())]);
    let address = server.address().to_string();
    let args = ["dkim", "test", "example.test", "-s", "s1", "--nameserver", &address];
    let output = project.run_to(0, args);
    assert!(output.stdout.contains("not compared") && !output.stdout.contains("safe to sign"), "{}", output.stdout);
    let json = project.run_to(0, args.into_iter().chain(["--format", "json"])).json();
    assert!(json["keys"][0]["safe_to_sign"].is_null());
}

/// Runs a tool of others in the project's directory.
#[track_caller]
fn tool(project: &Project, program: &Path, args: &[&str], input: &str) -> (bool, String) {
    let input_file = project.path("input");
    fs::write(&input_file, input).unwrap();
    let output = Command::new(program)
        .args(args)
        .current_dir(project.root())
        .stdin(Stdio::from(fs::File::open(input_file).unwrap()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

const MESSAGE: &str = "From: a@example.test\r\nTo: b@example.org\r\nSubject: x\r\n\
                       Date: Sat, 21 Nov 2026 21:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\nhello\r\n";

/// Serves `record` and tests it with the private key in `key`.
#[track_caller]
fn agrees(project: &Project, record: &str, key: &str) {
    let server = server(&[&format!("s1._domainkey TXT {record}")]);
    let address = server.address().to_string();
    let args = ["dkim", "test", "example.test", "-s", "s1", "--private-key", key, "--nameserver", &address];
    let output = project.run_to(0, args);
    assert!(output.stdout.contains("safe to sign now: yes"), "{}", output.stdout);
}

#[test]
fn opendkims_keys_are_read_and_ours_sign_there() {
    let Some([genkey, testmsg]) = tools(["opendkim-genkey", "opendkim-testmsg"]) else { return };
    let project = Project::empty();
    let (done, said) = tool(&project, &genkey, &["-b", "2048", "-d", "example.test", "-s", "s1"], "");
    assert!(done, "{said}");
    let json = project.run_to(0, ["dkim", "import", "s1.txt", "--format", "json"]).json();
    let key = &json["keys"][0];
    assert_eq!((&key["domain"], &key["selector"], &key["bits"]), (&"example.test".into(), &"s1".into(), &2048.into()));
    agrees(&project, key["zone_file"].as_str().unwrap(), "s1.private");
    // Ours in its turn.
    let args = ["dkim", "generate", "example.test", "-s", "s1", "--out", "ours.key", "--format", "json"];
    let made = project.run_to(0, args).json();
    let (done, said) = tool(&project, &testmsg, &["-d", "example.test", "-s", "s1", "-k", "ours.key"], MESSAGE);
    assert!(done && said.contains("DKIM-Signature: ") && said.contains("s=s1"), "{said}");
    agrees(&project, made["zone_file"].as_str().unwrap(), "ours.key");
}

#[test]
fn opendkim_testkey_says_the_same() {
    let Some([testkey, genkey]) = tools(["opendkim-testkey", "opendkim-genkey"]) else { return };
    let project = Project::empty();
    let args = ["dkim", "generate", "example.test", "-s", "s1", "--out", "ours.key", "--format", "json"];
    let made = project.run_to(0, args).json();
    let server = server(&[&format!("s1._domainkey TXT {}", made["zone_file"].as_str().unwrap())]);
    let address = server.address();
    // libunbound answers for `test` itself, and asks nobody on loopback, unless it is told otherwise.
    let stub = format!(
        "server:\n  do-not-query-localhost: no\n  local-zone: \"test.\" nodefault\n\
         stub-zone:\n  name: \"example.test\"\n  stub-addr: {}@{}\n",
        address.ip(),
        address.port(),
    );
    project.write("unbound.conf", stub);
    project.write("opendkim.conf", format!("ResolverConfiguration {}\n", project.path("unbound.conf").display()));
    let theirs = |key: &str| {
        tool(&project, &testkey, &["-x", "opendkim.conf", "-d", "example.test", "-s", "s1", "-k", key, "-vv"], "")
    };
    let ours = |code, key: &str| {
        let args =
            ["dkim", "test", "example.test", "-s", "s1", "--private-key", key, "--nameserver", &address.to_string()];
        project.run_to(code, args);
    };
    let (ok, said) = theirs("ours.key");
    assert!(ok, "{said}");
    assert!(said.contains("key not secure"), "it found DNSSEC where there is none: {said}");
    ours(0, "ours.key");
    let (done, said) = tool(&project, &genkey, &["-b", "2048", "-d", "example.test", "-s", "other"], "");
    assert!(done, "{said}");
    let (ok, said) = theirs("other.private");
    assert!(!ok && said.contains("do not match"), "{said}");
    ours(1, "other.private");
    server.replace("example.test", &zone_text("example.test", &[]));
    let (ok, said) = theirs("ours.key");
    assert!(!ok, "{said}");
    ours(3, "ours.key");
}

#[test]
fn amavisd_reads_our_key_and_we_read_what_it_shows() {
    let Some([amavisd]) = tools(["amavisd"]) else { return };
    let project = Project::empty();
    let args = ["dkim", "generate", "example.test", "-s", "s1", "--out", "ours.key", "--format", "json"];
    let made = project.run_to(0, args).json();
    let line = made["signers"]["amavisd"].as_str().unwrap();
    project.write(
        "amavisd.conf",
        format!(
            "use strict;\n$myhostname = 'mail.example.test';\n$mydomain = 'example.test';\n$enable_dkim_signing = 1;\n\
             {line}\n1;\n"
        ),
    );
    let (done, said) = tool(&project, &amavisd, &["-c", "amavisd.conf", "showkeys"], "");
    assert!(done, "{said}");
    let output = project.run_with_input(["dkim", "import", "--format", "json"], said.as_bytes()).expect_code(0);
    let key = &output.json()["keys"][0];
    assert_eq!((&key["domain"], &key["fingerprint"]), (&"example.test".into(), &made["fingerprint"]));
}
