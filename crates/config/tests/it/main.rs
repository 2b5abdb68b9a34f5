//! The sample configurations under `tests/fixtures/config`, and laws that hold for any text.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mailzone_config::secret::SecretRef;
use mailzone_config::{
    Diagnostic, Domain, Located, MtaStsSetting, ProviderSettings, SenderSetting, Settings, Slot, Source, SourceFile,
    TsigAlgorithm, load, parse, schema,
};
use mailzone_record::{Name, Rdata};

mod laws;

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/config").join(kind)
}

/// The samples of a kind: files and directories, sorted.
fn samples(kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixtures(kind)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir() || path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn load_path(path: &Path) -> Result<Settings, Vec<Diagnostic>> {
    load(&[Source::Path(path.to_owned())])
}

/// A configuration of one file that names no others.
fn load_text(text: &str) -> Result<Settings, Vec<Diagnostic>> {
    let file = SourceFile::new("mailzone.toml", text);
    parse(&[file], PathBuf::from("."), &mut |path| Err(format!("{} does not exist", path.display())))
}

/// Loads a text with a provider `p` and returns what was wanted of `example.com`.
fn example(text: &str) -> Domain {
    let text = format!("[providers.p]\ntype = \"zonefile\"\ndirectory = \"z\"\n[defaults]\nprovider = \"p\"\n{text}");
    let settings = load_text(&text).unwrap_or_else(|errors| panic!("{}", messages(&errors)));
    settings.domains[&Name::parse("example.com").unwrap()].clone()
}

fn messages(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        writeln!(text, "{diagnostic}\n").unwrap();
    }
    text.replace(&fixtures("").display().to_string(), "")
}

fn json(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(value) => (*value).into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

#[test]
fn valid_samples_load_and_pass_the_schema() {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("mailzone.schema.json", schema()).unwrap();
    let compiled = compiler.compile("mailzone.schema.json", &mut schemas).unwrap();
    for path in samples("valid") {
        if let Err(errors) = load_path(&path) {
            panic!("{}: {}", path.display(), messages(&errors));
        }
        if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            let value = json(&toml::Value::Table(text.parse().unwrap()));
            if let Err(error) = schemas.validate(&value, compiled) {
                panic!("{}: {error:#}", path.display());
            }
        }
    }
}

#[test]
fn invalid_samples_say_why() {
    for path in samples("invalid") {
        let Err(errors) = load_path(&path) else { panic!("{} loads", path.display()) };
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // The samples write this where a secret is out of place.
        assert!(!messages(&errors).contains("aHVudGVyMg"), "{}", messages(&errors));
        insta::assert_snapshot!(name, messages(&errors));
    }
}

/// Nobody knows what a line means that is no TOML; one of a provider may hold a secret.
#[test]
fn lines_of_providers_are_not_repeated() {
    let provider = "[providers.ns]\ntype = \"rfc2136\"\nserver = \"192.0.2.53\"\n";
    let mut shown = String::new();
    for lines in [
        "[providers.ns.tsig]\nsecret = \"hunter2\n",
        "tsig = { name = \"k.\" secret = \"hunter2\" }\n",
        "[providers.ns.tsig]\nsecret = \"hunter2\"\nsecret = \"hunter2\"\n",
    ] {
        shown += &messages(&load_text(&format!("{provider}{lines}")).unwrap_err());
    }
    assert!(!shown.contains("hunter"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
    error: no TOML: invalid basic string, expected `"`
     --> mailzone.toml:5:18

    error: no TOML: missing comma between key-value pairs, expected `,`
     --> mailzone.toml:4:22

    error: `name` is missing in the table `tsig`
     --> mailzone.toml:4:1
      |
    4 | [providers.ns.tsig]
      | ^^^^^^^^^^^^^^^^^^^

    error: `secret` is a string, expected a table with env, file, command
     --> mailzone.toml:5:10
      = help: write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }

    error: `secret` is defined twice
     --> mailzone.toml:6:1
     --> mailzone.toml:5:1 first defined here
    "#);
    // Elsewhere they are.
    let shown = messages(&load_text(&format!("{provider}[dns]\ntimeout = 2s\n")).unwrap_err());
    assert!(shown.contains("5 | timeout = 2s"), "{shown}");
}

#[test]
fn providers_mean_what_they_say() {
    let settings = load_path(&fixtures("valid/everything.toml")).unwrap();
    let mut text = String::new();
    for (name, provider) in &settings.providers {
        writeln!(text, "{name}: {:?}", provider.value).unwrap();
    }
    let text = text.replace(&fixtures("").display().to_string(), "");
    insta::assert_snapshot!("everything_providers", text);
}

/// What each key says on its own; the samples hold the tables.
#[test]
fn servers_and_algorithms() {
    let provider = |keys: &str| {
        let text = format!("[providers.ns]\ntype = \"rfc2136\"\n{keys}\n");
        match load_text(&text).map(|settings| settings.providers["ns"].value.clone()) {
            Ok(ProviderSettings::Rfc2136(provider)) => provider,
            other => panic!("{other:?}"),
        }
    };
    for (text, port) in [("192.0.2.53", 53), ("192.0.2.53:5353", 5353), ("2001:db8::53", 53), ("[::1]:5353", 5353)] {
        let provider = provider(&format!("server = \"{text}\""));
        assert_eq!((provider.server.port(), provider.tsig, provider.timeout), (port, None, None), "{text}");
    }
    let algorithm = |text: &str| {
        let tsig = format!("tsig = {{ name = \"K.\"{text}, secret = {{ env = \"S\" }} }}");
        let tsig = provider(&format!("server = \"::1\"\n{tsig}")).tsig.unwrap();
        assert_eq!((tsig.name.to_string().as_str(), &tsig.secret.value), ("k.", &SecretRef::Env("S".into())));
        tsig.algorithm
    };
    assert_eq!(algorithm(""), TsigAlgorithm::HmacSha256);
    assert_eq!(algorithm(", algorithm = \"hmac-sha256\""), TsigAlgorithm::HmacSha256);
    assert_eq!(algorithm(", algorithm = \"hmac-sha384\""), TsigAlgorithm::HmacSha384);
    assert_eq!(algorithm(", algorithm = \"hmac-sha512\""), TsigAlgorithm::HmacSha512);
}

/// What is wanted of a domain, one slot a line.
fn summary(domain: &Domain) -> String {
    fn line<T: std::fmt::Debug>(name: &str, slot: Option<&Located<Slot<T>>>) -> String {
        slot.map_or_else(String::new, |slot| {
            let profile = if slot.from_profile { " (profile)" } else { "" };
            format!("{name}{profile} = {:?}\n", slot.value)
        })
    }
    let mut text = format!("{} mail={:?} delegated={}\n", domain.name, domain.mail, domain.delegated);
    text += &format!("nameservers = {:?}\n", domain.nameservers);
    text += &line("mx", domain.mx.as_ref());
    text += &line("spf", domain.spf.as_ref());
    for (selector, slot) in &domain.dkim {
        text += &line(&format!("dkim.{selector}"), Some(slot));
    }
    text += &line("dmarc", domain.dmarc.as_ref());
    text += &line("report_authorisation", domain.report_authorisation.as_ref());
    if let Some(Slot::Want(MtaStsSetting::Policy(policy))) = domain.mta_sts.as_ref().map(|slot| &slot.value) {
        let host = policy.host.as_ref().map(|host| &host.value);
        text += &format!("mta_sts = {:?} {:?} {} {:?} {host:?}\n", policy.mode, policy.mx, policy.max_age, policy.id);
    } else {
        text += &line("mta_sts", domain.mta_sts.as_ref());
    }
    text += &line("tls_rpt", domain.tls_rpt.as_ref());
    for (selector, slot) in &domain.bimi {
        text += &line(&format!("bimi.{selector}"), Some(slot));
    }
    for (service, slot) in &domain.client_settings {
        text += &line(&format!("client_settings.{service}"), Some(slot));
    }
    for (name, slot) in &domain.senders {
        text += &sender(name, slot);
    }
    match domain.caa.as_ref().map(|slot| &slot.value) {
        Some(Slot::Want(caa)) => {
            for (tag, values) in &caa.tags {
                let values: Vec<String> = values.iter().map(|value| Rdata::Caa(value.clone()).to_string()).collect();
                text += &format!("caa.{tag} = {values:?}\n");
            }
            text += &format!("caa.exclusive = {}\n", caa.exclusive);
        }
        _ => text += &line("caa", domain.caa.as_ref()),
    }
    for ((name, rtype), slot) in &domain.records {
        text += &line(&format!("{name} {rtype}"), Some(slot));
    }
    for allow in &domain.allow {
        text += &format!("allow {:?}\n", allow.value);
    }
    for slot in ["mx", "spf", "dkim.s2026", "records.www.CNAME"] {
        text += &format!("ttl {slot} = {:?}\n", domain.ttl_of(slot));
    }
    text + "\n"
}

/// The records of a sender, one a line.
fn sender(name: &str, slot: &Located<Slot<SenderSetting>>) -> String {
    let Slot::Want(setting) = &slot.value else { return format!("senders.{name} = {:?}\n", slot.value) };
    let mut text = format!("senders.{name} absent={}\n", setting.absent);
    for ((owner, rtype), record) in &setting.records {
        let values: Vec<String> = record.values.iter().map(ToString::to_string).collect();
        let (key, shared) = (if record.is_key { " key" } else { "" }, if record.shared { " shared" } else { "" });
        text += &format!("  {owner} {rtype} {}{key}{shared}\n", values.join(", "));
    }
    text
}

#[test]
fn everything_means_what_it_says() {
    let settings = load_path(&fixtures("valid/everything.toml")).unwrap();
    insta::assert_snapshot!("everything", settings.domains.values().map(summary).collect::<String>());
    let mut hosts = String::new();
    for host in settings.hosts.values() {
        let tlsa = host.tlsa.as_ref().map(|tlsa| &tlsa.value);
        let addresses = (host.ipv4.as_ref().map(|list| &list.value), host.ipv6.as_ref().map(|list| &list.value));
        let provider = host.provider.as_ref().map(|provider| &provider.value);
        let ttl = settings.host_ttl(host, "hosts");
        writeln!(hosts, "{} {addresses:?} {:?} {:?} {provider:?} {ttl:?}", host.name, host.addresses, host.ptr)
            .unwrap();
        writeln!(hosts, "  {tlsa:?}").unwrap();
    }
    insta::assert_snapshot!("everything_hosts", hosts);
}

#[test]
fn a_private_key_is_not_repeated() {
    let secret = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp";
    let text = format!(
        "[domains.\"example.com\"]\ndkim.s1 = {{ txt = \"-----BEGIN PRIVATE KEY-----\\n{secret}\\n-----END PRIVATE KEY-----\" }}\n"
    );
    let shown = messages(&load_text(&text).unwrap_err());
    assert!(shown.contains("private key") && shown.contains("mailzone.toml:2:") && !shown.contains(secret), "{shown}");
}

#[test]
fn layers_in_order() {
    let domain = example(
        r#"
        ttl = 60
        spf = { mx = true, all = "?" }
        [profiles.one]
        dmarc = { policy = "none", rua = ["mailto:one@example.com"] }
        mail = "send"
        [profiles.two]
        dmarc = { policy = "quarantine" }
        [groups.g]
        domains = ["example.com"]
        profiles = ["one", "two"]
        spf = { a = true }
        [domains."Example.COM."]
        spf = { all = "-" }
        "#,
    );
    let text = |slot: &Slot<mailzone_config::TextOrCname>| format!("{:?}", slot.wanted().unwrap());
    assert_eq!(domain.spf.unwrap().value.wanted().unwrap().text, "v=spf1 mx a -all");
    assert_eq!(text(&domain.dmarc.unwrap().value), r#"Text("v=DMARC1; p=quarantine; rua=mailto:one@example.com")"#);
    assert!(domain.mail.sends() && !domain.mail.receives());
    assert_eq!(domain.ttl.unwrap().value.as_secs(), 60);
    let explained: String = domain.effective.iter().fold(String::new(), |mut text, key| {
        writeln!(text, "{} = {}  {} {}", key.key, key.value(), key.via, key.place).unwrap();
        text
    });
    insta::assert_snapshot!("layers_explained", explained);
}

#[test]
fn below_another_domain_little_is_inherited() {
    let text = |inherit: &str| {
        format!(
            r#"
            [providers.p]
            type = "zonefile"
            directory = "z"
            [defaults]
            provider = "p"
            ttl = 60
            profiles = ["send-only"]
            [domains."example.com"]
            [domains."a.example.com"]
            {inherit}
            "#
        )
    };
    let name = Name::parse("a.example.com").unwrap();
    let plain = &load_text(&text("")).unwrap().domains[&name];
    assert!(plain.ttl.is_some() && plain.dmarc.is_none() && plain.mail.receives());
    let inherits = &load_text(&text("inherit = true")).unwrap().domains[&name];
    assert!(inherits.dmarc.as_ref().unwrap().from_profile && !inherits.mail.receives());
}

#[test]
fn built_in_profiles() {
    let parked = example("[domains.\"example.com\"]\nprofiles = [\"parked\"]");
    let receive = example("[domains.\"example.com\"]\nprofiles = [\"receive-only\"]");
    let send = example("[domains.\"example.com\"]\nprofiles = [\"send-only\"]");
    insta::assert_snapshot!("built_in_profiles", [parked, receive, send].iter().map(summary).collect::<String>());
}

#[test]
fn files_of_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("b.toml", "[domains.\"b.example\"]\n");
    write("a.toml", "[providers.p]\ntype = \"zonefile\"\ndirectory = \"z\"\n[defaults]\nprovider = \"p\"\n");
    write(".hidden.toml", "nonsense");
    write("c.txt", "nonsense");
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    write("sub/d.toml", "nonsense");
    let settings = load_path(folder.path()).unwrap();
    assert_eq!(settings.files, ["a.toml", "b.toml"].map(|name| folder.path().join(name)));
    assert_eq!(settings.state_base, folder.path());
    assert_eq!(settings.domains.len(), 1);
}

#[test]
fn standard_input_beside_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("providers.toml");
    std::fs::write(&path, "[providers.p]\ntype = \"zonefile\"\ndirectory = \"z\"\n").unwrap();
    let text = "[providers.q]\ntype = \"zonefile\"\ndirectory = \"z\"\n[domains.\"a.example\"]\nprovider = \"p\"\n";
    let stdin = Source::Stdin(text.to_owned());
    let settings = load(&[stdin.clone(), Source::Path(path.clone())]).unwrap();
    assert_eq!(settings.files, std::slice::from_ref(&path));
    assert_eq!(settings.state_base, Path::new("."));
    let directories: Vec<_> = settings.providers.values().map(|provider| format!("{:?}", provider.value)).collect();
    assert!(directories[0].contains(&format!("{:?}", folder.path().join("z"))), "{directories:?}");
    assert!(directories[1].contains("directory: \"z\""), "{directories:?}");
    assert_eq!(load(&[Source::Path(path), stdin]).unwrap().state_base, folder.path());
}

/// What is said of a text after a provider `p`.
fn said(text: &str) -> String {
    let text = format!("[providers.p]\ntype = \"zonefile\"\ndirectory = \"z\"\n[defaults]\nprovider = \"p\"\n{text}");
    let diagnostics = match load_text(&text) {
        Ok(settings) => settings.warnings,
        Err(errors) => errors,
    };
    let line = |d: &Diagnostic| format!("{}; {}\n", d.message, d.help.as_deref().unwrap_or_default());
    diagnostics.iter().map(line).collect()
}

#[test]
fn a_text_with_blanks_is_quoted() {
    let record = |values: &str| {
        said(&format!("[[domains.\"example.com\".records]]\nname = \"@\"\ntype = \"TXT\"\nvalues = [{values}]"))
    };
    insta::assert_snapshot!(record("\"v=spf1 mx -all\""), @r#"an unquoted text with blanks: it would be 3 strings, joined without a blank; quote it: '"v=spf1 mx -all"'"#);
    insta::assert_snapshot!(record("\"it's one\""), @r#"an unquoted text with blanks: it would be 2 strings, joined without a blank; quote it: "\"it's one\"""#);
    assert_eq!(record("'\"v=spf1 mx -all\"', '\"a\" \"b\"', 'word', '\\# 4 0161 0162'"), "");
}

#[test]
fn an_mx_host_of_one_label() {
    let mx = |host: &str| said(&format!("[domains.\"example.com\"]\nmx = [{{ preference = 10, host = \"{host}\" }}]"));
    insta::assert_snapshot!(mx("mail"), @r#"the MX host `mail` is a top-level name; did you mean "mail.example.com"?"#);
    assert_eq!(mx("mail.example"), "");
}

#[test]
fn two_hosts_with_one_address() {
    let hosts = |ptr: &str| {
        said(&format!(
            "[hosts.\"a.example.com\"]\nipv4 = [\"192.0.2.1\"]\nptr = \"manage\"\nprovider = \"p\"\n\
             [hosts.\"b.example.com\"]\nipv4 = [\"192.0.2.1\", \"192.0.2.2\"]\nptr = \"{ptr}\"\nprovider = \"p\""
        ))
    };
    insta::assert_snapshot!(hosts("manage"), @r#"a.example.com and b.example.com both manage the PTR of 192.0.2.1; keep `ptr = "manage"` at the host that the address is to name"#);
    assert_eq!(hosts("check"), "");
}

/// The record of `example.com` with these keys, and what is said of them.
fn spf_with(keys: &str) -> String {
    let said = said(&format!("[domains.\"example.com\"]\n{keys}"));
    let domain = example(&format!("[domains.\"example.com\"]\n{keys}"));
    let spf = domain.spf.as_ref().and_then(|spf| spf.value.wanted()).map_or("none", |spf| spf.text.as_str());
    format!("{spf}\n{said}")
}

#[test]
fn senders_add_their_terms_once() {
    let senders = "senders = { fastmail = {}, mailgun = { id = \"x\" }, netcup-webhosting = {}, brevo = {} }";
    insta::assert_snapshot!(spf_with(&format!("spf = {{ mx = true, include = [\"Mailgun.org\"], all = \"-\" }}\n{senders}")), @"v=spf1 mx include:mailgun.org include:spf.messagingengine.com a include:_spf.webhosting.systems -all");
    insta::assert_snapshot!(spf_with(&format!("spf = [\"a\", \"redirect=_spf.example.net\"]\n{senders}")), @"v=spf1 a include:spf.messagingengine.com include:mailgun.org mx include:_spf.webhosting.systems redirect=_spf.example.net");
    insta::assert_snapshot!(spf_with(&format!("spf = [\"exp=e.example\"]\n{senders}")), @"v=spf1 exp=e.example include:spf.messagingengine.com include:mailgun.org mx a include:_spf.webhosting.systems");
    insta::assert_snapshot!(spf_with("spf = [\"include:one.zoho.eu\", \"-all\"]\nsenders.zoho-mail = { region = \"eu\" }\ndkim.zmail = \"unmanaged\""), @"v=spf1 include:one.zoho.eu -all");
    insta::assert_snapshot!(spf_with("spf = [\"?include:mailgun.org\", \"-all\"]\nsenders.mailgun = { id = \"x\" }"), @"v=spf1 ?include:mailgun.org -all");
}

#[test]
fn a_record_that_is_not_composed_is_not_touched() {
    let sender = "senders.mailgun = { id = \"x\" }";
    for (spf, record) in [
        ("spf = \"v=spf1 include:mailgun.org -all\"", "v=spf1 include:mailgun.org -all"),
        ("spf = \"v=spf1 a ~include:MAILGUN.org -all\"", "v=spf1 a ~include:MAILGUN.org -all"),
    ] {
        assert_eq!(spf_with(&format!("{spf}\n{sender}")), format!("{record}\n"), "{spf}");
    }
    insta::assert_snapshot!(spf_with(&format!("spf = \"v=spf1 mx -all\"\n{sender}")), @r#"
    v=spf1 mx -all
    mailgun needs `include:mailgun.org` in the SPF record, which is written out; add it, or write `spf` as a table or a list: then it is added by itself
    "#);
    insta::assert_snapshot!(spf_with(&format!("spf = \"unmanaged\"\n{sender}")), @r#"
    none
    mailgun needs `include:mailgun.org` in the SPF record, which is unmanaged; add it, or write `spf` as a table or a list: then it is added by itself
    "#);
    insta::assert_snapshot!(spf_with(&format!("spf = \"absent\"\n{sender}")), @r#"
    none
    mailgun needs `include:mailgun.org` in the SPF record, which is to be absent; add it, or write `spf` as a table or a list: then it is added by itself
    "#);
    insta::assert_snapshot!(spf_with(sender), @r#"
    none
    mailgun needs `include:mailgun.org` in the SPF record, which is not configured; add it, or write `spf` as a table or a list: then it is added by itself
    "#);
    insta::assert_snapshot!(spf_with("senders = { google-workspace = {}, postmark = { selector = \"2026pm\" } }\nspf = [\"include:_spf.google.com\"]"), @r#"
    v=spf1 include:_spf.google.com
    google-workspace signs with the selector google, whose key is not in the configuration; name it: `key` in `senders.google-workspace`, or `dkim.google`
    postmark signs with the selector 2026pm, whose key is not in the configuration; name it: `key` in `senders.postmark`, or `dkim.2026pm`
    "#);
}

#[test]
fn a_size_limit_of_reports() {
    let rua =
        |uri: &str| said(&format!("[domains.\"example.com\"]\ndmarc = {{ policy = \"none\", rua = [\"{uri}\"] }}"));
    insta::assert_snapshot!(rua("mailto:d@example.com!10m"), @"`rua`: a size limit, which RFC 9989 removed and mailzone does not write; leave out `!10m`");
    assert_eq!(rua("mailto:d@example.com"), "");
}

#[test]
fn the_removals_that_a_plan_prints_are_read() {
    for line in [
        "[[domains.\"example.com\".records]] name = \"*.example.com.\", type = \"MX\", absent = true",
        "[[domains.\"example.com\".records]] name = \"_25._tcp.*.example.com.\", type = \"TLSA\", absent = true",
        "[[domains.\"example.com\".records]] name = \"a\\\\.b.example.com.\", type = \"MX\", absent = true",
        "[domains.\"example.com\"] dkim.\"*\" = \"absent\"",
        "[domains.\"example.com\"] spf = \"absent\"",
        "[domains.\"example.com\"] bimi.default = \"absent\"",
        "[domains.\"example.com\"] client_settings.imaps = \"absent\"",
        "[domains.\"_x.sub.example.com\"] mx = \"absent\"",
        "[hosts.\"mail.example.com\"] tlsa = \"absent\"\nprovider = \"p\"",
    ] {
        let text = line.replace("] ", "]\n").replace(", ", "\n");
        assert_eq!(said(&text), "", "{line}");
    }
}

#[test]
fn what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), "x = 1").unwrap();
    std::fs::write(at("latin1.toml"), b"a = 1\nb = \"\xfc\"\n").unwrap();
    std::fs::create_dir_all(at("folder/x.toml")).unwrap();
    let mut text = String::new();
    for name in ["missing.toml", "file/mailzone.toml", "latin1.toml", "folder"] {
        text += &messages(&load_path(&at(name)).unwrap_err());
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere.toml", at("link.toml")).unwrap();
        text += &messages(&load_path(&at("link.toml")).unwrap_err());
    }
    let text = text.replace(&folder.path().display().to_string(), "DIR");
    insta::assert_snapshot!("what_cannot_be_read", text);
}

/// Also how long ten thousand domains take: `cargo test --release -- --nocapture thousand`.
#[test]
fn ten_thousand_domains() {
    let mut text = String::from(
        "[providers.p]\ntype = \"zonefile\"\ndirectory = \"z\"\n[defaults]\nprovider = \"p\"\n\
         [groups.parked]\nprofiles = [\"parked\"]\ndomains = [\n",
    );
    for n in 0..5_000 {
        writeln!(text, "  \"parked-{n}.example\",").unwrap();
    }
    text.push_str("]\n");
    for n in 0..5_000 {
        writeln!(
            text,
            "[domains.\"d{n}.example\"]\nmx = [{{ preference = 10, host = \"mail.example.com\" }}]\n\
             spf = {{ mx = true, ip4 = [\"192.0.2.0/24\"], all = \"-\" }}\n\
             dmarc = {{ policy = \"reject\", rua = [\"mailto:d{n}@example.com\"] }}\n\
             dkim.s1 = {{ cname = \"s1.example.net\" }}\n"
        )
        .unwrap();
    }
    let start = std::time::Instant::now();
    let settings = load_text(&text).unwrap();
    println!("10,000 domains: {:?}", start.elapsed());
    assert_eq!(settings.domains.len(), 10_000);
}

#[test]
fn of_very_many_syntax_errors_the_first_are_told() {
    for (text, count) in [("]\n".repeat(1000), "and 800 more errors"), ("a = 1\n".repeat(1000), "and 800 more errors")]
    {
        let diagnostics = load_text(&text).unwrap_err();
        assert_eq!(diagnostics.len(), 201);
        assert_eq!(diagnostics.last().map(|last| last.message.as_str()), Some(count));
    }
}
